# Shared by the scripts of this folder. Sourced by bash scripts; sets $source to the source folder.
set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
me=$(basename "$0")

say() {
    printf '%s: %s\n' "$me" "$*"
}

# die WHY: one line on stderr, status 1.
die() {
    printf '%s: %s\n' "$me" "$*" >&2
    exit 1
}

# free_mib DIR: MiB a user can still write on the file system of DIR (or of its nearest parent).
free_mib() {
    local dir=$1
    while [ ! -e "$dir" ]; do dir=$(dirname "$dir"); done
    df -Pm -- "$dir" | awk 'NR == 2 { print $4 }'
}

# need_space DIR MIB FOR: dies when DIR cannot take that much.
need_space() {
    local have
    have=$(free_mib "$1")
    [ "$have" -ge "$2" ] || die "not enough disk space in $1 for $3: $2 MiB needed, $have MiB free"
}

# why_failed LOG: the cause of a failed download or installation, in a few words.
why_failed() {
    if grep -qE 'No space left on device|enough free space' "$1"; then
        echo 'the disk is full'
    elif grep -qE 'Could not get lock|Unable to acquire the dpkg' "$1"; then
        echo 'another package manager is running; try again when it is done'
    elif grep -qE 'Temporary failure resolving|Could not resolve|Could not connect|Network is unreachable|Connection (timed out|refused)|Cannot initiate the connection|Connection failed' "$1"; then
        echo 'the package archive cannot be reached: no network?'
    elif grep -qE 'not signed|NO_PUBKEY|EXPKEYSIG|signatures (were|couldn)' "$1"; then
        echo 'the archive is not signed by a key of the Debian keyring'
    elif grep -qE 'Unable to locate package|no installation candidate' "$1"; then
        grep -m 1 -oE 'Unable to locate package .*|Package .* has no installation candidate' "$1"
    else
        grep -E '^(E|dpkg|error):' "$1" | tail -n 1 | cut -c1-200
    fi
}

# replace_marked NAME FILE: FILE with the part between "<!-- NAME:begin -->" and "<!-- NAME:end -->"
# replaced by stdin, on stdout.
replace_marked() {
    awk -v name="$1" -v new="$(cat)" '
        index($0, "<!-- " name ":end -->") { skip = 0 }
        !skip
        index($0, "<!-- " name ":begin -->") { print new; skip = 1 }' "$2"
}

# write_marked NAME FILE: the same, in place.
write_marked() {
    local new
    grep -q "<!-- $1:begin -->" "$2" || die "$2 has no mark $1"
    new=$(mktemp)
    replace_marked "$1" "$2" >"$new" && cat "$new" >"$2"
    rm -f "$new"
}

# machine_line PLIMSOLL: CPU, cores, widest vectors and memory of this machine, in one line.
machine_line() {
    "$1" assess | awk '
        /^CPU / { sub(/^CPU +/, ""); cpu = $0 }
        /^ISA / { isa = / avx512f/ ? ", AVX-512" : / avx2/ ? ", AVX2" : "" }
        /^Memory / { sub(/,.*/, ""); memory = $(NF - 1) " " $NF }
        END { print cpu isa ", " memory " of memory" }'
}
