// Runs built functions alone in workerd, with just the variables they are given, and prints the address of the first as
// JSON. Ends when its standard input does. Argument: [{name, folder, compatibilityDate, bindings, services}], `services`
// being the names under which a function knows others.

import { Miniflare } from "miniflare";

const functions = JSON.parse(process.argv[2]);
const worker = new Miniflare({
    cf: false,
    workers: functions.map(({ name, folder, compatibilityDate, bindings, services }) => ({
        name,
        modules: true,
        modulesRules: [
            { type: "ESModule", include: ["**/*.js"] },
            { type: "CompiledWasm", include: ["**/*.wasm"] },
        ],
        modulesRoot: folder,
        scriptPath: `${folder}/index.js`,
        compatibilityDate,
        bindings,
        serviceBindings: services,
    })),
});
const url = await worker.ready;
console.log(JSON.stringify({ url: url.origin }));
process.stdin.on("end", async () => {
    await worker.dispose();
    process.exit();
});
process.stdin.resume();
