#!/bin/bash
# Every key of a stack file given wrongly: one line with file, line, column, and the right word.
. "$(dirname "$0")/../lib.sh"
command -v python3 >/dev/null || skip_all "python3 is not installed"
exec python3 "$PLIMSOLL_SOURCE/tests/plan/key_errors.py" "$PLIMSOLL" "$PLIMSOLL_SOURCE/data/schema/stack.json"
