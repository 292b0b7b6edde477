#!/bin/bash
# plimsoll pull: what is decided before anything is fetched, where it goes, what comes of servers that
# behave and of those that do not. Every file that got its name is compared with the server's own.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../remote/lib.sh"
hub=hub/org/Smol-GGUF
mkdir -p "$web/$hub" "$web/hub/cdn/Smol-GGUF" "$web/hub/gated/Secret-GGUF"
ghost() { # QUANT FILE
    "$PLIMSOLL" ghost "smollm2-135m:$1" -o "$web/$2" >/dev/null || exit 99
}
ghost q8_0 $hub/Smol-Q8_0.gguf
ghost q4_k_m $hub/Smol-Q4_K_M.gguf
ghost q2_k $hub/Smol-Q2_K.gguf
# the bytes are no zeros, so that a piece in the wrong place is seen
head -c 20000000 /dev/urandom | dd of="$web/$hub/Smol-Q8_0.gguf" bs=1M seek=30 conv=notrunc status=none
head -c 20000000 /dev/urandom | dd of="$web/$hub/Smol-Q4_K_M.gguf" bs=1M seek=30 conv=notrunc status=none
gguf $hub/mmproj-Smol-F16.gguf 105
ln "$web/$hub/Smol-Q8_0.gguf" "$web/hub/cdn/Smol-GGUF/Smol-Q8_0.gguf"
mkdir -p "$web/hub/mirror/Smol-GGUF"
ln "$web/$hub/Smol-Q8_0.gguf" "$web/hub/mirror/Smol-GGUF/Smol-Q8_0.gguf"
ln "$web/$hub/Smol-Q4_K_M.gguf" "$web/hub/gated/Secret-GGUF/Secret-Q4_K_M.gguf"
ln "$web/$hub/Smol-Q8_0.gguf" "$web/big.gguf"
for i in 0 1 2; do
    gguf hub/org/Parts-GGUF/Parts-Q4_0-0000$((i + 1))-of-00003.gguf 100 $i 3
done
free_kb=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo)
mkdir -p "$web/hub/org/Large-GGUF"
"$PLIMSOLL" ghost qwen2.5-32b:f16 -o "$web/hub/org/Large-GGUF/Large-F16.gguf" >/dev/null || exit 99
entry() { printf '{"type":"file","path":"Large-%s.gguf","size":%s}' "$1" "$2"; }
echo "[$(entry F16 "$(stat -c %s "$web/hub/org/Large-GGUF/Large-F16.gguf")"),$(entry Q2_K 12313099136),$(
    entry Q4_K_M 19851336256),$(entry BF16 65535970656),$(entry Q3_K_S-00001-of-00002 8000000000),$(
    entry Q3_K_S-00002-of-00002 6392330176)]" >"$web/hub/org/Large-GGUF/listing.json"
start_server
export HF_ENDPOINT=$at PLIMSOLL_OLLAMA_REGISTRY=$at HF_HUB_CACHE=$T/hub OLLAMA_MODELS=$T/ollama
export PLIMSOLL_MODELS=$T/models
python=$(command -v python3)
valid_lines() { # every line of $out is of the schema
    local n=0 line
    while read -r line; do
        n=$((n + 1))
        printf '%s\n' "$line" >"$T/line"
        "$python" "$PLIMSOLL_SOURCE/tests/cli/validate.py" "$PLIMSOLL_SOURCE/data/schema/pull.json" "$T/line"
        case $? in 0 | 77) ;; *) return 1 ;; esac
    done <<<"$out"
    [ $n -gt 0 ]
}
# pull ARGUMENTS...: without the engine's test, soon tired of failures
pull() {
    : >"$log"
    run timeout 100 "$PLIMSOLL" pull "$@" --no-test
    settled
}
parts() { find "$T" -path "$web" -prune -o \( -name '*.part' -o -name '*.state*' \) -print; }

# --- the plan
pull hf:org/Smol-GGUF:q8_0 --dry-run
is "dry run: exit 0" "$status" 0
like "dry run: the file, its length, its hash" "$out" 'Smol-Q8_0.gguf  [0-9.]+ MiB, SHA-256 published'
like "dry run: the licence" "$out" 'licence +apache-2.0'
like "dry run: the disk" "$out" 'disk +[0-9.]+ MiB to come, .* free'
like "dry run: the memory" "$out" 'memory +safe, context 4096'
like "dry run: the projector is offered" "$out" 'mmproj-Smol-F16.gguf .*--mmproj'
like "dry run: the place" "$out" "to +$T/hub/models--org--Smol-GGUF"
not_ok "dry run: nothing was written" test -e "$T/hub"
unlike "dry run: only the header was fetched" "$(cat "$log")" ' 206 [0-9]{8,} '
pull hf:org/Smol-GGUF:q8_0 --dry-run --json
is "dry run, JSON: one line" "$(wc -l <<<"$out")" 1
ok "dry run, JSON: of its schema" valid_lines
size=$(stat -c %s "$web/$hub/Smol-Q8_0.gguf")
like "dry run, JSON: the bytes to come" "$out" "\"bytes\":$size,\"disk\""

# --- what does not fit
pull hf:org/Smol-GGUF:q8_0 -c 99999999 -np 64
is "too big for the memory: exit 1" "$status" 1
like "too big: said" "$err" '^plimsoll: not fetched: .*(short|needs)'
not_ok "too big: nothing was written" test -e "$T/hub"
# of a repository with smaller ones, those that would fit are named; lengths as published
if [ "$free_kb" -gt 16000000 ] && [ "$free_kb" -lt 55000000 ]; then
    pull hf:org/Large-GGUF:f16
    is "too big, smaller ones there: exit 1" "$status" 1
    like "too big: which would fit" "$err" 'hint: these would: .*Q2_K \(11.4[0-9]* GiB, '
    unlike "too big: none larger" "$err" 'F32|BF16'
    pull hf:org/Large-GGUF:f16 --dry-run --json
    ok "too big, JSON: of its schema" valid_lines
    like "too big, JSON: which would fit" "$out" '"would_fit":\[\{"quant":"Q[0-9]'
else
    skip "too big: which would fit" "$free_kb KiB of memory are available: the test wants 16 to 55 GB"
fi
if mkdir "$T/small" && mount -t tmpfs -o size=8m none "$T/small" 2>/dev/null; then
    trap 'kill $server 2>/dev/null; umount "$T/small" 2>/dev/null; rm -rf "$T"' EXIT
    pull hf:org/Smol-GGUF:q8_0 --dir "$T/small/models"
    is "too big for the disk: exit 1" "$status" 1
    like "too big for the disk: said" "$err" "^plimsoll: $T/small/models: not fetched: the disk has .* free"
    is "too big for the disk: nothing was written" "$(find "$T/small" -type f)" ""
else
    skip "too big for the disk" "no right to mount"
fi

# --- into the hub's cache
pull hf:org/Smol-GGUF:q8_0 --json
is "pull: exit 0" "$status" 0
ok "pull, JSON: every line of its schema" valid_lines
like "pull: at last" "$(tail -n 1 <<<"$out")" '"event":"done".*"verified":true'
repo=$T/hub/models--org--Smol-GGUF
commit=$(cat "$repo/refs/main")
link=$repo/snapshots/$commit/Smol-Q8_0.gguf
ok "pull: the snapshot has it" cmp "$link" "$web/$hub/Smol-Q8_0.gguf"
is "pull: a link to the blob of its hash" "$(readlink "$link")" \
    "../../blobs/$(sha256sum "$web/$hub/Smol-Q8_0.gguf" | cut -d ' ' -f 1)"
is "pull: nothing is left" "$(parts)" ""
pull hf:org/Smol-GGUF:q8_0 --quiet
is "again: exit 0" "$status" 0
is "again: the path" "$out" "$link"
unlike "again: not fetched" "$(cat "$log")" ' 206 [0-9]{8,} '
like "the stores list it" "$("$PLIMSOLL" models --local)" '^hf:org/Smol-GGUF:Q8_0 +huggingface'
pull hf:org/Smol-GGUF:q8_0 --quiet --offline
is "again, offline: the path" "$out" "$link"
is "again, offline: no request" "$(wc -l <"$log")" 0
run "$PLIMSOLL" inspect hf:org/Smol-GGUF:q8_0 --offline
like "it is used from there" "$out" "$link"
pull cdn/Smol-GGUF:q8_0
is "the same hash under another name: exit 0" "$status" 0
like "the same hash: named" "$out" 'here already: .*models--org--Smol-GGUF'
unlike "the same hash: not fetched" "$(cat "$log")" ' 206 [0-9]{8,} '
rm -rf "$T/hub"
pull cdn/Smol-GGUF:q8_0
is "a CDN whose links run out: exit 0" "$status" 0
ok "a CDN: right" cmp "$T"/hub/models--cdn--Smol-GGUF/snapshots/*/Smol-Q8_0.gguf "$web/big.gguf"
rm -rf "$T/hub"
pull hf:org/Smol-GGUF:q4_k_m --mmproj
ok "the projector too" cmp "$T"/hub/models--org--Smol-GGUF/snapshots/*/mmproj-Smol-F16.gguf \
    "$web/$hub/mmproj-Smol-F16.gguf"
pull org/Parts-GGUF
is "a split model: exit 0" "$status" 0
is "a split model: its parts" "$(find "$T/hub/models--org--Parts-GGUF/snapshots" -type l | wc -l)" 3
pull org/Parts-GGUF --dir "$T/parts"
is "a split model, a folder: exit 0" "$status" 0
like "a split model: here already" "$out" 'here already'
pull "$at/plain/hub/org/Parts-GGUF/Parts-Q4_0-00001-of-00003.gguf" --dir "$T/parts"
is "a split model by its address: its parts" "$(ls "$T/parts" | wc -l)" 3
pull org/Parts-GGUF -o "$T/one.gguf"
is "a split model and -o: exit 2" "$status" 2
pull hf:gated/Secret-GGUF
is "gated: exit 4" "$status" 4
like "gated: how to get access" "$err" 'hint: accept the terms .* HF_TOKEN'
HF_TOKEN=hf_SECRETTOKEN pull hf:gated/Secret-GGUF --dry-run
like "gated, with the token: said" "$out" 'gated: its owner lets in'
unlike "gated: the token is in no text" "$out$err" SECRETTOKEN
HF_TOKEN=hf_SECRETTOKEN pull cdn/Smol-GGUF:q8_0 --dir "$T/token"
is "the token does not follow to another host" "$status" 0
HF_TOKEN=hf_SECRETTOKEN pull mirror/Smol-GGUF:q8_0 --dir "$T/mirror"
is "a redirect within the host, which wants the token again: exit 0" "$status" 0
ok "a redirect within the host: right" cmp "$T/mirror/Smol-Q8_0.gguf" "$web/big.gguf"
unlike "a redirect within the host: nobody was asked without the token" "$(cat "$log")" ' 401 '

# --- Ollama
mkdir -p "$web/blobs" "$web/registry/library/far"
digest() { sha256sum "$1" | cut -d ' ' -f 1; }
ln "$web/$hub/Smol-Q2_K.gguf" "$web/blobs/sha256-$(digest "$web/$hub/Smol-Q2_K.gguf")"
printf '{"a":1}' >"$T/config"
cp "$T/config" "$web/blobs/sha256-$(digest "$T/config")"
printf 'MIT\n' >"$T/licence"
cp "$T/licence" "$web/blobs/sha256-$(digest "$T/licence")"
cat >"$web/registry/library/far/latest" <<END
{"schemaVersion":2,"config":{"mediaType":"application/vnd.docker.container.image.v1+json",
"digest":"sha256:$(digest "$T/config")","size":7},"layers":[{"mediaType":"application/vnd.ollama.image.license",
"digest":"sha256:$(digest "$T/licence")","size":4},{"mediaType":"application/vnd.ollama.image.license",
"digest":"sha256:$(digest "$T/licence")","size":4},{"mediaType":"application/vnd.ollama.image.model",
"digest":"sha256:$(digest "$web/$hub/Smol-Q2_K.gguf")","size":$(stat -c %s "$web/$hub/Smol-Q2_K.gguf")}]}
END
pull ollama:far
is "Ollama: exit 0" "$status" 0
ok "Ollama: its manifest" cmp "$T/ollama/manifests/registry.ollama.ai/library/far/latest" \
    "$web/registry/library/far/latest"
is "Ollama: its blobs, one that is named twice once" "$(ls "$T/ollama/blobs" | wc -l)" 3
like "Ollama: the stores list it" "$("$PLIMSOLL" models --local)" '^ollama:far:latest +ollama'
rm -rf "$T/ollama"
pull ollama:far --dir "$T/plain"
ok "Ollama, to a folder: a file with a name" cmp "$T/plain/far-latest.gguf" "$web/$hub/Smol-Q2_K.gguf"

# --- the catalogue
mkdir -p "$web/hub/HuggingFaceTB/SmolLM2-135M-Instruct-GGUF" "$web/hub/HuggingFaceTB/SmolLM2-135M-Instruct"
ln "$web/$hub/Smol-Q2_K.gguf" "$web/hub/HuggingFaceTB/SmolLM2-135M-Instruct-GGUF/smol-q2_k.gguf"
pull smollm2-135m:q2_k --dry-run
like "the catalogue: the repository beside the row's" "$out" 'from +.*HuggingFaceTB/SmolLM2-135M-Instruct-GGUF'
pull smollm2-135m:q6_k --dry-run
is "the catalogue: no such quantisation: exit 2" "$status" 2
like "the catalogue: those there are" "$err" 'hint: there are Q2_K'
pull qwen3-8b
is "the catalogue: no repository there: exit 2" "$status" 2
like "the catalogue: which were asked" "$err" 'no GGUF files in Qwen/Qwen3-8B, in Qwen3-8B-GGUF beside it'
pull gemma-3-4b --offline
is "the catalogue, offline: exit 2" "$status" 2
like "the catalogue, offline: nothing is said of what nobody asked" "$err" 'offline, and no list'
pull qwen3-9b
is "no such model: exit 2" "$status" 2
pull "$web/big.gguf"
is "a file that is here: exit 2" "$status" 2

# --- an address, where PLIMSOLL_MODELS names no folder: never the current one
mkdir "$T/user" "$T/elsewhere"
of_user() {
    (cd "$T/elsewhere" && env -u PLIMSOLL_MODELS -u XDG_DATA_HOME HOME="$T/user" \
        timeout 100 "$PLIMSOLL" pull "$at/plain/big.gguf" --quiet --no-test)
}
is "an address: a folder of ours" "$(of_user)" "$T/user/.local/share/plimsoll/models/big.gguf"
rm -rf "$T/user/.local"
mkdir "$T/user/models"
is "an address: ~/models, where it is" "$(of_user)" "$T/user/models/big.gguf"
is "an address: nothing in the current folder" "$(ls -A "$T/elsewhere")" ""
rm -rf "$T/user"

# --- servers that behave, and those that do not: WAY EXIT WORDS-OF-OUT WORDS-OF-ERR
address() { # WAY [ARGUMENTS]
    local way=$1
    shift
    rm -rf "$T/models"
    pull "$at/$way/big.gguf" "$@"
}
whole() { cmp -s "$T/models/big.gguf" "$web/big.gguf" && [ -z "$(parts)" ]; }
while read -r way words; do
    address "$way"
    is "$way: exit 0" "$status" 0
    ok "$way: right" whole
    like "$way: said" "$out$err" "$words"
done <<'END'
plain length only: no hash is published
redirect verified +SHA-256
modified length only
noranges length only
cuts broke off; again in 1 s
errors HTTP 503
busyall fetched
rangesonce fetched
END
address expiring
is "a link that serves one request: exit 0" "$status" 0
ok "a link that serves one request: right" whole
while read -r way code words; do
    address "$way" --retries 0
    is "$way: exit $code" "$status" "$code"
    like "$way: said" "$err" "$words"
    is "$way: one error line" "$(grep -c '^plimsoll: http\|^plimsoll: /' <<<"$err")" 1
    not_ok "$way: no file has the name" test -e "$T/models/big.gguf"
done <<'END'
401 4 access refused
403 4 access refused
404 2 no such file
416 2 HTTP 416
500 4 HTTP 500
toobusy 4 asked too often
gzip 4 compresses
breaks 4 broke off
wrongtotal 4 replaced
changing 4 replaced
linkedflips 4 does not have the published SHA-256
html 2 web page
END
address linkedflips
is "a wrong hash: nothing is left" "$(parts)" ""
run "$PLIMSOLL" pull http://127.0.0.1:1/x.gguf --retries 0
is "nobody listens: exit 4" "$status" 4
pull "$at/plain/big.gguf" --offline
is "offline and not here: exit 2" "$status" 2

# --- places
pull "$at/plain/big.gguf" -o "$T/there.gguf"
ok "-o: there" cmp "$T/there.gguf" "$web/big.gguf"
pull "$at/plain/big.gguf" -o "$T/there.gguf"
like "-o: here already" "$out" 'here already'
echo mine >"$T/mine.gguf"
pull "$at/plain/big.gguf" -o "$T/mine.gguf"
is "another file is there: exit 2" "$status" 2
is "another file is there: untouched" "$(cat "$T/mine.gguf")" mine
echo mine >"$T/x.gguf.part"
pull "$at/plain/big.gguf" -o "$T/x.gguf"
is "a .part that is not ours: exit 2" "$status" 2
is "a .part that is not ours: untouched" "$(cat "$T/x.gguf.part")" mine
rm "$T/x.gguf.part"
for words in "-o a --dir b" "--connections 0" "--connections 17" "--test"; do
    # shellcheck disable=SC2086 # words
    pull "$at/plain/big.gguf" $words
    is "$words: exit 2" "$status" 2
done

# --- loaded and tested
if [ -n "${PLIMSOLL_ENGINES:-}" ] && engine llama-server >/dev/null; then
    ghost q8_0 zeros.gguf
    run timeout 150 "$PLIMSOLL" pull "$at/plain/zeros.gguf" -t 2 --json
    is "tested: exit 0" "$status" 0
    ok "tested: every line of its schema" valid_lines
    like "tested: with the engine" "$(tail -n 1 <<<"$out")" '"test":\{"engine":"llama.cpp .*"load_seconds":[0-9.]+'
    is "tested: the ledger has it" "$("$PLIMSOLL" runs --json | grep -c '"started"')" 1
else
    skip "tested" "no engines: PLIMSOLL_ENGINES names no folder"
fi
run "$PLIMSOLL" pull "$at/plain/big.gguf" -o "$T/other.gguf" --engine /nonexistent
is "the engine named is not there: exit 4" "$status" 4
done_testing
