#!/bin/bash
# The sources are as clang-format leaves them.
. "$(dirname "$0")/../lib.sh"
run "$PLIMSOLL_SOURCE/tools/format" --check
[ "$status" -ne 77 ] || skip_all "clang-format 14 is not installed"
is "clang-format changes nothing" "$status" 0
[ "$status" -eq 0 ] || diag "$(grep -E 'warning|error' <<<"$err" | head -n 20)"
done_testing
