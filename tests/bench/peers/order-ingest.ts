// The same webhook function in TypeScript: verified with WebCrypto, parsed with JSON.parse, handed to the same RPC in the
// same single call.

import { Call, credentials, type Env } from "./edge";
import { normalize } from "./normalize";
import { verified } from "./webhook";

const LIMIT_MS = 4000;

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const call = new Call("order-ingest", request);
    const body = await verified(call, env);
    if (body instanceof Response) return body;
    const header = (name: string) => request.headers.get(name) ?? undefined;
    call.route = header("x-shopify-topic");
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
    const payload = JSON.parse(new TextDecoder().decode(body));
    const answer = await fetch(`${env.SUPABASE_URL}/rest/v1/rpc/ingest_shopify_event`, {
      method: "POST",
      headers: credentials(env.SUPABASE_SERVICE_ROLE_KEY),
      signal: AbortSignal.timeout(LIMIT_MS),
      body: JSON.stringify({
        p_shop_domain: header("x-shopify-shop-domain")?.toLowerCase(),
        p_topic: call.route,
        p_webhook_id: header("x-shopify-webhook-id"),
        p_triggered_at: header("x-shopify-triggered-at"),
        p_content_hash: Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join(""),
        p_own_secrets: [],
        p_order: normalize(payload),
        p_payload: payload,
      }),
    });
    if (!answer.ok) return call.refuse(503, "UNAVAILABLE", "try again");
    const envelope = (await answer.json()) as { data?: { store?: string; outcome?: string } };
    call.store = envelope.data?.store;
    return call.answer(200, JSON.stringify(envelope), envelope.data?.outcome ?? "done");
  },
};
