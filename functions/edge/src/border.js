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
export function settle(promise, place, number) {
  const told = tell;
  promise.then(
    (value) => told(place, number, true, value),
    (error) => told(place, number, false, error),
  );
}

/** Method, path with query, and id, a line each. No header holds a line break; an absent id is empty. */
export function look(request) {
  const url = request.url;
  const target = url.slice(url.indexOf("/", url.indexOf("//") + 2));
  return request.method + "\n" + target + "\n" + (request.headers.get("x-request-id") ?? "");
}

/** A header. */
export function header(request, name) {
  return request.headers.get(name);
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

/** A response with the headers that all of ours have. The body is text, or bytes of its own. */
function response(status, id, body, allow) {
  const headers = { "content-type": "application/json", "cache-control": "no-store", "x-request-id": id };
  if (allow !== undefined) headers.allow = allow;
  return new Response(body, { status, headers });
}

/** A response. */
export function respond(status, id, bytes, allow) {
  return response(status, id, bytes.slice(), allow);
}

/** A line for the log and a response: id, line and body in one text, with a line break between them. */
export function conclude(ms, status, text, allow) {
  const line = text.indexOf("\n") + 1;
  const body = text.indexOf("\n", line) + 1;
  log(ms, text.slice(line, body - 1));
  return response(status, text.slice(0, line - 1), text.slice(body), allow);
}

/** The same response with headers that can be changed. */
export function copy(response) {
  return new Response(response.body, response);
}

/** A line for the log, behind the time of its writing. */
export function log(ms, line) {
  console.log('{"time":"' + new Date(ms).toISOString() + '",' + line);
}

/** The request with another id, handed to another worker. */
export function forward(service, request, id) {
  const copy = new Request(request);
  copy.headers.set("x-request-id", id);
  return service.fetch(copy);
}

/** The same with the answer handed back as it comes; `instead` answers for a worker that does not. */
export async function pass(service, request, id, started, context, instead) {
  try {
    return await forward(service, request, id);
  } catch (error) {
    return instead(request, id, started, context, error);
  }
}

/** Rooms for the bodies of calls, lent again and again: what is made for one call alone is work for the garbage collector. */
const rooms = [];
const MOST_ROOMS = 16;
/** Bodies between these lengths are worth a room. */
const SHORT = 2 * 1024;
const ROOM = 32 * 1024;

/**
 * Posts JSON and waits for the whole answer: status and body, or in a word why there is none. A connection that nobody
 * listens to any more would still count against the isolate's six: it is closed.
 */
export async function post(url, headers, bytes, ms) {
  const room = bytes.length < SHORT || bytes.length > ROOM ? undefined : (rooms.pop() ?? new Uint8Array(ROOM));
  room?.set(bytes);
  const body = room?.subarray(0, bytes.length) ?? bytes.slice();
  const signal = AbortSignal.timeout(ms);
  let failure = "not reached";
  try {
    const answer = await fetch(url, { method: "POST", headers, body, redirect: "manual", signal });
    failure = "answer broke off";
    const whole = new Uint8Array(await answer.arrayBuffer());
    // Who has answered well has read the body to its end. Of any other it is not known who may still look at it.
    if (room && answer.ok && rooms.length < MOST_ROOMS) rooms.push(room);
    return [answer.status, whole];
  } catch {
    return signal.aborted ? "no answer in time" : failure;
  }
}

/** Prepares keys for HMAC-SHA256. */
export function hmacKeys(secrets) {
  const prepare = (secret) =>
    crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  return Promise.all(secrets.map(prepare));
}

/**
 * Waits for a body, tries one key after the other on it and says which of them made the signature, counted from the first,
 * with the SHA-256 of the body and the body itself; `false` when none did. What is wrong with the body is told as `body` and
 * `pieces` tell it.
 */
export async function signer(keys, bytes, coming) {
  const signature = bytes.slice();
  const body = await coming;
  if (body === undefined) return undefined;
  for (let place = 0; place < keys.length; place += 1) {
    if (await crypto.subtle.verify("HMAC", keys[place], signature, body)) {
      return [place, new Uint8Array(await crypto.subtle.digest("SHA-256", body)), body];
    }
  }
  return false;
}
