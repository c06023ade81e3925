// Runs one built function alone in workerd, with just the variables it is given, and prints its answer to one
// request as JSON. Argument: {folder, compatibilityDate, bindings, url, init}.

import { Miniflare } from "miniflare";

const { folder, compatibilityDate, bindings, url, init } = JSON.parse(process.argv[2]);
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
try {
    const answer = await worker.dispatchFetch(url, init);
    console.log(JSON.stringify({ status: answer.status, body: await answer.text() }));
} finally {
    await worker.dispose();
}
