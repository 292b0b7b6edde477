#!/bin/bash
# The layering holds; and the tool that says so notices every kind of breach.
. "$(dirname "$0")/../lib.sh"
check=$PLIMSOLL_SOURCE/tools/check-layers

ok "includes and symbols of the source" "$check" "$PLIMSOLL_SOURCE/src" "$PLIMSOLL_BUILD"

# a tree that keeps the rules
s=$T/src
mkdir -p "$s"/{base,domain,sys,machine,model,engine/a,engine/b,plan,ledger,report,cli}
echo 'int pl_x(void);' | tee "$s"/{base/err,domain/model,sys/fs,machine/probe,model/gguf,engine/engine}.h \
    "$s"/{engine/a/settings,engine/a/launch,engine/b/launch,plan/solve,ledger/ledger,report/text}.h >/dev/null
printf '#include "base/err.h"\n' >"$s/domain/model.c"
printf '#include "../base/err.h"\n#include "settings.h"\n#include "engine/engine.h"\n#include <stdio.h>\n' \
    >"$s/engine/a/launch.c"
printf '#include "domain/model.h"\n#include "engine/a/settings.h"\n#include "table.inc"\n' \
    >"$s/engine/a/footprint.c"
printf '#include "plan/solve.h"\n#include "report/text.h"\n#include "engine/b/launch.h"\n' >"$s/cli/plan.c"
sed -i 's|"../base/err.h"|"base/err.h"|' "$s/engine/a/launch.c"
ok "a tree that keeps the rules" "$check" "$s"

# breach NAME FILE INCLUDE EXPECTED: adds the line, wants the breach, takes the line away
breach() {
    cp "$s/$2" "$T/kept" 2>/dev/null || : >"$T/kept"
    printf '\n#include "%s"\n' "$3" >>"$s/$2"
    run "$check" "$s"
    is "$1: status" "$status" 1
    like "$1: named" "$out" "$4"
    cp "$T/kept" "$s/$2"
}
breach "a room to its right" domain/model.c sys/fs.h \
    '^domain: domain/model.c:3: includes sys/fs.h, which domain may not$'
breach "siblings" machine/probe.h model/gguf.h \
    '^machine: machine/probe.h:3: includes model/gguf.h, which machine may not$'
breach "two engines" engine/a/launch.c engine/b/launch.h 'includes engine/b/launch.h, which engine/a/ may not$'
breach "a pure file and the system" engine/a/footprint.c sys/fs.h \
    '^engine: engine/a/footprint.c:5: includes sys/fs.h, which the pure engine/a/footprint.c may not$'
breach "a pure file, round a corner" engine/a/settings.h engine/engine.h 'which the pure .* may not'
breach "the planner and an engine" plan/solve.h engine/engine.h 'which plan may not$'
breach "the planner in a sibling" report/text.h plan/solve.h 'which report may not$'
breach "a loop" base/err.h base/err.h '^base: include cycle: base/err.h'
breach "a header that is not there" cli/plan.c plan/nowhere.h 'includes plan/nowhere.h, which is nowhere in the source$'
mkdir "$s/attic"
breach "an unknown room" attic/old.c base/err.h '^attic: attic/old.c: is a room the layering does not know$'
rm -r "$s/attic"
printf '#include "domain/b.h"\n' >"$s/domain/a.h"
printf '#include "domain/a.h"\n' >"$s/domain/b.h"
run "$check" "$s"
is "a loop of two: status" "$status" 1
like "a loop of two: named" "$out" '^domain: include cycle: domain/(a.h -> domain/b.h|b.h -> domain/a.h)$'
rm "$s"/domain/[ab].h

# symbols: objects made here, laid out as meson lays them
if command -v cc >/dev/null && command -v nm >/dev/null; then
    object() { # ROOM/LIB/UNIT, source text on stdin
        mkdir -p "$T/b/src/$(dirname "$1")"
        cc -x c -O0 -c -o "$T/b/src/$1.c.o" - 2>"$T/cc" || diag "$(cat "$T/cc")"
    }
    object base/libpl_base.a.p/err <<<'int pl_fail(void) { return -1; }'
    object sys/libpl_sys.a.p/fs <<<'int pl_read(void) { return 0; }'
    object engine/libpl_engine.a.p/a_helper <<<'int pl_help(void) { return 0; }'
    object engine/libpl_engine.a.p/a_launch <<<'int fork(void); int pl_launch(void) { return fork(); }'
    object engine/libpl_engine.a.p/a_footprint \
        <<<'int pl_fail(void), pl_help(void); int pl_a(void) { return pl_fail() + pl_help(); }'
    ok "objects that keep the rules" "$check" "$s" "$T/b"
    calls() { # NAME CALL EXPECTED
        object engine/libpl_engine.a.p/a_speed <<<"int $2(void); int pl_s(void) { return $2(); }"
        run "$check" "$s" "$T/b"
        is "$1: status" "$status" 1
        like "$1: named" "$out" "$3"
    }
    calls "a system call" fopen '^engine: engine/a_speed: calls fopen, which a pure part may not$'
    calls "another room" pl_read 'calls pl_read of sys/fs, which a pure part may not'
    calls "the environment" getenv 'calls getenv'
    calls "the clock" pl_utc_now 'calls pl_utc_now'
    calls "round a corner" pl_launch 'engine/a_launch: calls fork, which a pure part may not \(reached from engine/a_speed\)'
else
    skip "symbols" "no compiler"
fi
# a function of SQLite without a row in the table would be a call to nowhere
used=$(cat "$PLIMSOLL_SOURCE"/src/ledger/*.c | grep -oE '\bsqlite3_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u)
rows=$(sed -n 's/^ *PL_FUNCTION(\([a-z0-9_]*\)),$/sqlite3_\1/p' "$PLIMSOLL_SOURCE/src/ledger/sqlite_lib.c" | sort -u)
is "ledger: every function of SQLite that is called is loaded" "$(comm -23 <(echo "$used") <(echo "$rows"))" ""
done_testing
