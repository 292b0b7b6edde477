#!/bin/bash
# What others have configured, as a stack file: llama-swap's configuration and lists of Ollama.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
ok "a small model" "$PLIMSOLL" ghost qwen2.5-0.5b:q4_k_m -o "$T/a b.gguf"
cat >"$T/swap.yaml" <<END
healthCheckTimeout: 60
macros:
  server: /usr/bin/llama-server --port \${PORT}
  big: "-c 8192"
models:
  "qwen:0.5b":
    cmd: |
      \${server}
      # a comment
      -m '$T/a b.gguf' \\
      \${big} -np 4 --host 127.0.0.1 -ctk q8_0 --cache-ram 0
  second:
    cmd: llama-server -hf someone/Some-GGUF:Q4_K_M --no-such-flag
  other:
    cmd: vllm serve something
groups:
  pair: {swap: true, members: ["second"]}
hooks: {on_startup: {preload: ["qwen:0.5b"]}}
END
run "$PLIMSOLL" plan --import "$T/swap.yaml"
is "llama-swap: exit 0" "$status" 0
printf '%s\n' "$out" >"$T/stack.yaml"
run "$PLIMSOLL" config show "$T/stack.yaml"
is "llama-swap: it is a stack file" "$status" 0
s=$(cat "$T/stack.yaml")
like "llama-swap: its model, a name with a blank" "$s" "model: \"$T/a b.gguf\""
like "llama-swap: context of a slot" "$s" '^    context: 2048'
like "llama-swap: slots" "$s" '^    slots: 4'
like "llama-swap: other flags" "$s" 'flags: \["-ctk", "q8_0", "--cache-ram", "0"\]'
like "llama-swap: loaded at the start" "$s" 'tier: \[hot, warm\]'
like "llama-swap: a group" "$s" 'group: "pair"'
like "llama-swap: a repository" "$s" 'model: "hf:someone/Some-GGUF:Q4_K_M"'
like "llama-swap: what is not understood is said" "$s" '# --no-such-flag'
like "llama-swap: what is not llama-server is said" "$s" '# other is left out'
cat >"$T/machine.json" <<'END'
{"schema": "plimsoll.assess/1", "pools": [
 {"pool": "ram", "kind": "host", "capacity": 16000000000, "available": 14000000000}]}
END
sed '/^  second:/,$d' "$T/stack.yaml" | sed 's/^    priority: 1/    priority: 1\n    min_decode: 0/' >"$T/one.yaml"
run "$PLIMSOLL" plan "$T/one.yaml" --machine "$T/machine.json" --json
is "llama-swap: it plans" "$status $(jq -r '.components | keys[0]' <<<"$out")" "0 qwen-0-5b"
# there and back
run "$PLIMSOLL" plan "$T/one.yaml" --machine "$T/machine.json" --emit llama-swap -o "$T"
run "$PLIMSOLL" plan --import "$T/llama-swap.yaml"
is "there and back: exit 0" "$status" 0
like "there and back: the model" "$out" "model: \"$T/a b.gguf\""
like "there and back: the slots" "$out" '^    slots: 4'

printf 'NAME               ID              SIZE      MODIFIED\nqwen3:8b           500a1f067a9f    5.2 GB    3 days ago\nuser/own:latest    365c0bd3c000    2.0 GB    2 weeks ago\n' >"$T/list"
run "$PLIMSOLL" plan --import "$T/list"
is "ollama list: exit 0" "$status" 0
like "ollama list: the names" "$(tr '\n' ' ' <<<"$out")" 'model: "ollama:qwen3:8b".*model: "ollama:user/own:latest"'
mkdir -p "$T/ollama/manifests/registry.ollama.ai/library/tiny" "$T/ollama/blobs"
sum=$(sha256sum <"$T/a b.gguf" | cut -d' ' -f1)
cp --sparse=always "$T/a b.gguf" "$T/ollama/blobs/sha256-$sum"
printf '{"schemaVersion":2,"layers":[{"mediaType":"application/vnd.ollama.image.model","digest":"sha256:%s","size":%s}]}' \
    "$sum" "$(stat -c %s "$T/a b.gguf")" >"$T/ollama/manifests/registry.ollama.ai/library/tiny/latest"
run env OLLAMA_MODELS="$T/ollama" "$PLIMSOLL" plan --import ollama
is "Ollama's store: exit 0" "$status" 0
like "Ollama's store: the model" "$out" 'model: "ollama:tiny'

refused() { # NAME TEXT REGEX
    printf '%b' "$2" >"$T/bad"
    run "$PLIMSOLL" plan --import "$T/bad"
    is "$1: exit 2, nothing printed" "$status $out" "2 "
    like "$1: one line that says why" "$err" "$3"
}
refused "neither" 'a: 1\n' 'neither a configuration of llama-swap nor'
refused "no command" 'models: {x: {ttl: 3}}\n' "1:13.*: models.x: 'cmd' is missing"
refused "an open quote" "models: {x: {cmd: \"llama-server 'x\"}}\n" 'a quote is not closed'
refused "nothing of llama-server" 'models: {x: {cmd: vllm serve}}\n' 'none of the models is of llama-server'
refused "a list without models" 'NAME ID SIZE MODIFIED\n' 'the list names no model'
refused "a hostile name in a list" 'NAME ID SIZE\n$(reboot)/../x ID\n' 'no name of a model'
# shapes that no llama-swap writes are read over, not stumbled over
printf 'models: {a: {cmd: llama-server -m a.gguf}, b: {cmd: llama-server -m b.gguf}}\ngroups: {g: {swap: {x: 1}, members: [a]}, h: [b]}\n' >"$T/odd"
run "$PLIMSOLL" plan --import "$T/odd"
is "odd shapes of groups: exit 0" "$status" 0
printf 'models: {a: {cmd: llama-server -m a.gguf}}\ngroups:\n  - {members: [a]}\n' >"$T/odd"
run "$PLIMSOLL" plan --import "$T/odd"
is "a list of groups: exit 0" "$status" 0
# one group stays one, whatever its members are called
printf 'models: {a: {cmd: llama-server -m a.gguf}, big: {cmd: llama-server -m b.gguf}}\ngroups: {big: {swap: true, members: [a, big]}}\n' >"$T/same"
run "$PLIMSOLL" plan --import "$T/same"
is "a group named as a model: one group" "$(grep -c 'group: "big"' <<<"$out")" 2
# characters that YAML takes for line ends, and terminals for commands, slip nothing in
printf 'models:\n  "v\\u2028components: {evil: {}}\\u0085x\\u009b31m": {cmd: vllm}\n  b: {cmd: "llama-server -m b.gguf --odd\\u2029flag"}\n' >"$T/breaks"
run "$PLIMSOLL" plan --import "$T/breaks"
is "line ends in names: exit 0" "$status" 0
is "line ends in names: none is left" "$(grep -cP '\x{85}|\x{9b}|\x{2028}|\x{2029}' <<<"$out")" 0
# braces without end cost no time worth speaking of
{ printf 'models: {x: {cmd: "llama-server -m x.gguf '; head -c 400000 /dev/zero | sed 's/\x0/${/g'; printf '"}}\n'; } >"$T/braces"
run timeout 60 "$PLIMSOLL" plan --import "$T/braces"
is "braces without end: an answer" "$status" 2

run "$PLIMSOLL" plan
is "neither a stack nor an import: exit 2" "$status" 2
done_testing
