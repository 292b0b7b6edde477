#!/bin/bash
# NVIDIA devices from captures of nvidia-smi, replayed as NVML's answers: what assess says against awk
# on the capture itself. Half of them take the way through NVML's binary interface too, by a stand-in
# for the library.
. "$(dirname "$0")/../lib.sh"

here=$PLIMSOLL_SOURCE/tests/replay/nvidia
for tool in jq bzip2 tar awk python3; do
    command -v "$tool" >/dev/null || skip_all "$tool is not installed"
done
tar -xjf "$here/nvidia-smi.tar.bz2" -C "$T"

# xml FILE TAG...: the first text of the tag inside the tags before it
xml() {
    awk -v path="${*:2}" '
        BEGIN { n = split(path, want, " "); at = 1 }
        {
            s = $0
            while (match(s, /<\/?[a-z_]+[^>]*>[^<]*/)) {
                piece = substr(s, RSTART, RLENGTH); s = substr(s, RSTART + RLENGTH)
                tag = piece; sub(/[> ].*/, "", tag); text = piece; sub(/^[^>]*>/, "", text)
                if (tag == "</" want[at - 1] && at > 1) at--
                else if (tag == "<" want[at]) {
                    if (at == n) { gsub(/^[ \t]+|[ \t]+$/, "", text); print text; exit }
                    at++
                }
            }
        }' "$1"
}

# query FILE SECTION HEADING NAME: a line of the "query (-q)" section, below a heading at its depth
query() {
    awk -v section="# $2 :: query (-q)" -v heading="$3" -v name="$4" '
        $0 == section { on = 1; next }
        on && /^# [a-z]+ :: / { exit }
        !on { next }
        {
            line = $0; sub(/^ +/, "", line)
            depth = length($0) - length(line)
            key = line; sub(/ +: .*/, "", key); sub(/ +$/, "", key)
            value = ""
            if (index(line, " : ")) { value = line; sub(/^[^:]*: /, "", value); sub(/ +$/, "", value) }
            if (heading == "") inside = depth <= 4
            else if (key == heading && value == "" && depth == 4) { inside = 1; next }
            else if (depth <= 4) inside = 0
            if (inside && key == name) { print value; exit }
        }' "$1"
}

mib() { # "10240 MiB" in bytes, null for words
    awk '{ if ($1 ~ /^[0-9]+$/) printf "%.0f\n", $1 * 1048576; else print "null" }' <<<"$1"
}
real() { # "22.78 W" as a number, null for words
    awk '{ if ($1 ~ /^-?[0-9.]+$/) printf "%g\n", $1; else print "null" }' <<<"$1"
}

# facts NAME JSON: the first device of the machine against what the function `raw` reads
facts() {
    local name=$1 json=$2 i want margin
    local -a got
    mapfile -t got < <(jq -r '.devices[0] | .name, .uuid, .pstate, .total.bytes, .reserved.bytes, .used.bytes,
        .available.bytes, (.sensors | .power_limit_watts.value, .power_default_watts.value,
        .power_max_watts.value, .temperature_celsius.value,
        (.slowdown_celsius | if .source == "declared" then null else .value end), .clock_mhz.value,
        .memory_clock_max_mhz.value, .margin_celsius.value)' "$json")
    local -a what=(name uuid pstate total reserved used free limit default most heat slow clock memclock)
    for i in "${!what[@]}"; do
        want=$(raw "${what[i]}")
        [ "$i" -ge 3 ] && [ "$i" -le 6 ] && want=$(mib "$want")
        [ "$i" -ge 7 ] && want=$(real "$want")
        is "$name: ${what[i]}" "${got[i]}" "$want"
    done
    margin=$(real "$(raw margin)")
    [ "$margin" = null ] || is "$name: margin" "${got[14]}" "$margin"
    is "$name: nothing that was not said is a number" "$(jq '[.devices[] | (.total, .used, .available) |
        select(.bytes == 0 and .source != "measured")] | length' "$json")" 0
    sums "$name" "$json"
}

# Pools below one never hold more than it does.
sums() {
    is "$1: parts fit into the whole" "$(jq '.pools as $all | [$all[] | select(.parent == null) | . as $p |
        [$all[] | select(.parent == $p.pool) | .capacity.bytes] | add // 0 |
        select(. > ($p.capacity.bytes // 0))] | length' "$2")" 0
}

# replay NAME ANSWERS: assesses a folder that holds no more than the answers, into $T/json
replay() {
    local dir="$T/root.$1"
    mkdir -p "$dir/plimsoll" "$dir/proc"
    printf 'MemTotal: 33554432 kB\nMemFree: 4194304 kB\nMemAvailable: 25165824 kB\n' >"$dir/proc/meminfo"
    cp "$2" "$dir/plimsoll/nvml.txt"
    run "$PLIMSOLL" assess --root "$dir" --json
    is "$1: exit 0" "$status" 0
    printf '%s\n' "$out" >"$T/json"
}

# library NAME ANSWERS: the same by way of the stand-in for the library
library() {
    FAKE_NVML_ANSWERS=$2 PLIMSOLL_NVML_LIBRARY=$PLIMSOLL_BUILD/tests/fake/libnvidia-ml.so.1 \
        run "$PLIMSOLL" assess --json
    printf '%s\n' "$out" >"$T/json.library"
    is "$1: the same through the library" \
        "$(jq -S '[.devices[] | select(.vendor == "nvidia") | del(.. | .state?)]' "$T/json.library")" \
        "$(jq -S '[.devices[] | del(.. | .state?)]' "$T/json")"
}

for file in "$T"/nvidia-smi/xml/*.xml; do
    name=$(basename "$file" .xml)
    python3 "$here/answers.py" "$file" >"$T/answers" || { not_ok "$name: answers" true; continue; }
    replay "$name" "$T/answers"
    raw() {
        local x
        case $1 in
        name) xml "$file" gpu product_name ;;
        uuid) xml "$file" gpu uuid ;;
        total | reserved | used | free)
            # of the card, not of its MIG instances
            sed '/<mig_devices>/,/<\/mig_devices>/d' "$file" >"$T/no-mig.xml"
            xml "$T/no-mig.xml" gpu fb_memory_usage "$1" ;;
        limit | default | most)
            x=$(grep -q '<gpu_power_readings>' "$file" && echo gpu_power_readings || echo power_readings)
            case $1 in
            default) xml "$file" "$x" default_power_limit ;;
            most) xml "$file" "$x" max_power_limit ;;
            *) xml "$file" "$x" enforced_power_limit | grep . || xml "$file" "$x" current_power_limit ;;
            esac ;;
        heat) xml "$file" temperature gpu_temp ;;
        slow) xml "$file" temperature gpu_temp_slow_threshold ;;
        margin) xml "$file" temperature gpu_temp_tlimit ;;
        clock) xml "$file" clocks graphics_clock ;;
        memclock) xml "$file" max_clocks mem_clock ;;
        pstate) xml "$file" gpu performance_state ;;
        esac | grep . || echo N/A
    }
    facts "$name" "$T/json"
    library "$name" "$T/answers"
done

for file in "$T"/nvidia-smi/captures/*.txt; do
    for section in idle load; do
        name=$(basename "$file" .txt | sed 's/__/ /g; s/x86_64 //; s/nvidia-//; s/geforce-//') && name="$name, $section"
        python3 "$here/answers.py" "$file" "$section" >"$T/answers" || { not_ok "$name: answers" true; continue; }
        replay "$name" "$T/answers"
        raw() {
            case $1 in
            name) query "$file" "$section" '' 'Product Name' ;;
            uuid) query "$file" "$section" '' 'GPU UUID' ;;
            total | reserved | used | free) query "$file" "$section" 'FB Memory Usage' "${1^}" ;;
            limit) query "$file" "$section" 'GPU Power Readings' 'Current Power Limit' ;;
            default) query "$file" "$section" 'GPU Power Readings' 'Default Power Limit' ;;
            most) query "$file" "$section" 'GPU Power Readings' 'Max Power Limit' ;;
            heat) query "$file" "$section" Temperature 'GPU Current Temp' ;;
            slow) query "$file" "$section" Temperature 'GPU Slowdown Temp' ;;
            margin) query "$file" "$section" Temperature 'GPU T.Limit Temp' | grep . ||
                query "$file" "$section" Temperature 'GPU Current T.Limit Temp' ;;
            clock) query "$file" "$section" Clocks Graphics ;;
            memclock) query "$file" "$section" 'Max Clocks' Memory ;;
            pstate) query "$file" "$section" '' 'Performance State' ;;
            esac | grep . || echo N/A
        }
        facts "$name" "$T/json"
        case $file in
        *windows*)
            is "$name: memory managed by Windows" "$(jq '.devices[0].wddm' "$T/json")" true ;;
        *mig*)
            is "$name: no memory of its own" "$(jq '.devices[0].pool' "$T/json")" null
            is "$name: the whole is no place for a model" "$(jq -r '.pools[] | select(.pool == "gpu0") | .kind' "$T/json")" cap
            is "$name: instances" "$(jq -c '[.devices[1:][] | .total.bytes / 1048576]' "$T/json")" \
                "$(awk -v s="# $section :: query (-q)" '$0 == s { on = 1 } on && /^# [a-z]+ :: /&& $0 != s { exit }
                    on && /Shared FB Memory Usage/ { getline; printf "%s%s", n++ ? "," : "", $3 }' "$file" |
                    sed 's/.*/[&]/')"
            # two compute instances of one GPU instance share its memory: it is one pool
            is "$name: their free memory" "$(jq -c '[.pools[] | select(.parent == "gpu0") | .available.bytes / 1048576]' "$T/json")" \
                "$(awk -v s="# $section :: query (-q)" '$0 == s { on = 1 } on && /^# [a-z]+ :: /&& $0 != s { exit }
                    on && /GPU Instance ID/ { id = $NF }
                    on && /Shared FB Memory Usage/ { for (i = 0; i < 4; i++) getline
                        if (!seen[id]++) printf "%s%s", n++ ? "," : "", $3 }' "$file" |
                    sed 's/.*/[&]/')" ;;
        esac
        [ "$section" = load ] && library "$name" "$T/answers"
    done
done
done_testing
