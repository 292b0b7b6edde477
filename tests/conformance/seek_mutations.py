#!/usr/bin/env python3
"""Seeks geometry mutations of model files that the engine accepts, and writes them as recipes for
`plimsoll ghost --edit`. Usage:
    seek_mutations.py PLIMSOLL FIT_PARAMS_COMMAND FILE... >mutations.tsv
    seek_mutations.py PLIMSOLL FIT_PARAMS_COMMAND --settle SPEC FILE >RECIPE

A mutation changes some of the header's widths (layers, embedding, feed-forward, heads, head sizes,
window, experts, ranks, state sizes, vocabulary, context). Which tensors then have which shape is
not ours to say: the engine names a tensor it finds wrong and the shape it expects, one at a time,
until it loads. What it refuses for another reason is given up, and the next seed tried."""
import os, random, re, struct, subprocess, sys, tempfile

PER_FILE = 3
STEPS = 400

def header(path):
    """Keys (numbers, arrays of numbers) and tensors (name, shape) of a GGUF file."""
    f = open(path, "rb")
    def u(fmt):
        return struct.unpack("<" + fmt, f.read(struct.calcsize("<" + fmt)))[0]
    def text():
        return f.read(u("Q")).decode("utf-8", "replace")
    kinds = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
    def value(t):
        if t == 8:
            return text()
        if t == 9:
            e, n = u("I"), u("Q")
            return [value(e) for _ in range(n)]
        return u(kinds[t])
    f.read(8)
    n_tensor, n_kv = u("Q"), u("Q")
    keys, tensors = {}, {}
    for _ in range(n_kv):
        k = text()
        keys[k] = value(u("I"))
    for _ in range(n_tensor):
        name = text()
        shape = [u("Q") for _ in range(u("I"))]
        u("I"), u("Q")
        tensors[name] = shape
    return keys, tensors

# keys that grow together, and by what
WIDTHS = [
    (["embedding_length"], [2, 3, 4, 8]), (["feed_forward_length"], [2, 3, 5]),
    (["expert_feed_forward_length"], [2, 3]), (["expert_shared_feed_forward_length"], [2, 3]),
    (["attention.head_count"], [2, 4]), (["attention.head_count", "attention.head_count_kv"], [2, 4]),
    (["attention.key_length", "attention.value_length", "rope.dimension_count"], [2]),
    (["attention.key_length", "attention.value_length", "rope.dimension_count",
      "attention.key_length_swa", "attention.value_length_swa", "rope.dimension_count_swa"], [2]),
    (["attention.key_length_mla", "attention.value_length_mla"], [2]),
    (["attention.key_length_swa", "attention.value_length_swa"], [2]),
    (["attention.q_lora_rank"], [2, 3]), (["attention.kv_lora_rank"], [2]),
    (["attention.sliding_window"], [2, 5, 33]), (["attention.indexer.head_count"], [2]),
    (["attention.indexer.key_length"], [2]), (["expert_count"], [2, 3]),
    (["expert_count", "expert_used_count"], [2, 3]),
    (["ssm.state_size"], [2]), (["ssm.inner_size"], [2]), (["ssm.conv_kernel"], [2]),
    (["ssm.group_count"], [2]), (["ssm.time_step_rank"], [2]),
    (["ssm.inner_size", "ssm.time_step_rank"], [2]), (["wkv.head_size"], [2]),
    (["vocab_size"], [3, 17, 250]), (["context_length"], [4, 64]), (["shortconv.l_cache"], [2]),
    (["embedding_length_per_layer_input"], [2]), (["kda.head_dim"], [2]),
]

def choose(rng, arch, keys, tensors):
    """Edits of the header: a list of lines."""
    lines = []
    layers = keys.get(arch + ".block_count", 0)
    if isinstance(layers, int) and layers > 0 and rng.random() < 0.7:
        times = rng.choice([2, 3])
        lines.append(f"set {arch}.block_count {layers * times}")
        for i in range(layers, layers * times):
            if any(t.startswith(f"blk.{i % layers}.") for t in tensors):
                lines.append(f"copy blk.{i % layers}. blk.{i}.")
        for k, v in keys.items():
            if k.startswith(arch + ".") and isinstance(v, list) and len(v) == layers and \
                    all(isinstance(x, (int, bool)) for x in v):
                lines.append(f"set {k} " + ",".join(str(int(x)) for x in v * times))
    found = [w for w in WIDTHS if f"{arch}.{w[0][0]}" in keys]
    for names, factors in rng.sample(found, min(len(found), rng.randint(1, 4))):
        factor = rng.choice(factors)
        for k in (f"{arch}.{n}" for n in names):
            if k not in keys or any(l.startswith(f"set {k} ") for l in lines):
                continue
            v = keys[k]
            if isinstance(v, list) and all(isinstance(x, int) for x in v):
                lines.append(f"set {k} " + ",".join(str(x * factor) for x in v))
            elif isinstance(v, int) and 0 < v < 2**31 // factor:
                lines.append(f"set {k} {v * factor}")
    embedding = next((l.split()[2] for l in lines if l.startswith(f"set {arch}.embedding_length ")),
                     keys.get(arch + ".embedding_length"))
    return lines + vocabulary(arch, lines, embedding, tensors)

def vocabulary(arch, lines, embedding, tensors):
    """The tokens decide, not vocab_size: a made-up tokenizer follows the embedding's shape."""
    size = next((l.split()[2] for l in lines if l.startswith(f"set {arch}.vocab_size ")), None)
    if size is None or "token_embd.weight" not in tensors:
        return []
    return ["set tokenizer.ggml.model no_vocab", f"shape token_embd.weight {embedding} {size}"]

def attempt(plimsoll, fit, source, lines, out):
    edit = out + ".edit"
    open(edit, "w").write("\n".join(lines) + "\n")
    r = subprocess.run([plimsoll, "ghost", source, "-o", out, "--edit", edit, "--force"],
                       capture_output=True, text=True)
    if r.returncode != 0:
        return "ghost", r.stderr
    env = dict(os.environ, GGML_NO_BACKTRACE="1")
    try:
        r = subprocess.run(fit + ["-m", out, "-c", "8192", "-nr", "-fitp", "on"], capture_output=True,
                           text=True, env=env, timeout=60, errors="replace")
    except subprocess.TimeoutExpired:
        return "hang", ""
    return ("ok" if r.returncode == 0 else "no"), r.stdout + r.stderr

def told(plimsoll, fit, source, lines, out):
    """An engine that aborts may lose the line that says why: asked again until it is there."""
    for _ in range(60):
        state, said = attempt(plimsoll, fit, source, lines, out)
        if state != "no" or "error loading model" in said or "ASSERT" in said:
            break
    return state, said

def settle(plimsoll, fit, source, lines, tensors, out):
    """Mends shapes as the engine asks, until it loads; None when it does not."""
    fixed = {}
    for _ in range(STEPS):
        state, said = told(plimsoll, fit, source, lines, out)
        if state == "ok":
            return lines
        m = re.search(r"tensor '([^']+)' has wrong shape; expected ([0-9, ]+), got", said)
        if state == "no" and m:
            name = m.group(1)
            shape = [x for x in m.group(2).replace(",", " ").split()]
            common = re.sub(r"^blk\.\d+\.", "blk.*.", name)
            if common in fixed and fixed[common] != shape or common == name:
                common = name
            if fixed.get(common) == shape:
                return None
            fixed[common] = shape
            lines = lines + [f"shape {common} " + " ".join(shape)]
            continue
        m = (re.search(r"missing tensor '([^']+)'", said) or
             re.search(r"tensor '([^']+)' not found", said))
        if state == "no" and m:
            name = m.group(1)
            tail = re.sub(r"^blk\.\d+\.", "", name)
            like = [t for t in tensors if re.sub(r"^blk\.\d+\.", "", t) == tail]
            if not like or name in fixed:
                return None
            fixed[name] = ["copied"]
            lines = lines + [f"copy {like[0]} {name}"]
            continue
        if os.environ.get("SEEK_WHY"):
            why = [l for l in said.splitlines() if " E " in l or "ASSERT" in l or "what()" in l or state == "ghost"]
            print(source, lines[:6], len(lines), why[:2], file=sys.stderr)
        return None
    return None

def settle_spec(plimsoll, fit, spec, path):
    """A recipe from a spec: its lines, and "layers N [L...]" for that many, copies of the file's layers (L),
    "quantise TYPE" for every matrix whose rows allow it; then the shapes that the engine asks for."""
    keys, tensors = header(path)
    arch = keys["general.architecture"]
    last = keys[arch + ".block_count"]
    lines, quantise, block = [], None, 256
    for line in open(spec):
        words = line.split("#")[0].split()
        if words[:1] == ["layers"]:
            lines.append(f"set {arch}.block_count {words[1]}")
            of = words[2:] or [str(i) for i in range(last)]
            lines += [f"copy blk.{of[i % len(of)]}. blk.{i}." for i in range(last, int(words[1]))]
        elif words[:1] == ["quantise"]:
            quantise, block = words[1], 32 if words[1].endswith(("_0", "_1")) else 256
        elif words:
            lines.append(" ".join(words))
    embedding = next(l.split()[2] for l in lines if l.startswith(f"set {arch}.embedding_length "))
    lines += vocabulary(arch, lines, embedding, tensors)
    with tempfile.TemporaryDirectory() as tmp:
        out = os.path.join(tmp, "m.gguf")
        os.environ["SEEK_WHY"] = "1"
        done = settle(plimsoll, fit, path, lines, tensors, out)
        if done is None:
            sys.exit(1)
        if quantise:
            names = {re.sub(r"^blk\.\d+\.", "blk.*.", n): s for n, s in header(out)[1].items()}
            for n, shape in names.items():
                if len(shape) > 1 and shape[0] % block == 0 and shape[1] > 8 and "conv" not in n and \
                        "ssm_a" not in n and "ssm_d" not in n and "ffn_gate_inp" not in n:
                    done.append(f"type {n} {quantise}")
            state, said = attempt(plimsoll, fit, path, done, out)
            if state != "ok":
                sys.exit(said)
    print("# " + os.path.basename(path)[:-5])
    print("\n".join(done))

def main():
    if "--settle" in sys.argv:
        settle_spec(sys.argv[1], sys.argv[2].split(), sys.argv[4], sys.argv[5])
        return
    plimsoll, fit, files = sys.argv[1], sys.argv[2].split(), sys.argv[3:]
    print("# base\tnumber\tedits, joined by ';': applied by `plimsoll ghost --edit` (seek_mutations.py)")
    with tempfile.TemporaryDirectory() as tmp:
        out = os.path.join(tmp, "m.gguf")
        for path in files:
            base = os.path.basename(path)[:-5]
            keys, tensors = header(path)
            arch = keys["general.architecture"]
            found, seen = 0, set()
            for seed in range(60):
                rng = random.Random(f"{base} {seed}")
                lines = choose(rng, arch, keys, tensors)
                if not lines or tuple(lines) in seen:
                    continue
                seen.add(tuple(lines))
                done = settle(plimsoll, fit, path, lines, tensors, out)
                if done is None:
                    continue
                found += 1
                print(f"{base}\t{found}\t" + ";".join(done), flush=True)
                if found == PER_FILE:
                    break
            if found < PER_FILE:
                print(f"{base}: only {found} accepted", file=sys.stderr, flush=True)

main()
