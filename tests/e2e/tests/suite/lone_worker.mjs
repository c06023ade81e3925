// Runs one built function alone in workerd, with just the variables it is given, and prints its address as JSON. Ends
// when its standard input does. Argument: {folder, compatibilityDate, bindings}.

import { Miniflare } from "miniflare";

const { folder, compatibilityDate, bindings } = JSON.parse(process.argv[2]);
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
    cf: false,
});
const url = await worker.ready;
console.log(JSON.stringify({ url: url.origin }));
process.stdin.on("end", async () => {
    await worker.dispose();
    process.exit();
});
process.stdin.resume();
