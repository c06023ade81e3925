// What passes between the runtime and the module, put together so that it passes at once: each crossing costs more than
// what is done on this side. Carries; decides nothing. What the module lends (`bytes`) is valid until the call returns and
// is copied by whoever keeps it.

/** A promise and what settles it. */
export function deferred() {
  return Promise.withResolvers();
}

let tell;

/** Names the one who is told of promises: the present instance of the module. */
export function listen(listener) {
  tell = listener;
}

/** Tells whoever is listening now, and no later instance, what becomes of a promise. */
export function settle(promise, ticket) {
  const told = tell;
  promise.then(
    (value) => told(ticket, true, value),
    (error) => told(ticket, false, error),
  );
}

/** Method, address and the headers of these names, a line each. No header holds a line break; an absent one is empty. */
export function look(request, names) {
  const { headers } = request;
  let text = request.method + "\n" + request.url;
  for (const name of names) text += "\n" + (headers.get(name) ?? "");
  return text;
}

/** The body, whole. */
export function body(request) {
  return request.arrayBuffer();
}

/** The body of a request that does not say how long it is; nothing when it is longer than the limit. */
export async function pieces(request, limit, patience) {
  let kept = [];
  let seen = 0;
  for await (const piece of request.body ?? []) {
    seen += piece.byteLength;
    if (seen > limit + patience) break;
    if (seen <= limit) kept.push(piece);
    else kept = [];
  }
  return seen > limit ? undefined : new Blob(kept).arrayBuffer();
}

/** A response with the headers that all of ours have. */
export function respond(status, id, bytes, allow) {
  const headers = { "content-type": "application/json", "cache-control": "no-store", "x-request-id": id };
  if (allow !== undefined) headers.allow = allow;
  return new Response(bytes.slice(), { status, headers });
}

/** The same response with headers that can be changed. */
export function copy(response) {
  return new Response(response.body, response);
}

/** A line for the log. */
export function log(line) {
  console.log(line);
}

/** The request with another id, handed to another worker. */
export function forward(service, request, id) {
  const copy = new Request(request);
  copy.headers.set("x-request-id", id);
  return service.fetch(copy);
}

/**
 * Posts JSON and waits for the whole answer: status and body, or in a word why there is none. A connection that nobody
 * listens to any more would still count against the isolate's six: it is closed.
 */
export async function post(url, headers, bytes, ms) {
  const controller = new AbortController();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    controller.abort();
  }, ms);
  const init = { method: "POST", headers, body: bytes.slice(), redirect: "manual", signal: controller.signal };
  let failure = "not reached";
  try {
    const answer = await fetch(url, init);
    failure = "answer broke off";
    return [answer.status, new Uint8Array(await answer.arrayBuffer())];
  } catch {
    return late ? "no answer in time" : failure;
  } finally {
    clearTimeout(timer);
  }
}

/** Prepares keys for HMAC-SHA256. */
export function hmacKeys(secrets) {
  const prepare = (secret) =>
    crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  return Promise.all(secrets.map(prepare));
}

/**
 * Waits for a body, tries every key on it and says which of them made the signature, counted from the first, with the
 * SHA-256 of the body and the body itself; `false` when none did. What is wrong with the body is told as `body` and `pieces`
 * tell it.
 */
export async function signer(keys, bytes, coming) {
  const signature = bytes.slice();
  const body = await coming;
  if (body === undefined) return undefined;
  const tried = keys.map((key) => crypto.subtle.verify("HMAC", key, signature, body));
  const place = (await Promise.all(tried)).indexOf(true);
  return place >= 0 && [place, new Uint8Array(await crypto.subtle.digest("SHA-256", body)), body];
}
