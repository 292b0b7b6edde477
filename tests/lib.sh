# Helpers for the test scripts: TAP on stdout, diagnostics as comments. Sourced by bash scripts:
#
#     . "$(dirname "$0")/../lib.sh"
#     run "$PLIMSOLL" version          # fills $out, $err, $status
#     is "exit status" "$status" 0
#     like "names itself" "$out" '^plimsoll [0-9]'
#     done_testing
#
# Given by meson (or set here for a run by hand): PLIMSOLL, the program; PLIMSOLL_SOURCE, the source
# folder; PLIMSOLL_BUILD, the build folder. Set here: T, a temporary folder of this script, removed
# at its end; HOME, XDG_* and PLIMSOLL_LEDGER inside it, so that no test touches what a user has;
# PLIMSOLL_ENGINES, the fetched engines, when they are there and nothing else was asked for.
# PLIMSOLL_FULL=1 (from `make check` with CI=true) asks for the long forms of a suite.
set -u
PLIMSOLL_SOURCE=${PLIMSOLL_SOURCE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
PLIMSOLL_BUILD=${PLIMSOLL_BUILD:-$PLIMSOLL_SOURCE/build}
PLIMSOLL=${PLIMSOLL:-$PLIMSOLL_BUILD/src/cli/plimsoll}
if [ -z "${PLIMSOLL_ENGINES:-}" ] && [ -e "$PLIMSOLL_SOURCE/engines/PLIMSOLL-ENGINES" ]; then
    PLIMSOLL_ENGINES=$PLIMSOLL_SOURCE/engines
fi
[ -n "${PLIMSOLL_ENGINES:-}" ] && export PLIMSOLL_ENGINES
T=$(mktemp -d "${TMPDIR:-/tmp}/plimsoll-test.XXXXXX") || exit 99
trap 'rm -rf "$T"' EXIT
export HOME=$T XDG_DATA_HOME=$T/data XDG_CACHE_HOME=$T/cache XDG_CONFIG_HOME=$T/config
export XDG_STATE_HOME=$T/state PLIMSOLL_LEDGER=$T/ledger.sqlite PLIMSOLL_SOURCE PLIMSOLL
unset NO_COLOR
export LC_ALL=C.UTF-8

tap_n=0
tap_failed=0

# diag TEXT: a comment in the output, every line of it.
diag() {
    printf '%s\n' "$*" | sed 's/^/# /'
}

tap_result() { # 0|1 NAME
    tap_n=$((tap_n + 1))
    if [ "$1" -eq 0 ]; then
        printf 'ok %d - %s\n' "$tap_n" "$2"
    else
        tap_failed=$((tap_failed + 1))
        printf 'not ok %d - %s\n' "$tap_n" "$2"
    fi
}

# run COMMAND...: runs it with an empty stdin; $out and $err are what it wrote, $status its status.
run() {
    "$@" >"$T/.out" 2>"$T/.err" </dev/null
    status=$?
    out=$(tr -d '\0' <"$T/.out")
    err=$(tr -d '\0' <"$T/.err")
}

# ok NAME COMMAND...: passes when the command succeeds. Its output becomes comments on a failure.
ok() {
    local name=$1 text
    shift
    if text=$("$@" 2>&1 </dev/null); then
        tap_result 0 "$name"
    else
        tap_result 1 "$name"
        diag "failed: $*"
        [ -n "$text" ] && diag "$text"
    fi
}

# not_ok NAME COMMAND...: passes when the command fails.
not_ok() {
    local name=$1
    shift
    if "$@" >/dev/null 2>&1 </dev/null; then
        tap_result 1 "$name"
        diag "should have failed: $*"
    else
        tap_result 0 "$name"
    fi
}

# is NAME GOT WANT
is() {
    if [ "$2" = "$3" ]; then
        tap_result 0 "$1"
    else
        tap_result 1 "$1"
        diag "got:  $2"
        diag "want: $3"
    fi
}

# like NAME TEXT REGEX (extended, over the whole text; ^ and $ match at lines)
like() {
    if printf '%s\n' "$2" | grep -qE -- "$3"; then
        tap_result 0 "$1"
    else
        tap_result 1 "$1"
        diag "no match for: $3"
        diag "in: $2"
    fi
}

unlike() {
    if printf '%s\n' "$2" | grep -qE -- "$3"; then
        tap_result 1 "$1"
        diag "should not match: $3"
        diag "in: $2"
    else
        tap_result 0 "$1"
    fi
}

# skip NAME WHY: counts as skipped.
skip() {
    tap_n=$((tap_n + 1))
    printf 'ok %d - %s # SKIP %s\n' "$tap_n" "$1" "$2"
}

# skip_all WHY: the whole script is skipped; ends it.
skip_all() {
    printf '1..0 # SKIP %s\n' "$1"
    exit 0
}

# done_testing: prints the plan and ends the script; its status tells whether all passed.
done_testing() {
    printf '1..%d\n' "$tap_n"
    [ "$tap_failed" -eq 0 ]
    exit
}

# engine PROGRAM: path of a program in the engines folder, or a failure when there is none.
engine() {
    local p
    for p in "${PLIMSOLL_ENGINES:-/nonexistent}"/usr/bin/"$1" \
        "${PLIMSOLL_ENGINES:-/nonexistent}"/usr/libexec/*/*/"$1"; do
        [ -e "$p" ] && printf '%s\n' "$p" && return 0
    done
    return 1
}

# engine_command PROGRAM: sets the array engine_argv to what starts it, through the folder's own
# loader, so that neither root nor the machine's libc matters; a failure when it is not there.
engine_command() {
    local p lib
    p=$(engine "$1") || return 1
    lib=$(dirname "$(ls "$PLIMSOLL_ENGINES"/usr/lib/*/libllama.so.0 2>/dev/null | head -n 1)")
    engine_argv=("$(ls "$lib"/ld-linux*.so.* | head -n 1)" --library-path "$lib:$lib/llama:$lib/ggml"
        --argv0 "$(basename "$p")" "$p")
}

# engine_exec PROGRAM ARGUMENTS...: becomes it. In the background its pid is $!. Without the debugging aid
# of glibc that meson sets: it writes all that is allocated, and an engine would hold what it only reserved.
engine_exec() {
    engine_command "$1" || exit 127
    shift
    unset MALLOC_PERTURB_
    exec "${engine_argv[@]}" "$@"
}

# engine_run PROGRAM ARGUMENTS...: runs it and returns its status.
engine_run() {
    (engine_exec "$@")
}

# engine_pids: pids of the engines that serve a file under $T. The pattern does not match the grep
# itself.
engine_pids() {
    grep -lzsE -- "[${T:0:1}]${T:1}.*\.gguf" /proc/[0-9]*/cmdline | sed 's,/proc/\([0-9]*\)/.*,\1,'
}

# software_gpu: makes the engines see Mesa's software GPU as Vulkan0 (two with
# GGML_VK_VISIBLE_DEVICES=0,0); a failure when the folder has none.
software_gpu() {
    local icd
    icd=$(compgen -G "${PLIMSOLL_ENGINES:-/nonexistent}/usr/share/vulkan/icd.d/lvp_icd*.json" | head -n 1)
    [ -n "$icd" ] && compgen -G "$PLIMSOLL_ENGINES/usr/lib/*/ggml/backends0/libggml-vulkan.so" >/dev/null ||
        return 1
    export VK_DRIVER_FILES=$icd GGML_VK_VISIBLE_DEVICES=0
}
