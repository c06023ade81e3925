// What the peers share: the same answers, headers and log lines that Ordak's functions give, written as one would write
// them in TypeScript.

export interface Env {
  SUPABASE_URL: string;
  SUPABASE_ANON_KEY: string;
  SUPABASE_SERVICE_ROLE_KEY: string;
  SUPABASE_JWT_SECRET: string;
  SHOPIFY_WEBHOOK_SECRET: string;
}

const SANE = /^[A-Za-z0-9._-]{8,64}$/;

export class Call {
  readonly id: string;
  readonly started = Date.now();
  store?: string;
  route?: string;

  constructor(
    readonly name: string,
    readonly request: Request,
  ) {
    const id = request.headers.get("x-request-id");
    this.id = id !== null && SANE.test(id) ? id : crypto.randomUUID();
  }

  answer(status: number, body: BodyInit, outcome: string): Response {
    const level = status >= 500 ? "error" : status >= 400 ? "warn" : "success";
    console.log(
      JSON.stringify({
        time: new Date().toISOString(),
        level,
        function: this.name,
        request_id: this.id,
        store: this.store,
        route: this.route,
        outcome,
        status,
        ms: Date.now() - this.started,
      }),
    );
    return new Response(body, {
      status,
      headers: { "content-type": "application/json", "cache-control": "no-store", "x-request-id": this.id },
    });
  }

  refuse(status: number, code: string, message: string): Response {
    return this.answer(status, JSON.stringify({ ok: false, code, message }), code);
  }
}

/** Headers for the REST server in the name of a key, and of a user if there is one. */
export function credentials(key: string, token = key): Record<string, string> {
  return { apikey: key, authorization: `Bearer ${token}`, "content-type": "application/json" };
}

export function bytesOf(base64: string): Uint8Array | null {
  try {
    return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  } catch {
    return null;
  }
}

const utf8 = new TextEncoder();

export function hmacKey(secret: string): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", utf8.encode(secret), { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}
