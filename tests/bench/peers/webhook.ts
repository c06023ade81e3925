// The part of a webhook function that comes before any database: path, method, signature.

import { bytesOf, hmacKey, type Call, type Env } from "./edge";

let key: Promise<CryptoKey> | undefined;

/** The verified body, or why there is none. */
export async function verified(call: Call, env: Env): Promise<ArrayBuffer | Response> {
  const { pathname } = new URL(call.request.url);
  if (pathname !== "/functions/v1/order-ingest") return call.refuse(404, "NOT_FOUND", "there is nothing at this path");
  if (call.request.method !== "POST") return call.refuse(405, "METHOD_NOT_ALLOWED", "only POST is possible here");
  const body = await call.request.arrayBuffer();
  const signature = bytesOf(call.request.headers.get("x-shopify-hmac-sha256") ?? "");
  key ??= hmacKey(env.SHOPIFY_WEBHOOK_SECRET);
  if (signature === null || !(await crypto.subtle.verify("HMAC", await key, signature, body))) {
    return call.refuse(401, "UNAUTHENTICATED", "the signature is missing or wrong");
  }
  return body;
}
