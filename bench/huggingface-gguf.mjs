// Reads a GGUF header with @huggingface/gguf, as its page says:
//
//     node huggingface-gguf.mjs URL        prints its number of tensors and of keys
import {gguf} from "@huggingface/gguf";

const {metadata, tensorInfos} = await gguf(process.argv[2]);
console.log(tensorInfos.length, Object.keys(metadata).length);
