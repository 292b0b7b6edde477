#!/usr/bin/env python3
"""Writes a safetensors checkpoint without data: headers are right, the weights are a hole."""
import json, os, struct, sys

WIDTH = {"F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "I8": 1, "U8": 1, "I32": 4}

def write(path, tensors, meta=None):
    at, head = 0, {}
    if meta:
        head["__metadata__"] = meta
    for name, dtype, shape in tensors:
        n = WIDTH[dtype]
        for d in shape:
            n *= d
        head[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + n]}
        at += n
    text = json.dumps(head).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        f.truncate(8 + len(text) + at)
    return at

def llama(c, dtype="BF16"):
    e, ff, hd = c["hidden_size"], c["intermediate_size"], c["head_dim"]
    h, kv, v = c["num_attention_heads"], c["num_key_value_heads"], c["vocab_size"]
    out = [("model.embed_tokens.weight", dtype, (v, e))]
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        out += [(p + "self_attn.q_proj.weight", dtype, (h * hd, e)), (p + "self_attn.k_proj.weight", dtype, (kv * hd, e)),
                (p + "self_attn.v_proj.weight", dtype, (kv * hd, e)), (p + "self_attn.o_proj.weight", dtype, (e, h * hd)),
                (p + "mlp.gate_proj.weight", dtype, (ff, e)), (p + "mlp.up_proj.weight", dtype, (ff, e)),
                (p + "mlp.down_proj.weight", dtype, (e, ff)), (p + "input_layernorm.weight", dtype, (e,)),
                (p + "post_attention_layernorm.weight", dtype, (e,))]
    out.append(("model.norm.weight", dtype, (e,)))
    if not c.get("tie_word_embeddings"):
        out.append(("lm_head.weight", dtype, (v, e)))
    return out

def main():
    folder, config, shards = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f)
    t = llama(config.get("text_config", config))
    if shards == 1:
        write(os.path.join(folder, "model.safetensors"), t, {"format": "pt"})
        return
    names, total, per = {}, 0, -(-len(t) // shards)
    for i in range(shards):
        part = t[i * per:(i + 1) * per]
        name = f"model-{i + 1:05d}-of-{shards:05d}.safetensors"
        total += write(os.path.join(folder, name), part)
        names.update({p[0]: name for p in part})
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as f:
        json.dump({"metadata": {"total_size": total}, "weight_map": names}, f)

main()
