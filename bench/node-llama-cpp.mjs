// What node-llama-cpp thinks a model takes, by its older formulas (v1) and by its newer simulation (v2):
//
//     node node-llama-cpp.mjs MODEL CONTEXT SLOTS BATCH CACHE_TYPE
//
// prints "v1 BYTES MS" and "v2 BYTES MS" (or "v2 - WHY"): host memory of model and context together, no
// layer on a GPU. The times are of the two answers alone; starting node and reading the header is told
// apart as "open". bench/accuracy copies this file beside the installed package and runs it there.
import {readGgufFileInfo, GgufInsights, getLlama, GgmlType} from "node-llama-cpp";

const [file, context, slots, batch, type] = process.argv.slice(2);
const started = performance.now();
const llama = await getLlama({gpu: false, build: "never", logLevel: "error", progressLogs: false});
const insights = await GgufInsights.from(await readGgufFileInfo(file), llama);
const opened = performance.now();
console.log(`open - ${(opened - started).toFixed(1)}`);

const model = {gpuLayers: 0, useMmap: true};
const cache = GgmlType[type.toUpperCase()];
// its context size is of one sequence
const settings = {contextSize: Math.floor(+context / +slots), modelGpuLayers: 0, batchSize: +batch,
    sequences: +slots, flashAttention: true, kvCacheKeyType: cache, kvCacheValueType: cache};

async function say(name, ask) {
    const from = performance.now();
    try {
        const bytes = await ask();
        console.log(`${name} ${Math.round(bytes)} ${(performance.now() - from).toFixed(1)}`);
    } catch (error) {
        console.log(`${name} - ${String(error.message ?? error).split("\n")[0]}`);
    }
}
await say("v1", async () => insights.estimateModelResourceRequirements(model).cpuRam +
    insights.estimateContextResourceRequirements(settings).cpuRam);
await say("v2", async () => (await insights.estimateModelResourceRequirementsV2(model)).cpuRam +
    (await insights.estimateContextResourceRequirementsV2({...settings, useMmap: true})).cpuRam);
process.exit(0);
