#!/bin/bash
# Plans as files for llama-server, systemd, compose, llama-swap and Ollama: they parse where they
# are read, they start what was planned, and words from a stack file stay words.
. "$(dirname "$0")/../lib.sh"
command -v jq >/dev/null || skip_all "jq is not installed"
hostile=$T/'a "b" $(touch PWNED) `touch PWNED` $HOME; touch PWNED #%h'"'s"
mkdir "$hostile"
ok "a small model" "$PLIMSOLL" ghost qwen2.5-0.5b:q4_k_m -o "$hostile/m.gguf"
cat >"$T/machine.json" <<'END'
{"schema": "plimsoll.assess/1", "pools": [
 {"pool": "ram", "kind": "host", "capacity": 16000000000, "available": 14000000000}]}
END
cat >"$T/stack.yaml" <<END
plimsoll: 1
name: "\$\$(touch PWNED)\nExecStart=/bin/false"
components:
  llm:
    priority: 1
    context: 2048
    slots: 2
    min_decode: 0
    candidates:
      - {model: $(jq -Rc 'gsub("\\$";"$$")' <<<"$hostile/m.gguf"), flags: [--cache-ram, "0"]}
  own:
    priority: 2
    candidates:
      - name: "x\n[Service]"
        command: ["$T/serve", --port, "\${PORT}", "it's", 'a "q" \\b', "\$(touch PWNED)", "\`touch PWNED\`", "; touch PWNED", "%h %%", "\${VOICE}", "\$HOME", "# no comment"]
        footprint: {ram: {steady: 100MiB}}
  later:
    priority: 3
    tier: [warm]
    group: big
    candidates:
      - {name: w, command: ["$T/serve", --port, "\${PORT}"], footprint: {ram: {steady: 100MiB}}}
  none:
    priority: 4
    candidates:
      - {name: n, footprint: {ram: {steady: 100MiB}}}
END
emit() { run "$PLIMSOLL" plan "$T/stack.yaml" --machine "$T/machine.json" --emit "$@"; }
words() { printf '%s\0' "$@" | tr '\0\n' '\n?'; }
# what each process is to be started with
flags=$("$PLIMSOLL" plan "$T/stack.yaml" --machine "$T/machine.json" --json | jq -r .components.llm.settings.flags)
like "two slots of 2048 tokens" "$flags" '^-c 4096 -np 2 .*-cram 0$'
# shellcheck disable=SC2086 # these are words
words -m "$(realpath "$hostile")/m.gguf" --host 127.0.0.1 --port 8081 $flags >"$T/want.llm"
words --port 8082 "it's" 'a "q" \b' '$(touch PWNED)' '`touch PWNED`' '; touch PWNED' '%h %%' 'said: $(touch PWNED)' '$HOME' '# no comment' >"$T/want.own"
words --port 8083 >"$T/want.later"
export VOICE='said: $(touch PWNED)'
cat >"$T/serve" <<END
#!/bin/bash
port= previous=
for word; do [ "\$previous" = --port ] && port=\$word; previous=\$word; done
printf '%s\0' "\$@" | tr '\0\n' '\n?' >"$T/got.\$port"
END
mkdir "$T/bin"
printf '#!/bin/sh\ncase "$*" in *:8081/*) f=8081 ;; *:8082/*) f=8082 ;; *) f=8083 ;; esac\n[ -e "%s/got.$f" ]\n' "$T" >"$T/bin/curl"
chmod +x "$T/serve" "$T/bin/curl"

emit llama-server -o "$T/sh"
is "a script: exit 0, its path" "$status $out" "0 $T/sh/up.sh"
ok "a script: a shell reads it" sh -n "$T/sh/up.sh"
if command -v shellcheck >/dev/null; then
    # single quotes around what looks like a variable are meant
    ok "a script: shellcheck" shellcheck -e SC2016 "$T/sh/up.sh"
else
    skip "a script: shellcheck" "shellcheck is not installed"
fi
(cd "$T/sh" && PATH=$T/bin:$PATH LLAMA_SERVER=$T/serve timeout 60 ./up.sh && PATH=$T/bin:$PATH timeout 60 ./up.sh later) >"$T/up.out" 2>&1
is "a script: started in order" "$(cat "$T/up.out")" $'llm answers on port 8081\nown answers on port 8082\nlater answers on port 8083'
for name in llm:8081 own:8082 later:8083; do
    ok "a script: words of ${name%:*} as they are" cmp "$T/got.${name#*:}" "$T/want.${name%:*}"
done
is "nothing was run but what was planned" "$(find "$T" -name PWNED | head -n 1)" ""
emit llama-server -o "$T/sh"
is "files are kept: exit 2" "$status" 2
emit llama-server -o "$T/sh" --force
is "unless --force" "$status" 0
like "what has no command is said" "$(head -n 3 "$T/sh/up.sh")" '^# .*Not here, as they have no command: none'

emit systemd -o "$T/units"
is "units: exit 0" "$status" 0
if command -v systemd-analyze >/dev/null && command -v curl >/dev/null; then
    mkdir "$T/verify"
    cp "$T"/units/* "$T/verify"
    text=$(systemd-analyze verify --man=no "$T"/verify/*.target "$T"/verify/*.service 2>&1 | grep -F "$T/verify")
    is "units: systemd-analyze verify has nothing to say of them" "$text" ""
else
    skip "units: systemd-analyze verify" "it is not installed"
fi
unit=$(cat "$T"/units/*-own.service)
ok "units: quoted as systemd reads it" grep -qF '"it'"'"'s" "a \"q\" \\b" "$$(touch PWNED)"' "$T"/units/*-own.service
like "units: specifiers are plain" "$unit" '"%%h %%%%" "\$\{VOICE\}" "\$\$HOME"'
like "units: known again by the stack's name" "$unit" '^Environment=PLIMSOLL_STACK=touch-pwned-execstart-bin-false PLIMSOLL_COMPONENT=own$'
is "units: one start, nothing slipped in" "$(grep -c '^ExecStart=' <<<"$unit") $(grep -c '^\[Service\]' <<<"$unit")" "1 1"
like "units: in the order of the plan" "$unit" '^After=plimsoll-.*-llm.service'
like "units: a limit and no swap" "$unit" '^MemorySwapMax=0'

emit compose -o "$T/compose"
is "compose: exit 0" "$status" 0
# composed: what docker compose reads, as JSON; version 1, Debian's, has only YAML, writes ports as one word
# and knows no name of a project in the file
composed() {
    # the images that have no default
    export PLIMSOLL_OWN_IMAGE=own PLIMSOLL_LATER_IMAGE=later
    if docker compose version >/dev/null 2>&1; then
        docker compose -f "$T/compose/compose.yaml" --profile on-demand config --format json
    else
        sed '/^name:/d' "$T/compose/compose.yaml" >"$T/compose/v1.yaml"
        docker-compose -f "$T/compose/v1.yaml" --profile on-demand config >"$T/composed.yaml" || return 1
        python3 -c 'import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))' <"$T/composed.yaml" |
            jq '.services[].ports[]? |= if type == "string" then {host_ip: split(":")[0]} else . end'
    fi
}
if docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null; then
    run composed
    is "compose: docker compose reads it" "$status" 0
    diag "$err"
    # its output is itself a file for compose: "$$" is a dollar sign
    jq -r '.services.own.command[1:] | map(gsub("\\$\\$"; "$"))[] | gsub("\n"; "?")' <<<"$out" >"$T/got"
    tail -n +1 "$T/want.own" >"$T/want"
    ok "compose: the words as they are" cmp "$T/got" "$T/want"
    is "compose: in the order of the plan" "$(jq -r '.services.own.depends_on | keys[]' <<<"$out")" llm
    is "compose: only on loopback" "$(jq -c '[.services[].ports[].host_ip] | unique' <<<"$out")" '["127.0.0.1"]'
else
    skip "compose: docker compose config" "neither docker compose nor docker-compose is there"
fi
emit llama-swap -o "$T/swap"
is "llama-swap: a word it has no way to say is an error" "$status $([[ $err == *'has no way to say'* ]] && echo said)" "0 "
if python3 -c 'import yaml' 2>/dev/null; then
    python3 - "$T/swap/llama-swap.yaml" >"$T/got" <<'END'
import os, re, shlex, sys, yaml
d = yaml.safe_load(open(sys.argv[1]))
cmd = d["models"]["own"]["cmd"].replace("${env.VOICE}", os.environ["VOICE"])
print("\n".join(shlex.split(cmd)[1:]))
assert d["groups"]["resident"]["members"] == ["llm", "own"], d
assert d["groups"]["big"]["swap"] and d["groups"]["big"]["members"] == ["later"], d
END
    is "llama-swap: groups as planned" "$?" 0
    ok "llama-swap: the words as they are" cmp "$T/got" "$T/want.own"
else
    skip "llama-swap: the words as they are" "no YAML for python3"
fi
emit ollama -o "$T/ollama"
is "ollama: exit 0" "$status" 0
is "ollama: its model" "$(cat "$T/ollama/Modelfile.llm" 2>/dev/null | head -n 2)" "FROM $(realpath "$hostile")/m.gguf
PARAMETER num_ctx 2048"
ok "ollama: a shell reads it" sh -n "$T/ollama/up.sh"

# files that flags name are whole paths, and seen from inside a container
mkdir "$T/other" "$T/main"
cp --sparse=always "$hostile/m.gguf" "$T/main/m.gguf"
cp --sparse=always "$hostile/m.gguf" "$T/other/draft.gguf"
cat >"$T/files.yaml" <<END
plimsoll: 1
components:
  whole: {min_decode: 0, context: 512, candidates: [{model: main/m.gguf, flags: [-md, other/draft.gguf]}]}
END
(cd "$T" && "$PLIMSOLL" plan files.yaml --machine machine.json --emit compose -o files >/dev/null && "$PLIMSOLL" plan files.yaml --machine machine.json --emit llama-server -o files >/dev/null)
like "a draft: its whole path in the script" "$(cat "$T/files/up.sh" 2>/dev/null)" " -md $(realpath "$T")/other/draft.gguf"
like "a draft: its folder in the container" "$(tr '\n' ' ' <"$T/files/compose.yaml")" "source: \"$(realpath "$T")/other/\" +target: /models2 "
like "a draft: its path there" "$(cat "$T/files/compose.yaml")" '^ +- "/models2/draft.gguf"$'
cat >"$T/odd.yaml" <<'END'
plimsoll: 1
components:
  odd: {candidates: [{name: o, command: ["A=b", x], footprint: {ram: {steady: 1MiB}}}]}
END
for kind in llama-server systemd; do
    run "$PLIMSOLL" plan "$T/odd.yaml" --machine "$T/machine.json" --emit "$kind"
    is "$kind: a program that would be a variable: exit 2" "$status" 2
    like "$kind: and says so" "$err" 'no name of a program'
done

"$PLIMSOLL" plan "$T/stack.yaml" --machine "$T/machine.json" --html "$T/plan.html" >/dev/null
is "a page: complete" "$(tail -n 1 "$T/plan.html")" "</body></html>"
not_ok "a page: nothing from elsewhere" grep -E 'src=|href=|url\(|@import|<script' "$T/plan.html"
not_ok "a page: names stay text" grep -F '[Service]"' "$T/plan.html"
run "$PLIMSOLL" plan "$T/stack.yaml" --machine "$T/machine.json" --markdown
like "Markdown: the columns" "$out" '^\| component \| model and configuration \| allocated \| actual \| status \|$'
run "$PLIMSOLL" plan "$T/stack.yaml" --machine "$T/machine.json" --emit nothing
is "another kind: exit 2" "$status" 2
done_testing
