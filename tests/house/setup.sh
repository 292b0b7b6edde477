#!/bin/bash
# The front door's scripts, as far as they can be tried without changing the machine.
. "$(dirname "$0")/../lib.sh"
tools=$PLIMSOLL_SOURCE/tools

# where a machine gets its packages from: both of apt's formats
mirror() { # NAME of a folder under $T
    PLIMSOLL_APT_DIR=$T/$1 PLIMSOLL_DEBIAN_MIRROR='' PLIMSOLL_SHOW_MIRROR=1 "$tools/fetch-engines"
}
mkdir -p "$T"/{one,deb822,list,off,none,other}/sources.list.d
cat >"$T/one/sources.list" <<'END'
# deb http://commented.test/debian bookworm main
deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] https://tool.test/apt stable main
deb-src http://source.test/debian bookworm main
deb http://security.test/debian-security bookworm-security main
deb [ trusted=no ] http://one.test/debian bookworm contrib main # words after
END
is "one-line format" "$(mirror one)" http://one.test/debian
cat >"$T/deb822/sources.list.d/a.sources" <<'END'
Types: deb
URIs: https://node.test/node_20.x
Suites: nodistro
Components: main

# a comment
Types: deb deb-src
URIs: http://two.test/debian
 http://three.test/debian
Suites: bookworm
 bookworm-updates
Components: non-free
 main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
END
is "deb822 format" "$(mirror deb822)" http://two.test/debian
printf 'Types: deb\nEnabled: no\nURIs: http://off.test/debian\nSuites: sid\nComponents: main\n' \
    >"$T/off/sources.list.d/off.sources"
is "a switched-off source is none" "$(mirror off)" ""
printf 'http://listed.test/debian\n' >"$T/mirrors.list"
printf 'Types: deb\nURIs: mirror+file://%s\nSuites: trixie\nComponents: main\n' "$T/mirrors.list" \
    >"$T/list/sources.list.d/debian.sources"
is "a file of mirrors" "$(mirror list)" http://listed.test/debian
is "no source" "$(mirror none)" ""
printf 'deb http://archive.test/ubuntu jammy main\n' >"$T/other/sources.list"
is "not Debian" "$(mirror other)" ""
is "the variable wins" "$(PLIMSOLL_DEBIAN_MIRROR=http://own.test/x PLIMSOLL_SHOW_MIRROR=1 \
    "$tools/fetch-engines")" http://own.test/x

# each cause of a failure is one line
run env PLIMSOLL_APT_DIR="$T/none" PLIMSOLL_DEBIAN_MIRROR= "$tools/fetch-engines" "$T/new"
if command -v mmdebstrap >/dev/null; then
    is "no archive: status" "$status" 1
    is "no archive: one line" "$(grep -c . <<<"$err")" 1
    like "no archive: says what to set" "$err" "PLIMSOLL_DEBIAN_MIRROR"
    run env PLIMSOLL_DEBIAN_MIRROR="file:///nonexistent" "$tools/fetch-engines" "$T/new"
    is "unreachable archive: status" "$status" 1
    is "unreachable archive: one line" "$(grep -c . <<<"$err")" 1
    is "unreachable archive: nothing left" "$(ls -d "$T"/new* 2>/dev/null)" ""
else
    skip "failures of fetch-engines" "mmdebstrap is not installed"
fi
run "$tools/fetch-engines" "$T/no/such/folder/engines"
is "no such folder: status" "$status" 1
run "$tools/setup" nonsense
is "unknown list: status" "$status" 1
like "unknown list: said" "$err" "^setup: unknown list 'nonsense'"
run "$tools/setup" --list build
like "package list" "$out" '^meson$'
mkdir -p "$T/whole"
printf 'version: llama.cpp 9 (test)\n' >"$T/whole/PLIMSOLL-ENGINES"
run "$tools/fetch-engines" "$T/whole"
is "a whole folder is left alone" "$status" 0
like "a whole folder says its version" "$out" "llama.cpp 9 \(test\)"

# the counts of run-tests
mkdir -p "$T/b/meson-logs" "$T/bin"
cat >"$T/bin/meson" <<'END'
#!/bin/sh
cp "$T/log" "$T/b/meson-logs/testlog.json"
exit "${MESON_STATUS:-0}"
END
chmod +x "$T/bin/meson"
export T
point() { # NAME RESULT OUTPUT
    jq -nc --arg n "$1" --arg r "$2" --arg o "$3" '{name: $n, result: $r, stdout: $o}'
}
if command -v jq >/dev/null; then
    {
        point tap OK $'1..3\nok 1 - a\nok 2 - b # SKIP no reason\nok 3 - c'
        point plain OK 'whatever'
        point none SKIP '1..0 # SKIP no engine'
    } >"$T/log"
    run env PATH="$T/bin:$PATH" "$tools/run-tests" "$T/b"
    is "counts: last line" "$(tail -n 1 <<<"$out")" "3 passed, 0 failed, 2 skipped"
    is "counts: status" "$status" 0
    like "counts: a skipped point says why" "$out" "^skipped: tap: b # SKIP no reason"
    {
        point tap FAIL $'1..2\nok 1 - a\nnot ok 2 - b'
        point crash ERROR $'1..9\nok 1 - a'
        point slow TIMEOUT ''
    } >"$T/log"
    run env PATH="$T/bin:$PATH" MESON_STATUS=3 "$tools/run-tests" "$T/b"
    is "failures: last line" "$(tail -n 1 <<<"$out")" "2 passed, 3 failed, 0 skipped"
    is "failures: status" "$status" 1
    : >"$T/log"
    run env PATH="$T/bin:$PATH" "$tools/run-tests" "$T/b"
    is "nothing run is a failure" "$status" 1
else
    skip "counts" "jq is not installed"
fi
done_testing
