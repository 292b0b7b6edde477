#!/usr/bin/env python3
"""Every key of a stack file, given wrongly in every way its type knows.

    key_errors.py PLIMSOLL SCHEMA

Walks the JSON Schema of stack files. Each file that comes out must be refused with exit status 2, one
line that names file, line, column and the key, and for a misspelt key the right one as a hint.
Prints TAP."""
import copy, json, os, re, subprocess, sys, tempfile

plimsoll, schema = sys.argv[1], json.load(open(sys.argv[2]))
GOOD = {"plimsoll": 1, "components": {"a": {"candidates": [{"footprint": {"ram": {"steady": "1MiB"}}}]}}}
n = failed = 0


def result(ok, name, why=""):
    global n, failed
    n += 1
    failed += not ok
    print(f"{'ok' if ok else 'not ok'} {n} - {name}")
    if not ok:
        print("# " + why.replace("\n", "\n# "))


def run(doc, text=None):
    path = os.path.join(T, "s.yaml")
    with open(path, "w") as f:
        f.write(json.dumps(doc, indent=1) if text is None else text)
    return subprocess.run([plimsoll, "config", "show", path], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)


def refused(name, doc, what, hint=None, text=None):
    r = run(doc, text)
    ok = r.returncode == 2 and re.search(r"^plimsoll: \S+s\.yaml:\d+:\d+: [^\n]*" + what, r.stderr) and \
        (hint is None or re.search(r"^hint: .*" + hint, r.stderr, re.M)) and r.stderr.count("\n") <= 2
    result(bool(ok), name, f"exit {r.returncode}: {r.stderr}")


def put(doc, path, value):
    """Sets a value in a copy; NAME in the path is a name, 0 the first of a list."""
    doc = copy.deepcopy(doc)
    at = doc
    for i, p in enumerate(path[:-1]):
        nxt = [] if path[i + 1] == 0 else {}
        if p == 0:
            if not at:
                at.append({})
            at = at[0]
        else:
            at = at.setdefault(p, nxt)
    if path[-1] == 0:
        at.append(value)
    else:
        at[path[-1]] = value
    return doc


def check_key(path, forms):
    key, name = path[-1], ".".join(str(p) for p in path)
    kinds = [f for f in forms if not (f.get("type") == "null" or "${" in json.dumps(f).replace("\\\\", ""))]
    kinds = [f for f in kinds if "A-Za-z_][A-Za-z0-9_]*(:-" not in f.get("pattern", "")]
    scalar = any(f.get("type") in ("string", "integer", "number", "boolean") or "enum" in f for f in kinds)
    listed = any(f.get("type") == "array" for f in kinds)
    mapped = any(f.get("type") == "object" for f in kinds)
    if not scalar:
        refused(f"{name}: a single value where none belongs", put(GOOD, path, "word"), key)
    if not listed:
        refused(f"{name}: a list where none belongs", put(GOOD, path, ["1"]), key)
    if not mapped:
        refused(f"{name}: a map where none belongs", put(GOOD, path, {"x": 1}), key)
    number = next((f for f in kinds if f.get("type") in ("integer", "number")), None)
    text = any(f.get("type") == "string" and "pattern" not in f for f in kinds)
    if number and not text:
        refused(f"{name}: no number", put(GOOD, path, "many"), key)
        refused(f"{name}: negative", put(GOOD, path, -1), key)
        if number.get("minimum", 0) > 0:
            refused(f"{name}: below its range", put(GOOD, path, number["minimum"] - 1), key)
        if "maximum" in number:
            refused(f"{name}: above its range", put(GOOD, path, number["maximum"] + 1), key)
    if any("[KMGT]" in f.get("pattern", "") for f in kinds):
        refused(f"{name}: a unit nobody knows", put(GOOD, path, "5 parsecs"), key)
        refused(f"{name}: an ambiguous unit", put(GOOD, path, "5G"), key, "GiB")
    if any("us|ms|s" in f.get("pattern", "") for f in kinds):
        refused(f"{name}: a time without its unit", put(GOOD, path, 500), key, "500ms")
    if any(f.get("pattern", "").startswith("^[A-Za-z0-9_][") for f in kinds):
        refused(f"{name}: no name", put(GOOD, path, "../evil"), key)
    for f in kinds:
        if "enum" in f:
            refused(f"{name}: none of the words", put(GOOD, path, f["enum"][0] + "x"), key, f["enum"][0])
    if {"type": "boolean"} in kinds:
        refused(f"{name}: neither true nor false", put(GOOD, path, "perhaps"), key)
    if text:
        refused(f"{name}: an empty text", put(GOOD, path, ""), key)
    refused(f"{name}: misspelt", put(GOOD, path[:-1] + [key + "q"], 1), f"unknown key '{key}q'",
            f"did you mean '{key}'")


def walk(path, s):
    for key, row in s.get("properties", {}).items():
        forms = row["anyOf"]
        if key != "plimsoll":
            check_key(path + [key], forms)
        for f in forms:
            if f.get("type") == "object" and "properties" in f and key != "environments":
                walk(path + [key], f)
            extra = f.get("additionalProperties")
            if isinstance(extra, dict) and "properties" in extra and key != "environments":
                refused(f"{'.'.join(map(str, path + [key]))}: a name that is none", put(GOOD, path + [key, "a b"], {}), "a b")
                walk(path + [key, "a"], extra)
            if f.get("type") == "array" and "properties" in f.get("items", {}):
                walk(path + [key, 0], f["items"])


def text(name, body, what, hint=None):
    refused(name, None, what, hint, body)


with tempfile.TemporaryDirectory() as T:
    r = run(GOOD)
    result(r.returncode == 0, "the file everything starts from is sound", r.stderr)
    walk([], schema)
    good = json.dumps(GOOD)[1:-1]
    text("no version", "components: {}\n", "'plimsoll' is missing", "plimsoll: 1")
    text("a version that is none", "plimsoll: one\n", "version")
    text("a newer version", "plimsoll: 2\n", "newer", "newer")
    text("no components", "plimsoll: 1\n", "'components' is missing")
    text("no candidates", "plimsoll: 1\ncomponents: {a: {}}\n", "'candidates' is missing")
    text("a candidate of nothing", "plimsoll: 1\ncomponents: {a: {candidates: [{name: x}]}}\n", "a model or a footprint", "model:")
    text("no steady", "plimsoll: 1\ncomponents: {a: {candidates: [{footprint: {ram: {peak: 1MiB}}}]}}\n", "'steady' is missing")
    text("a key twice", "plimsoll: 1\nname: a\nname: b\n", "'name' is here twice, first on line 2")
    text("no YAML", "plimsoll: [1\n", "not YAML")
    text("nothing", "# nothing\n", "nothing is in it")
    text("two documents", "plimsoll: 1\n---\nplimsoll: 1\n", "second document")
    text("a list", "- 1\n", "is missing|a map")
    text("a key that is no text", "{[1]: 2}\n", "a key must be text")
    text("a merge key", "plimsoll: 1\na: &a {}\nb: {<<: *a}\n", "merge keys")
    text("an alias of nothing", "plimsoll: *a\n", "no such anchor")
    text("an alias within itself", "plimsoll: 1\na: &a {b: *a}\n", "holds itself")
    laughs = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" if i else "a0: &a0 [x]\n" for i in range(9))
    text("a thousand million laughs", laughs, "values, aliases written out")
    text("too deep", "a: " + "[" * 60, "levels|not YAML")
    text("a control character", "plimsoll: 1\nname: a\x01b\n", "not YAML")
    text("an empty list", "plimsoll: 1\ncomponents: {a: {tier: [], candidates: [{model: x}]}}\n", "the list is empty")
    text("a tier twice", "plimsoll: 1\ncomponents: {a: {tier: [hot, hot], candidates: [{model: x}]}}\n", "'hot' is here twice")
    text("min above want", "plimsoll: 1\ncomponents: {a: {context: {min: 9, want: 8}, candidates: [{model: x}]}}\n", "min is more than want")
    text("an interval upside down", "plimsoll: 1\ncomponents: {a: {candidates: [{footprint: {ram: {steady: {bytes: 2, high: 1}}}}]}}\n", "not in order")
    text("a rung that is none", "plimsoll: 1\ncomponents: {a: {fallback: [smal], candidates: [{name: small, model: x}]}}\n", "no candidate 'smal'", "did you mean 'small'")
    text("one instance, two footprints", "plimsoll: 1\ncomponents: {a: {candidates: [{instance: x, footprint: {ram: {steady: 1}}}, {instance: x, footprint: {ram: {steady: 2}}}]}}\n", "its footprint differs from the one on line 2")
    text("an environment that is not there", "plimsoll: 1\ncomponents: {a: {candidates: [{model: x}]}}\nenvironments: {production: {inherits: producton}}\n", "there is no environment 'producton'", "production")
    text("a circle of environments", "plimsoll: 1\ncomponents: {a: {candidates: [{model: x}]}}\nenvironments: {b: {inherits: c}, c: {inherits: b}}\n", "inherits from itself")
    text("a wrong key in an environment nobody asked for", "plimsoll: 1\ncomponents: {a: {candidates: [{model: x}]}}\nenvironments: {b: {pools: {ram: {cieling: 1}}}}\n", "environments.b.pools.ram: unknown key 'cieling'", "ceiling")
    text("a variable that is not set", 'plimsoll: 1\nname: "${PLIMSOLL_NOT_SET}"\ncomponents: {a: {candidates: [{model: x}]}}\n', "PLIMSOLL_NOT_SET is not set", "default")
    text("a variable that is none", 'plimsoll: 1\nname: "${1}"\ncomponents: {a: {candidates: [{model: x}]}}\n', "a variable is")
    text("a variable whose value is wrong", 'plimsoll: 1\npools: {ram: {ceiling: "${X:-much}"}}\ncomponents: {a: {candidates: [{model: x}]}}\n', "pools.ram.ceiling")
print(f"1..{n}")
sys.exit(failed > 0)
