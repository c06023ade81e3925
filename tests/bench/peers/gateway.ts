// A gateway in TypeScript that does what Ordak's does for a function: finds it by path, sets the request id, hands on.

import { Call, type Env } from "./edge";

const PATH = /^\/functions\/v1\/([a-z-]{1,63})(\/|$)/;

export default {
  async fetch(request: Request, env: Env & Record<string, Fetcher | undefined>): Promise<Response> {
    const call = new Call("gateway", request);
    const name = PATH.exec(new URL(request.url).pathname)?.[1];
    const target = name === undefined ? undefined : env[name.replaceAll("-", "_").toUpperCase()];
    if (target === undefined) return call.refuse(404, "NOT_FOUND", "there is nothing at this path");
    const forwarded = new Request(request);
    forwarded.headers.set("x-request-id", call.id);
    return target.fetch(forwarded);
  },
};
