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

/**
 * Tells whoever is listening now, and no later instance, what becomes of a promise. What is only there to be waited for
 * (`post`, `signer`) tells it at its end instead, without a promise of its own.
 */
export function settle(promise, place, number) {
  const told = tell;
  promise.then(
    (value) => told(place, number, true, value),
    (error) => told(place, number, false, error),
  );
}

/** Method, path with query, and headers, a line each. */
export function look(request, names) {
  const url = request.url;
  const target = url.slice(url.indexOf("/", url.indexOf("//") + 2));
  return request.method + "\n" + target + "\n" + headers(request, names);
}

/** Headers, at least one, a line each: no header holds a line break. One that is absent is empty. */
export function headers(request, names) {
  const all = request.headers;
  let lines = all.get(names[0]) ?? "";
  for (let place = 1; place < names.length; place += 1) lines += "\n" + (all.get(names[place]) ?? "");
  return lines;
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

/** What every response of ours says: copied from an object of the runtime's it costs less than read from a list. */
const ALWAYS = new Headers({ "content-type": "application/json", "cache-control": "no-store" });

/** A response with the headers that all of ours have. The body is text, or bytes of its own. */
function response(status, id, body, allow) {
  const response = new Response(body, { status, headers: ALWAYS });
  response.headers.set("x-request-id", id);
  if (allow !== undefined) response.headers.set("allow", allow);
  return response;
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

/** The time of the last line in milliseconds, and as it stands before the line: many are written in the same. */
let written;
let time;

/** A line for the log, behind the time of its writing. */
export function log(ms, line) {
  if (ms !== written) {
    written = ms;
    time = '{"time":"' + new Date(ms).toISOString() + '",';
  }
  console.log(time + line);
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

/** Headers to be sent, from a line for each name and each value. */
export function sent(lines) {
  const all = lines.split("\n");
  const headers = new Headers();
  for (let at = 0; at + 1 < all.length; at += 2) headers.set(all[at], all[at + 1]);
  return headers;
}

/** Rooms for the bodies of calls, lent again and again: what is made for one call alone is work for the garbage collector. */
const rooms = [];
const MOST_ROOMS = 16;
/** Bodies between these lengths are worth a room. */
const SHORT = 2 * 1024;
const ROOM = 32 * 1024;

/**
 * Posts JSON, waits for the whole answer and tells of it: status and body, or in a word why there is none. A connection
 * that nobody listens to any more would still count against the isolate's six: it is closed.
 */
export async function post(place, number, url, headers, bytes, ms) {
  const told = tell;
  const room = bytes.length < SHORT || bytes.length > ROOM ? undefined : (rooms.pop() ?? new Uint8Array(ROOM));
  room?.set(bytes);
  const body = room?.subarray(0, bytes.length) ?? bytes.slice();
  const signal = AbortSignal.timeout(ms);
  let outcome = "not reached";
  try {
    const answer = await fetch(url, { method: "POST", headers, body, redirect: "manual", signal });
    outcome = "answer broke off";
    const whole = new Uint8Array(await answer.arrayBuffer());
    // Who has answered well has read the body to its end. Of any other it is not known who may still look at it.
    if (room && answer.ok && rooms.length < MOST_ROOMS) rooms.push(room);
    outcome = [answer.status, whole];
  } catch {
    if (signal.aborted) outcome = "no answer in time";
  }
  told(place, number, true, outcome);
}

/** Prepares keys for HMAC-SHA256. */
export function hmacKeys(secrets) {
  const prepare = (secret) =>
    crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  return Promise.all(secrets.map(prepare));
}

/**
 * Waits for a body, tries one key after the other on it and tells which of them made the signature, counted from the first,
 * with the SHA-256 of the body and the body itself; `false` when none did. What is wrong with the body is told as `body` and
 * `pieces` tell it.
 */
export async function signer(place, number, keys, bytes, coming) {
  const told = tell;
  const signature = bytes.slice();
  let outcome;
  try {
    const body = await coming;
    if (body) outcome = false;
    for (let key = 0; outcome === false && key < keys.length; key += 1) {
      if (await crypto.subtle.verify("HMAC", keys[key], signature, body)) {
        outcome = [key, new Uint8Array(await crypto.subtle.digest("SHA-256", body)), body];
      }
    }
  } catch (error) {
    return told(place, number, false, error);
  }
  told(place, number, true, outcome);
}
