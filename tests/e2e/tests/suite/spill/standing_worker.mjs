// Runs one built function alone in workerd until standard input ends, with a queue or without one. Argument: {folder,
// compatibilityDate, bindings, binding, consumers}; `binding` is the name under which the function knows the first of
// the queues. Prints {"url": …} when it answers. Each line of standard input is a text that is put into that queue.

import { createInterface } from "node:readline";
import { Miniflare } from "miniflare";

const { folder, compatibilityDate, bindings, binding, consumers } = JSON.parse(process.argv[2]);
const [queue] = Object.keys(consumers);
const worker = new Miniflare({
    modules: true,
    modulesRules: [
        { type: "ESModule", include: ["**/*.js"] },
        { type: "CompiledWasm", include: ["**/*.wasm"] },
    ],
    modulesRoot: folder,
    scriptPath: `${folder}/index.js`,
    compatibilityDate,
    bindings,
    queueProducers: queue ? { [binding]: queue } : {},
    queueConsumers: consumers,
    cf: false,
});
try {
    const url = await worker.ready;
    console.log(JSON.stringify({ url: url.origin }));
    for await (const line of createInterface({ input: process.stdin })) {
        const producer = await worker.getQueueProducer(binding);
        await producer.send(JSON.parse(line), { contentType: "text" });
    }
} finally {
    await worker.dispose();
}
