#!/bin/bash
# Stacks of 50 and 100 components: a plan in a second, right in itself, and what is not proved is said.
. "$(dirname "$0")/../lib.sh"
command -v python3 >/dev/null || skip_all "python3 is not installed"
large() { python3 "$PLIMSOLL_SOURCE/tests/plan/large.py" "$PLIMSOLL" "$@"; }
ok "3 stacks of 50 components, 8 pools" large 3 9000 50 10 8
ok "2 stacks of 50 components, 16 pools" large 2 9000 50 10 16
ok "2 stacks of 100 components, 16 pools" large 2 9000 100 10 16
if [ "${PLIMSOLL_FULL:-0}" -ge 1 ]; then
    ok "40 stacks of 50 components, 16 pools" large 40 9100 50 10 16
    ok "20 stacks of 100 components, 16 pools" large 20 9200 100 10 16
fi
done_testing
