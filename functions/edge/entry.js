// The plain form of a worker: an object of handlers. `worker-build` gives a class behind proxies, of which the runtime makes
// an instance for every request; that costs as much as some functions do. What the class does for a module that has
// panicked, the module's own exports do as well: the next call begins with a fresh instance.

import Worker from "ordak:worker";

const { fetch, queue, scheduled } = Worker.prototype;

const handlers = {
  fetch(request, env, ctx) {
    return fetch.call({ env, ctx }, request);
  },
};
if (queue) handlers.queue = (batch, env, ctx) => queue.call({ env, ctx }, batch);
if (scheduled) handlers.scheduled = (event, env, ctx) => scheduled.call({ env, ctx }, event);

export default handlers;
