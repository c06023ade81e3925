// One exchange with another system, from the request to the last byte of the answer, as one promise: what the module would
// otherwise hold of it (requests, headers, readers, timers) is twenty kilobytes of every bundle.

/**
 * Asks and waits for the whole answer: status, `Retry-After` and body, or in a word why there is none. `service` is another
 * worker, or nothing for the outside. No redirect is followed. Whatever is given up is closed: a connection that nobody
 * listens to any more would still count against the isolate's six.
 */
export async function ask(service, url, headers, body, ms, most) {
  const controller = new AbortController();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    controller.abort();
  }, ms);
  const method = body === undefined ? "GET" : "POST";
  const init = { method, headers, body, redirect: "manual", signal: controller.signal };
  try {
    const answer = await (service ? service.fetch(url, init) : fetch(url, init));
    const pieces = [];
    let length = 0;
    for await (const piece of answer.body ?? []) {
      length += piece.byteLength;
      if (length > most) {
        controller.abort();
        return "long";
      }
      pieces.push(piece);
    }
    const whole = new Uint8Array(await new Blob(pieces).arrayBuffer());
    return [answer.status, answer.headers.get("retry-after") ?? undefined, whole];
  } catch {
    return late ? "late" : "broken";
  } finally {
    clearTimeout(timer);
  }
}
