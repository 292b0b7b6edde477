// What the hub's own library reads of a checkpoint's headers:
//
//     node hub.mjs ENDPOINT ORG/REPO FILE   prints its number of parameters and of tensors
import {parseSafetensorsMetadata} from "@huggingface/hub";

const [hubUrl, repo, path] = process.argv.slice(2);
const all = await parseSafetensorsMetadata({repo, hubUrl, path, computeParametersCount: true});
const headers = all.sharded ? Object.values(all.headers) : [all.header];
const tensors = headers.flatMap((h) => Object.keys(h)).filter((name) => name !== "__metadata__");
console.log(Object.values(all.parameterCount).reduce((a, b) => a + b, 0), tensors.length);
