#!/bin/bash
# Random stacks whose every choice is tried: the same plan, objective, order, verdict and conflict.
. "$(dirname "$0")/../lib.sh"
command -v python3 >/dev/null || skip_all "python3 is not installed"
brute() { python3 "$PLIMSOLL_SOURCE/tests/plan/brute.py" "$PLIMSOLL" "$@"; }
if [ "${PLIMSOLL_FULL:-0}" -ge 1 ]; then
    ok "800 stacks of up to 4 components" brute 800 1 4
    ok "300 stacks of up to 5 components" brute 300 10000 5
else
    ok "250 stacks of up to 4 components" brute 250 1 4
fi
done_testing
