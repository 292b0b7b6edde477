#!/bin/bash
# Our scripts: syntax always, shellcheck where it is installed.
. "$(dirname "$0")/../lib.sh"
cd "$PLIMSOLL_SOURCE" || exit 99
mapfile -t scripts < <(grep -lE '^#!/(usr/)?bin/(env )?(ba)?sh' -r tools tests .ci bench fuzz 2>/dev/null | sort)
for script in "${scripts[@]}" tests/lib.sh tools/lib.sh; do
    ok "$script: syntax" bash -n "$script"
done
if command -v shellcheck >/dev/null; then
    # 1091, 2154, 2034: what a sourced file defines; 2016: words meant literally; 2015: a && b || die;
    # 2012: ls of our own names; 2164: cd under set -e
    for script in "${scripts[@]}"; do
        ok "$script: shellcheck" shellcheck -S warning -e SC1091,SC2154,SC2034,SC2016,SC2015,SC2012,SC2164 "$script"
    done
else
    skip "shellcheck" "shellcheck is not installed"
fi
done_testing
