// The scan of the kitchen in TypeScript: the token is checked with WebCrypto, the body parsed, and the same RPC called with
// the user's own token.

import { bytesOf, Call, credentials, hmacKey, type Env } from "./edge";

const LIMIT_MS = 5000;
const NAMES = new Set(["scan", "action", "user", "scan_id"]);

let key: Promise<CryptoKey> | undefined;

type Claims = { iss?: string; aud?: string | string[]; role?: string; sub?: string; exp?: number; nbf?: number };

const decoder = new TextDecoder();
const encoder = new TextEncoder();

function part(base64url: string): Uint8Array | null {
  return bytesOf(base64url.replaceAll("-", "+").replaceAll("_", "/"));
}

async function isGood(token: string, env: Env): Promise<boolean> {
  const pieces = token.split(".");
  if (pieces.length !== 3) return false;
  const [head, payload, signature] = pieces.map(part);
  if (!head || !payload || !signature) return false;
  if ((JSON.parse(decoder.decode(head)) as { alg?: string }).alg !== "HS256") return false;
  const claims = JSON.parse(decoder.decode(payload)) as Claims;
  const now = Date.now() / 1000;
  const isForUs = [claims.aud].flat().includes("authenticated") && claims.role === "authenticated";
  const isInTime = (claims.exp ?? 0) > now && (claims.nbf ?? 0) <= now + 5;
  if (!isForUs || !isInTime || claims.iss !== `${env.SUPABASE_URL}/auth/v1` || !claims.sub) return false;
  key ??= hmacKey(env.SUPABASE_JWT_SECRET);
  return crypto.subtle.verify("HMAC", await key, signature, encoder.encode(`${pieces[0]}.${pieces[1]}`));
}

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const call = new Call("stage-actions", request);
    const token = /^Bearer +(\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
    if (token === undefined || !(await isGood(token, env))) {
      return call.refuse(401, "UNAUTHENTICATED", "a valid user token is needed");
    }
    if (new URL(request.url).pathname !== "/functions/v1/stage-actions/scan") {
      return call.refuse(404, "NOT_FOUND", "there is no such action");
    }
    if (request.method !== "POST") return call.refuse(405, "METHOD_NOT_ALLOWED", "only POST is possible here");
    call.route = "scan";
    const body = (await request.json()) as Record<string, unknown>;
    const unknown = Object.keys(body).find((name) => !NAMES.has(name));
    if (unknown !== undefined || typeof body.scan !== "string") {
      return call.refuse(400, "BAD_INPUT", "scan is needed, and nothing that is not known");
    }
    const answer = await fetch(`${env.SUPABASE_URL}/rest/v1/rpc/scan`, {
      method: "POST",
      headers: credentials(env.SUPABASE_ANON_KEY, token),
      signal: AbortSignal.timeout(LIMIT_MS),
      body: JSON.stringify(Object.fromEntries(Object.entries(body).map(([name, value]) => [`p_${name}`, value]))),
    });
    if (!answer.ok) return call.refuse(503, "UNAVAILABLE", "try again");
    const envelope = (await answer.json()) as { ok: boolean; code?: string; already_done?: boolean };
    return call.answer(
      envelope.ok ? 200 : 409,
      JSON.stringify(envelope),
      envelope.code ?? (envelope.already_done ? "already_done" : "done"),
    );
  },
};
