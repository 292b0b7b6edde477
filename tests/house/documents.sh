#!/bin/bash
# The documents say what is so: verbs, exit codes, links, names.
. "$(dirname "$0")/../lib.sh"
cd "$PLIMSOLL_SOURCE" || exit 99

ok "README: the verbs are the program's (else: tools/update-docs)" tools/update-docs --check "$PLIMSOLL"

# every exit code of the source is in the table, with no other beside it
codes=$(sed -n 's/^ *PL_EXIT_[A-Z_]* = \([0-9]\).*/\1/p' src/base/err.h)
is "README: exit codes" "$(awk '/^## Exit codes/ { on = 1 } /^## When/ { on = 0 } on' README.md |
    sed -n 's/^| \([0-9]\) |.*/\1/p')" "$codes"

for doc in *.md docs/*.md fuzz/*.md bench/*.md; do
    [ -e "$doc" ] || continue
    broken=
    for link in $(grep -oE '\]\([^)#]+' "$doc" | sed 's/^](//' | grep -vE '^[a-z]+:'); do
        [ -e "$(dirname "$doc")/$link" ] || broken+=" $link"
    done
    is "$doc: links lead somewhere" "$broken" ""
    is "$doc: marks come in pairs" "$(grep -oE '<!-- [a-z-]+:begin' "$doc" | sed 's/:begin//' | sort)" \
        "$(grep -oE '<!-- [a-z-]+:end' "$doc" | sed 's/:end//' | sort)"
    # files and folders of ours that a document names
    gone=
    for path in $(grep -oE '`(src|tools|tests|data|fuzz|bench|man)/[A-Za-z0-9_./-]+`' "$doc" | tr -d '`' | sort -u); do
        case $path in *NAME* | *MODULE* | *\** | data/schema) continue ;; esac
        [ -e "$path" ] || compgen -G "$path.*" >/dev/null || gone+=" $path"
    done
    is "$doc: what it names is there" "$gone" ""
done
for target in $(grep -ohE '`make [a-z]+' README.md ARCHITECTURE.md SECURITY.md | sed 's/.* //' | sort -u); do
    ok "make $target is a target" grep -qE "^$target:" Makefile
done

# the project speaks of itself alone
unlike "no address of an archive or a registry" \
    "$(grep -rInE '(deb|security|ftp|snapshot)\.debian\.org|registry\.npmjs|pypi\.org' \
        src tests tools data fuzz man .ci Makefile ./*.md ./meson* 2>/dev/null)" .
done_testing
