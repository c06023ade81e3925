// What passes between the runtime and the module, put together so that it passes at once: each crossing costs more than
// what is done on this side. Carries; decides nothing. What the module lends (`bytes`) is valid until the call returns and
// is copied by whoever keeps it.

/** A promise and what settles it. */
export function deferred() {
  return Promise.withResolvers();
}

let promised;
let reported;

/** Names who hears of promises and of reports: the present instance of the module. */
export function listen(ofPromises, ofReports) {
  promised = ofPromises;
  reported = ofReports;
}

/** Tells whoever is listening now, and no later instance, what becomes of a promise. */
export function settle(promise, place, number) {
  const tell = promised;
  promise.then(
    (value) => tell(place, number, true, value),
    (error) => tell(place, number, false, error),
  );
}

// What is only there to be waited for reports to whoever listened when it began: a code, a body and its SHA-256, which
// cross as bytes. `border.rs` has the same codes.

const NOTHING = new Uint8Array(0);

const BROKEN_OFF = 0;
const TOO_LONG = 1;
const UNSIGNED = 2;
/** From here on: which key made the signature, counted from the first. */
const WHOLE = 3;

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

/** Waits for a body and takes it over. */
export async function takeOver(place, number, coming) {
  const report = reported;
  let code = BROKEN_OFF;
  let bytes = NOTHING;
  try {
    const body = await coming;
    code = body ? WHOLE : TOO_LONG;
    if (body) bytes = new Uint8Array(body);
  } catch {
    // It stays broken off.
  }
  report(place, number, code, bytes, NOTHING);
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
export function conclude(status, text, allow) {
  const line = text.indexOf("\n") + 1;
  const body = text.indexOf("\n", line) + 1;
  console.log(text.slice(line, body - 1));
  return response(status, text.slice(0, line - 1), text.slice(body), allow);
}

/** The same response with headers that can be changed. */
export function copy(response) {
  return new Response(response.body, response);
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

const NOT_REACHED = 0;
const ANSWER_BROKE_OFF = 1;
const NO_ANSWER_IN_TIME = 2;

/**
 * Posts JSON, waits for the whole answer and reports its status and body, or why there is none. A connection that nobody
 * listens to any more would still count against the isolate's six: it is closed.
 */
export async function post(place, number, url, headers, bytes, ms) {
  const report = reported;
  const room = bytes.length < SHORT || bytes.length > ROOM ? undefined : (rooms.pop() ?? new Uint8Array(ROOM));
  room?.set(bytes);
  const body = room?.subarray(0, bytes.length) ?? bytes.slice();
  const signal = AbortSignal.timeout(ms);
  let code = NOT_REACHED;
  let whole = NOTHING;
  try {
    const answer = await fetch(url, { method: "POST", headers, body, redirect: "manual", signal });
    code = ANSWER_BROKE_OFF;
    whole = new Uint8Array(await answer.arrayBuffer());
    code = answer.status;
    // Who has answered well has read the body to its end. Of any other it is not known who may still look at it.
    if (room && answer.ok && rooms.length < MOST_ROOMS) rooms.push(room);
  } catch {
    if (signal.aborted) code = NO_ANSWER_IN_TIME;
  }
  report(place, number, code, whole, NOTHING);
}

/** Prepares keys for HMAC-SHA256. */
export function hmacKeys(secrets) {
  const prepare = (secret) =>
    crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  return Promise.all(secrets.map(prepare));
}

/** Rooms for signatures while their bodies are waited for, lent again and again. */
const marks = [];
/** Bytes of a signature. */
const MARK = 32;

/**
 * Waits for a body, tries one key after the other on it and reports which of them made the signature, with the body and its
 * SHA-256. What none of them signed is not taken over.
 */
export async function signer(place, number, keys, bytes, coming) {
  const report = reported;
  const room = bytes.length === MARK ? (marks.pop() ?? new Uint8Array(MARK)) : undefined;
  room?.set(bytes);
  let code = BROKEN_OFF;
  let whole = NOTHING;
  let digest = NOTHING;
  try {
    const body = await coming;
    code = body ? UNSIGNED : TOO_LONG;
    for (let key = 0; code === UNSIGNED && key < keys.length; key += 1) {
      if (await crypto.subtle.verify("HMAC", keys[key], room ?? NOTHING, body)) {
        digest = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
        whole = new Uint8Array(body);
        code = WHOLE + key;
      }
    }
  } catch {
    code = BROKEN_OFF;
  }
  if (room) marks.push(room);
  report(place, number, code, whole, digest);
}
