#!/bin/bash
# Compute buffers on one and two devices and on the host beside them, against the engine itself on
# Mesa's software GPU: models of every architecture, buffer by buffer to a hundredth of a MiB, as the
# server's log has them. A sample of files at two settings by default, at all settings with
# PLIMSOLL_FULL=1; every file too with PLIMSOLL_FULL=2, which takes half an hour. With PLIMSOLL_RESULTS=FILE a
# line is kept of every buffer, for tools/conformance-table.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/buffers.sh"

engine llama-server >/dev/null || skip_all "no engines folder (make engines)"
engine test-llama-archs >/dev/null || skip_all "the engines folder has no test-llama-archs"
software_gpu || skip_all "the engines folder has no Vulkan (tools/fetch-engines --vulkan)"

# devices, then settings
asked=(
    "1 -ngl 99 -c 32768 -np 1"
    "2 -ngl 99 -c 65536 -np 1 -ts 1,1"
)
every=9
[ "${PLIMSOLL_FULL:-0}" = 2 ] && every=1
if [ "${PLIMSOLL_FULL:-0}" -ge 1 ]; then
    asked+=(
        "1 -ngl 99 -c 65536 -np 4 -kvu -ub 64"
        "1 -ngl 99 -c 32768 -np 2 -fa off"
        "1 -ngl 2 -c 32768 -np 1"
        "1 -ngl 99 -nkvo -c 32768 -np 2"
        "1 -ngl 2 -c 32768 -np 1 --no-op-offload"
        "1 -ngl 99 -c 32768 -np 1 -ctk q8_0 -ctv q8_0"
        "1 -ngl 99 -c 16384 -np 1 -ot ffn=CPU -ub 256"
        "1 -ngl 0 -c 32768 -np 1"
        "2 -ngl 2 -c 32768 -np 2 -ts 1,1 -fa off"
    )
fi

machine 1
machine 2

mkdir "$T/archs"
engine_run test-llama-archs -o "$T/archs" >"$T/archs.log" 2>&1
count=0 buffers=0 equal=0
for f in "$T"/archs/*.gguf; do
    count=$((count + 1))
    [ $((count % every)) = 0 ] || continue
    name=$(basename "$f" .gguf)
    for s in "${asked[@]}"; do
        # shellcheck disable=SC2086 # settings are words
        said=$(theirs "${s%% *}" "$f" ${s#* })
        if [ -z "$said" ]; then
            skip "$name $s" "the engine gives no answer"
            continue
        fi
        # shellcheck disable=SC2086
        mine=$(ours "${s%% *}" "$f" ${s#* })
        all=$(side_by_side "$mine" "$said")
        buffers=$((buffers + $(wc -l <<<"$all")))
        equal=$((equal + $(grep -c ' equal ' <<<"$all")))
        [ -z "${PLIMSOLL_RESULTS:-}" ] || sed "s/ /|/g; s/^/devices|$name|$s|/" <<<"$all" >>"$PLIMSOLL_RESULTS"
        # what is not followed is assumed and may miss; the rest may not
        bad=$(grep ' outside ' <<<"$all" | grep -v -f <(awk '$5 == "assumed" {print "^" $1 " "}' <<<"$mine"))
        is "$name, devices $s" "$bad" ""
    done
done
ok "$buffers buffers, $equal equal" test $((equal * 10)) -ge $((buffers * 7))
done_testing
