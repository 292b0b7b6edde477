#!/bin/bash
# Stacks too large to try out, against a mixed-integer program solved by GLPK.
. "$(dirname "$0")/../lib.sh"
command -v python3 >/dev/null || skip_all "python3 is not installed"
command -v glpsol >/dev/null || skip_all "glpsol (Debian: glpk-utils) is not installed"
milp() { python3 "$PLIMSOLL_SOURCE/tests/plan/milp.py" "$PLIMSOLL" "$@"; }
ok "12 stacks of 6 components, 8 candidates, 3 pools" milp 12 1 6 8 3 20
ok "3 stacks of 12 components, 20 candidates, 4 pools" milp 3 101 12 20 4 20
if [ "${PLIMSOLL_FULL:-0}" -ge 1 ]; then
    ok "16 stacks of 8 components, 10 candidates, 4 pools" milp 16 500 8 10 4 20
    ok "4 stacks of 12 components, 20 candidates, 4 pools" milp 4 300 12 20 4 20
fi
done_testing
