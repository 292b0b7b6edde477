#!/bin/bash
# AMD and Intel graphics and NVIDIA's Jetson boards, replayed: what assess says of them against awk
# and jq on the same files. See README.md for where they come from.
. "$(dirname "$0")/../lib.sh"

here=$PLIMSOLL_SOURCE/tests/replay
for tool in jq awk; do
    command -v "$tool" >/dev/null || skip_all "$tool is not installed"
done
MIB=1048576
GIB=1073741824

# put FILE TEXT: a file below $root
put() {
    mkdir -p "$(dirname "$root/$1")"
    printf '%s\n' "$2" >"$root/$1"
}

# new NAME MEMTOTAL_KIB: an empty root with that much memory, three quarters of it available
new() {
    root=$T/$1
    put proc/meminfo "MemTotal: $2 kB
MemFree: $(($2 / 2)) kB
MemAvailable: $(($2 / 4 * 3)) kB"
}

# card N PCI VENDOR DEVICE REVISION DRIVER
card() {
    put "sys/class/drm/card$1/device/uevent" "DRIVER=$6
PCI_ID=${3^^}:${4^^}
PCI_SLOT_NAME=$2"
    put "sys/class/drm/card$1/device/revision" "0x$5"
}

# client PID FD NAME FDINFO-FILE: a process with a graphics device open
client() {
    put "proc/$1/comm" "$3"
    mkdir -p "$root/proc/$1/fd" "$root/proc/$1/fdinfo"
    ln -sf /dev/dri/renderD128 "$root/proc/$1/fd/$2"
    cat "$4" >"$root/proc/$1/fdinfo/$2"
}

# assess NAME: runs it on $root; the JSON is in $T/json
assess() {
    run "$PLIMSOLL" assess --root "$root" --json
    is "$1: exit 0" "$status" 0
    is "$1: silent on stderr" "$err" ""
    printf '%s\n' "$out" >"$T/json"
    # no memory is there twice: children lie within their parents, roots within what is built in
    is "$1: children within parents" "$(jq -r '(.pools | INDEX(.pool)) as $p | [.pools[] |
        select(.parent != null and .capacity.bytes != null and $p[.parent].capacity.bytes != null) |
        select(.capacity.bytes > $p[.parent].capacity.bytes) | .pool] | join(" ")' "$T/json")" ""
}

# q FILTER: of the last JSON
q() {
    jq -r "$1" "$T/json"
}

# pool NAME FIELD
pool() {
    q ".pools[] | select(.pool == \"$1\") | .$2 | if type == \"object\" then .bytes else . end"
}

# device ID FIELD
device() {
    q ".devices[] | select(.id == \"$1\") | $2"
}

# ttar FILE FOLDER: unpacks it
ttar() {
    awk -v to="$2" '
        function folder(path) { system("mkdir -p \"" to "/" path "\"") }
        /^# ttar/ { next }
        left > 0 { print > file; left--; next }
        /^Directory: / { folder($2); next }
        /^Path: / { path = $2; file = to "/" path; next }
        /^SymlinkTo: / { system("ln -s \"" $2 "\" \"" file "\""); next }
        /^Lines: / { left = $2; printf "" > file; close(file); next }
    ' "$1"
}

# --- a card and a laptop chip's graphics, as procfs' fixtures have them
new procfs 32768000
mkdir -p "$T/ttar" && ttar "$here/drm/procfs.ttar" "$T/ttar"
mv "$T/ttar/fixtures/sys" "$root/sys"
dir=$root/sys/class/drm/card0/device
assess procfs
is "procfs: by PCI address" "$(q '[.devices[] | "\(.id) \(.pci)"] | join(", ")')" \
    "gpu0 0000:00:02.0, gpu1 0000:09:00.0"
is "procfs: vendors" "$(q '[.devices[].vendor] | join(" ")')" "intel amd"
is "procfs: identities" "$(q '[.devices[].pci_id] | join(" ")')" "8086:5917 1002:687f:c1"
is "procfs: kinds" "$(q '[.devices[].kind] | join(" ")')" "integrated discrete"
is "procfs: capacity" "$(pool gpu1 capacity)" "$(cat "$dir/mem_info_vram_total")"
is "procfs: used" "$(pool gpu1 used)" "$(cat "$dir/mem_info_vram_used")"
is "procfs: available" "$(pool gpu1 available)" \
    "$(($(cat "$dir/mem_info_vram_total") - $(cat "$dir/mem_info_vram_used")))"
is "procfs: the card's memory is a root" "$(pool gpu1 parent)" null
is "procfs: gtt" "$(pool gtt1 capacity)" "$(cat "$dir/mem_info_gtt_total")"
is "procfs: gtt used" "$(pool gtt1 used)" "$(cat "$dir/mem_info_gtt_used")"
is "procfs: gtt is inside ram" "$(pool gtt1 parent)" ram
is "procfs: load" "$(device gpu1 .sensors.load_percent.value)" "$(cat "$dir/gpu_busy_percent")"
is "procfs: clock" "$(device gpu1 .sensors.clock_mhz.value)" \
    "$(awk '/\*/ { print $2 + 0 }' "$dir/pp_dpm_sclk")"
is "procfs: highest clock" "$(device gpu1 .sensors.clock_max_mhz.value)" \
    "$(awk '$2 + 0 > m { m = $2 + 0 } END { print m }' "$dir/pp_dpm_sclk")"
is "procfs: memory clock" "$(device gpu1 .sensors.memory_clock_max_mhz.value)" \
    "$(awk '$2 + 0 > m { m = $2 + 0 } END { print m }' "$dir/pp_dpm_mclk")"
is "procfs: link" "$(device gpu1 '.sensors | "\(.pcie_generation.value) \(.pcie_width.value)"')" "3 16"
is "procfs: a screen on the laptop's chip" "$(q '[.devices[].display] | join(" ")')" "true "
is "procfs: the laptop chip's memory is ram's" "$(pool gpu0 parent)" ram
is "procfs: and as large" "$(pool gpu0 capacity)" "$(pool ram capacity)"
is "procfs: what it uses is not said to us" "$(device gpu0 '.used | "\(.bytes) \(.state)"')" \
    "null no permission"

# --- a card awake and asleep, after amdgpu_top's dump of an RX 9060 XT
top=$here/drm/amdgpu_top-rx9060xt.json
v() {
    jq -r "$1" "$top"
}
rx9060() {
    new "$1" 32768000
    card 0 "$(v .PCI)" 1002 "$(v '.DeviceID' | xargs printf '%04x')" \
        "$(v '.RevisionID' | xargs printf '%02x')" amdgpu
    local dir=sys/class/drm/card0/device
    put $dir/mem_info_vram_total "$(v '."VRAM Size"')"
    put $dir/mem_info_vram_used "$(v '."VRAM Usage Size"')"
    put $dir/mem_info_gtt_total "$(v '."GTT Size"')"
    put $dir/mem_info_gtt_used "$(v '."GTT Usage Size"')"
    put $dir/product_name "$(v .DeviceName)"
    put $dir/gpu_busy_percent "$(v .gpu_activity.GFX.value)"
    put $dir/mem_busy_percent "$(v .gpu_activity.Memory.value)"
    put $dir/current_link_speed "32.0 GT/s PCIe"
    put $dir/current_link_width "$(v '."PCIe Link".max_gpu_link.width')"
    put $dir/power/runtime_status active
    put $dir/hwmon/hwmon3/name amdgpu
    put $dir/hwmon/hwmon3/power1_average "$(v '.Sensors."Average Power".value * 1000000')"
    put $dir/hwmon/hwmon3/power1_cap "$(v '."Power Cap".current * 1000000')"
    put $dir/hwmon/hwmon3/power1_cap_max "$(v '."Power Cap".max * 1000000')"
    put $dir/hwmon/hwmon3/freq1_input "$(v '.Sensors.GFX_SCLK.value * 1000000')"
    put $dir/hwmon/hwmon3/freq2_input "$(v '.Sensors.GFX_MCLK.value * 1000000')"
    local i=0 part
    for part in Edge Junction Memory; do
        i=$((i + 1))
        put $dir/hwmon/hwmon3/temp${i}_label "$(echo ${part,,} | sed s/memory/mem/)"
        put $dir/hwmon/hwmon3/temp${i}_input "$(v ".Sensors.\"$part Temperature\".value * 1000")"
        put $dir/hwmon/hwmon3/temp${i}_crit "$(v ".Sensors.\"$part Critical Temperature\".value * 1000")"
        put $dir/hwmon/hwmon3/temp${i}_emergency \
            "$(v ".Sensors.\"$part Emergency Temperature\".value * 1000")"
    done
    put sys/class/kfd/kfd/topology/nodes/0/properties "cpu_cores_count 16
location_id 0
gfx_target_version 0"
    put sys/class/kfd/kfd/topology/nodes/1/properties "cpu_cores_count 0
gfx_target_version 120000
location_id 768
domain 0"
    put sys/class/kfd/kfd/topology/nodes/1/gpu_id 54321
    put sys/class/kfd/kfd/topology/nodes/1/mem_banks/0/properties "heap_type 1
size_in_bytes $(v '."VRAM Size"')"
}
rx9060 rx9060
assess rx9060
is "rx9060: name" "$(device gpu0 .name)" "$(v .DeviceName)"
is "rx9060: total" "$(device gpu0 .total.bytes)" "$(v '."VRAM Size"')"
is "rx9060: used" "$(device gpu0 .used.bytes)" "$(v '."VRAM Usage Size"')"
is "rx9060: gfx from KFD" "$(device gpu0 .compute_capability)" "$(v .gfx_target_version)"
is "rx9060: discrete" "$(device gpu0 .kind)" discrete
is "rx9060: watts" "$(device gpu0 .sensors.power_watts.value)" "$(v '.Sensors."Average Power".value')"
is "rx9060: watts allowed" "$(device gpu0 .sensors.power_limit_watts.value)" "$(v '."Power Cap".current')"
is "rx9060: watts possible" "$(device gpu0 .sensors.power_max_watts.value)" "$(v '."Power Cap".max')"
is "rx9060: junction" "$(device gpu0 .sensors.temperature_celsius.value)" \
    "$(v '.Sensors."Junction Temperature".value')"
is "rx9060: slows down" "$(device gpu0 .sensors.slowdown_celsius.value)" \
    "$(v '.Sensors."Junction Critical Temperature".value')"
is "rx9060: shuts down" "$(device gpu0 .sensors.shutdown_celsius.value)" \
    "$(v '.Sensors."Junction Emergency Temperature".value')"
is "rx9060: least margin" "$(device gpu0 .sensors.margin_celsius.value)" \
    "$(v '[.Sensors | (."Edge Critical Temperature".value - ."Edge Temperature".value),
        (."Junction Critical Temperature".value - ."Junction Temperature".value),
        (."Memory Critical Temperature".value - ."Memory Temperature".value)] | min')"
is "rx9060: clocks" "$(device gpu0 '.sensors | "\(.clock_mhz.value) \(.memory_clock_mhz.value)"')" \
    "$(v '.Sensors | "\(.GFX_SCLK.value) \(.GFX_MCLK.value)"')"
is "rx9060: loads" "$(device gpu0 '.sensors | "\(.load_percent.value) \(.memory_load_percent.value)"')" \
    "$(v '.gpu_activity | "\(.GFX.value) \(.Memory.value)"')"
is "rx9060: link" "$(device gpu0 .sensors.pcie_generation.value)" "$(v '."PCIe Link".max_gpu_link.gen')"

put sys/class/drm/card0/device/mem_info_vis_vram_total $((256 * MIB))
assess "rx9060, small BAR"
like "rx9060: a small window is told" "$(q '.notes | join("\n")')" "sees 256 MiB of its"
rx9060 d3
put sys/class/drm/card0/device/power/runtime_status unsupported
put sys/class/drm/card0/device/power_state D3cold
assess d3
is "d3: asleep by its power state" "$(device gpu0 .power)" asleep

rx9060 asleep
put sys/class/drm/card0/device/power/runtime_status suspended
# any reader of these would be seen: they are no regular files
for f in mem_info_vram_total mem_info_vram_used mem_info_gtt_total mem_info_gtt_used gpu_busy_percent \
    product_name hwmon/hwmon3/power1_average hwmon/hwmon3/temp1_input current_link_speed; do
    rm "$root/sys/class/drm/card0/device/$f" && mkfifo "$root/sys/class/drm/card0/device/$f"
done
if command -v strace >/dev/null; then
    strace -f -e trace=openat,openat2 -o "$T/strace" "$PLIMSOLL" assess --root "$root" --json >/dev/null 2>&1
    is "asleep: opens nothing that would wake it" \
        "$(grep -cE 'card0/device/(mem_|hwmon|gpu_|product_name|current_link|pp_)' "$T/strace")" 0
else
    skip "asleep: opens nothing that would wake it" "strace is not installed"
fi
assess asleep
is "asleep: said" "$(device gpu0 .power)" asleep
is "asleep: total from KFD, which sleeps not" "$(device gpu0 .total.bytes)" "$(v '."VRAM Size"')"
is "asleep: used is unknown, not 0" "$(device gpu0 '.used | "\(.bytes) \(.state)"')" "null asleep"
is "asleep: available is unknown" "$(pool gpu0 available)" null
is "asleep: the limit of its GTT is unknown" "$(pool gtt0 capacity)" null
is "asleep: no temperature" "$(device gpu0 '.sensors.temperature_celsius | "\(.value) \(.state)"')" \
    "null asleep"
like "asleep: a note" "$(q '.notes | join("\n")')" "gpu0 sleeps"

# --- the graphics of a desktop processor, told from a card in three ways, and who holds its memory
top=$here/drm/amdgpu_top-raphael.json
raphael() { # NAME WAY
    new "$1" 32768000
    card 0 "$(v .Info.PCI)" 1002 "$(v '.Info.DeviceID' | xargs printf '%04x')" \
        "$(v '.Info.RevisionID' | xargs printf '%02x')" amdgpu
    local dir=sys/class/drm/card0/device
    put $dir/mem_info_vram_total "$(v '.Info."VRAM Size"')"
    put $dir/mem_info_vram_used "$(v '.Info."VRAM Usage Size"')"
    put $dir/mem_info_gtt_total "$(v '.Info."GTT Size"')"
    put $dir/mem_info_gtt_used "$(v '.Info."GTT Usage Size"')"
    put $dir/hwmon/hwmon2/temp1_input "$(v '.Sensors."Edge Temperature".value * 1000')"
    put $dir/hwmon/hwmon2/power1_input "$(v '.Sensors."Input Power".value * 1000000')"
    case $2 in
    kfd)
        put sys/class/kfd/kfd/topology/nodes/1/properties "location_id $((0x1300))
gfx_target_version 100306"
        ;;
    metrics)
        # size, 16 bits, then format and content revision
        printf "\\x$(v .header.structure_size | xargs printf %x)\\x00\\x0$(v .header.format_revision)\\x0$(v \
            .header.content_revision)" >"$root/$dir/gpu_metrics"
        head -c $(($(v .header.structure_size) - 4)) /dev/zero >>"$root/$dir/gpu_metrics"
        ;;
    rail)
        put $dir/hwmon/hwmon2/in1_label vddnb
        ;;
    carveout)
        put $dir/uma/carveout 0
        ;;
    esac
}
for way in kfd metrics rail carveout none; do
    raphael "raphael-$way" $way
    assess "raphael-$way"
    is "raphael: told by $way" "$(device gpu0 .kind)" "$([ $way = none ] && echo discrete || echo integrated)"
done
raphael raphael kfd
jq -r '.fdinfo | to_entries[] | "\(.key) \(.value.VRAM) \(.value.GTT) \(.value.name)"' "$top" >"$T/clients"
while read -r pid vram gtt name; do
    printf 'drm-driver:\tamdgpu\ndrm-client-id:\t%s\ndrm-pdev:\t%s\ndrm-resident-vram:\t%s MiB\ndrm-resident-gtt:\t%s MiB\n' \
        "$pid" "$(v .Info.PCI)" "$vram" "$gtt" >"$T/fdinfo"
    client "$pid" 9 "$name" "$T/fdinfo"
done <"$T/clients"
assess raphael
is "raphael: gfx" "$(device gpu0 .compute_capability)" "$(v .Info.gfx_target_version)"
is "raphael: watts" "$(device gpu0 .sensors.power_watts.value)" "$(v '.Sensors."Input Power".value')"
is "raphael: degrees, no limit known" \
    "$(device gpu0 '.sensors | "\(.temperature_celsius.value) \(.slowdown_celsius.value)"')" \
    "$(v '.Sensors."Edge Temperature".value') null"
is "raphael: gtt" "$(pool gtt0 capacity)" "$(v '.Info."GTT Size"')"
is "raphael: programs get memory of" "$(device gpu0 .pool)" gtt0
# sum POOL: what all consumers hold of it, in MiB
sum() {
    q "[.consumers[].devices[] | select(.pool == \"$1\") | .held.bytes] | add // 0 | . / $MIB"
}
if [ "$(q '.consumers | length')" -gt 0 ]; then
    is "raphael: held of the carve-out" "$(sum gpu0)" "$(v '[.fdinfo[].VRAM] | add')"
    is "raphael: held of the GTT" "$(sum gtt0)" "$(v '[.fdinfo[].GTT] | add')"
else
    skip "raphael: what is held" "consumers are not reported"
fi

# --- Strix Halo: the same chip with different carve-outs. vram and gtt in bytes as users report them
# (nix-amd-ai issue 42; memtest_vulkan issue 66; llamacpp-rocm issue 9); 128 GiB are built in.
halo() { # NAME VRAM GTT PAGES
    new "$1" $((128 * MIB - $2 / 1024 - MIB))
    card 1 0000:c3:00.0 1002 1586 c1 amdgpu
    put sys/class/drm/card1/device/mem_info_vram_total "$2"
    put sys/class/drm/card1/device/mem_info_vram_used 368111616
    put sys/class/drm/card1/device/mem_info_gtt_total "$3"
    put sys/class/drm/card1/device/mem_info_gtt_used 36769792
    put sys/module/ttm/parameters/pages_limit "$4"
    put proc/cpuinfo "processor : 0
model name : $(jq -r .cpu "$here/drm/strix-halo.json")"
    put sys/class/kfd/kfd/topology/nodes/1/properties "location_id $((0xc300))
gfx_target_version 110501"
    put sys/class/kfd/kfd/topology/nodes/1/gpu_id 46311
    put sys/class/kfd/kfd/proc/4242/vram_46311 $((9 * GIB))
    put proc/4242/comm llama-server
}
while read -r name vram gtt pages of; do
    halo "$name" "$vram" "$gtt" "$pages"
    assess "$name"
    ram=$(pool ram capacity)
    want=$(printf '%s\n' "$gtt" $((pages * 4096)) "$ram" | sort -n | head -n 1)
    is "$name: integrated" "$(device gpu0 .kind)" integrated
    is "$name: named after its chip" "$(device gpu0 .name)" "AMD Radeon 8060S"
    is "$name: gfx" "$(device gpu0 .compute_capability)" \
        "$(jq -r '.gpu | fromjson | .card0."GFX Version"' "$here/drm/strix-halo.json")"
    is "$name: carve-out" "$(pool gpu0 capacity)" "$vram"
    is "$name: gtt" "$(pool gtt0 capacity)" "$want"
    is "$name: programs get memory of" "$(device gpu0 .pool)" "$of"
    is "$name: all roots within 128 GiB" \
        "$(q '[.pools[] | select(.parent == null) | .capacity.bytes] | add <= 137438953472')" true
    is "$name: a model's device memory is charged to" \
        "$("$PLIMSOLL" estimate qwen3-8b:q4_k_m --machine "$T/json" -ngl 99 -c 4096 --json |
            jq -r '[.pools[].pool] | join(" ")')" "ram $of"
    is "$name: not more than ram has" "$(device gpu0 ".available.bytes <= $(pool "$of" available)")" true
done <<END
halo-4g 4294967296 103079215104 25165824 gtt0
halo-96g 103079215104 113246208000 27648000 gpu0
halo-512m 536870912 66035122176 16121856 gtt0
END

# --- what processes hold: fdinfo of llama.cpp on an Arc, of a B70, and both ledgers of AMD
new arc 32768000
card 0 0000:03:00.0 8086 56a0 08 i915
put sys/class/drm/card0/gt_act_freq_mhz 2400
client 700 5 llama-server "$here/drm/fdinfo/i915-arc-llamacpp.txt"
client 700 6 llama-server "$here/drm/fdinfo/i915-arc-llamacpp.txt" # one client, two descriptors
client 701 5 helper "$here/drm/fdinfo/i915-arc-llamacpp.txt"        # and handed on
assess arc
# held POOL: "pid bytes" of the consumers, largest first
held() {
    q "[.consumers[]? | . as \$c | .devices[]? | select(.pool == \"$1\") | \"\(\$c.pid) \(.held.bytes)\"] | join(\" \")"
}
kib=$(awk '/drm-resident-local0:/ { print $2 }' "$here/drm/fdinfo/i915-arc-llamacpp.txt")
is "arc: the total needs a capability" "$(device gpu0 '.total | "\(.bytes) \(.state)"')" "null no permission"
is "arc: clock" "$(device gpu0 .sensors.clock_mhz.value)" 2400
if [ "$(q '.consumers | type')" = array ] && [ -n "$(held gpu0)" ]; then
    is "arc: held once" "$(held gpu0)" "700 $((kib * 1024))"
else
    skip "arc: held once" "consumers are not reported"
fi

new b70 65536000
card 0 0000:03:00.0 8086 e223 00 xe
put sys/class/drm/card0/device/tile0/physical_vram_size_bytes 34359738368
assess b70
is "b70: total of its tile" "$(pool gpu0 capacity)" 34359738368
is "b70: used is unknown" "$(pool gpu0 used)" null

# --- NVIDIA's card without NVIDIA's driver; no graphics at all
new nouveau 16384000
card 0 0000:01:00.0 10de 1c03 a1 nouveau
assess nouveau
is "nouveau: a device without memory known" "$(device gpu0 '"\(.driver) \(.total.bytes) \(.total.state)"')" \
    "nouveau null unsupported"
like "nouveau: a note" "$(q '.notes | join("\n")')" "nouveau"
new none 16384000
assess none
is "none: no device" "$(q '.devices | length')" 0
new wsl 16384000
put dev/dxg ""
assess wsl
like "wsl: a note" "$(q '.notes | join("\n")')" "/dev/dxg"
new console 16384000
card 0 0000:02:00.0 1a03 2000 41 ast
assess console
is "console: a server's console is no device" "$(q '.devices | length')" 0

# --- Jetson: an Orin NX as the device tree, L4T and the kernel describe it
new orin 15757312
put proc/meminfo "$(sed 's/$//' "$root/proc/meminfo")
NvMapMemUsed: 141896 kB
CmaTotal: 262144 kB
CmaFree: 131072 kB"
mkdir -p "$root/proc/device-tree"
printf 'NVIDIA Jetson Orin NX Engineering Reference Developer Kit\0' >"$root/proc/device-tree/model"
printf 'nvidia,p3768-0000+p3767-0000-super\0nvidia,p3767-0000\0nvidia,tegra234\0' \
    >"$root/proc/device-tree/compatible"
put etc/nv_tegra_release "# R36 (release), REVISION: 4.7, GCID: 42132812, BOARD: generic, EABI: aarch64, DATE: Thu Sep 18 22:54:44 UTC 2025"
put var/lib/nvpmodel/status "pmode:0000 fmode:quiet"
put etc/nvpmodel.conf "< PARAM TYPE=FILE NAME=CPU_ONLINE >
< POWER_MODEL ID=0 NAME=MAXN_SUPER >
< POWER_MODEL ID=1 NAME=10W >
< PM_CONFIG DEFAULT=3 >"
put sys/class/devfreq/15340000.vic/cur_freq 435200000
put sys/class/devfreq/17000000.gpu/cur_freq 306000000
put sys/class/devfreq/17000000.gpu/max_freq 1173000000
put sys/class/devfreq/17000000.gpu/device/load 423
printf 'gpu\0' >"$root/sys/class/devfreq/17000000.gpu/device/of_node.tmp"
mkdir -p "$root/sys/class/devfreq/17000000.gpu/device/of_node" &&
    mv "$root/sys/class/devfreq/17000000.gpu/device/of_node.tmp" \
        "$root/sys/class/devfreq/17000000.gpu/device/of_node/name"
zone() { # N TYPE MILLIDEGREES [TRIP TEMP]...
    put "sys/class/thermal/thermal_zone$1/type" "$2"
    put "sys/class/thermal/thermal_zone$1/temp" "$3"
    local n=$1 i=0
    shift 3
    while [ $# -gt 0 ]; do
        put "sys/class/thermal/thermal_zone$n/trip_point_${i}_type" "$1"
        put "sys/class/thermal/thermal_zone$n/trip_point_${i}_temp" "$2"
        i=$((i + 1))
        shift 2
    done
}
zone 0 cpu-thermal 52500 critical 104500
zone 1 gpu-thermal 51031 active 51000 critical 104500 hot 103500 passive 99000
zone 2 cv0-thermal -256000
put sys/class/hwmon/hwmon1/name ina3221
put sys/class/hwmon/hwmon1/in1_label VDD_IN
put sys/class/hwmon/hwmon1/in1_input 4976
put sys/class/hwmon/hwmon1/curr1_input 1000
put sys/kernel/debug/bpmp/debug/clk/emc/rate 2133000000
put proc/buddyinfo "Node 0, zone      DMA      3      2      5      4      4      2      3      2      3      1    118
Node 0, zone   Normal    120     80     44     10      4      1      0      0      1      0     20"
mkdir -p "$root/sys/kernel/debug/nvmap/iovmm" &&
    cp "$here/jetson/nvmap-a.txt" "$root/sys/kernel/debug/nvmap/iovmm/clients"
assess orin
is "orin: module" "$(device gpu0 .pci_id)" "dt:p3767-0000"
is "orin: mode" "$(device gpu0 .mode)" MAXN_SUPER
is "orin: one memory" "$(pool ram parent) $(pool gpu0 parent) $(pool unified parent)" "unified unified null"
is "orin: all of it" "$(pool gpu0 capacity)" "$(pool ram capacity)"
is "orin: available is MemAvailable" "$(pool gpu0 available)" \
    "$(awk '/^MemAvailable/ { printf "%.0f", $2 * 1024 }' "$root/proc/meminfo")"
is "orin: used by the device" "$(device gpu0 .used.bytes)" "$((141896 * 1024))"
is "orin: the largest allocation is not claimed" "$(pool gpu0 largest_allocation)" null
like "orin: but the largest block is told" "$(q '.notes | join("\n")')" "138 of 4.0 MiB"
is "orin: clocks" "$(device gpu0 '.sensors | "\(.clock_mhz.value) \(.clock_max_mhz.value) \(.memory_clock_mhz.value)"')" \
    "306 1173 2133"
is "orin: load" "$(device gpu0 .sensors.load_percent.value)" 42.3
is "orin: heat" "$(device gpu0 '.sensors | "\(.temperature_celsius.value) \(.slowdown_celsius.value) \(.shutdown_celsius.value)"')" \
    "51.031 99 104.5"
is "orin: watts" "$(device gpu0 .sensors.power_watts.value)" 4.976
rm "$root/sys/kernel/debug/nvmap/iovmm/clients"
: >"$root/sys/kernel/debug/nvmap/iovmm/clients" # as on Thor
assess "orin, nvmap empty"

# a capture that holds a line of tegrastats
new thor 128790528
mkdir -p "$root/sys/firmware/devicetree/base"
printf 'NVIDIA Jetson AGX Thor Developer Kit\0' >"$root/sys/firmware/devicetree/base/model"
printf 'nvidia,p4071-0000+p3834-0008\0nvidia,tegra264\0' >"$root/sys/firmware/devicetree/base/compatible"
put plimsoll/tegrastats.txt "$(cat "$here/jetson/tegrastats-thor.txt")"
put sys/class/devfreq/gpu-gpc-0/cur_freq 314000000
assess thor
line=$here/jetson/tegrastats-thor.txt
is "thor: module" "$(device gpu0 .pci_id)" "dt:p3834-0008"
is "thor: temperature" "$(device gpu0 .sensors.temperature_celsius.value)" \
    "$(grep -oE 'gpu@[0-9.]+' "$line" | cut -d@ -f2)"
is "thor: watts" "$(device gpu0 .sensors.power_watts.value)" \
    "$(grep -oE 'VIN [0-9]+' "$line" | awk '{ print $2 / 1000 }')"
is "thor: clock" "$(device gpu0 .sensors.clock_mhz.value)" 314
is "thor: no mode said" "$(device gpu0 .mode)" null
done_testing
