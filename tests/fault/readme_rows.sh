#!/bin/bash
# Every row of README's "When it does not work" happens here, and what the program says is held
# against the words of the row. A row without a test of its own fails.
. "$(dirname "$0")/../lib.sh"

install -m 755 "$PLIMSOLL" "$T/plimsoll" # away from any engines folder, and readable by anybody
chmod 711 "$T"
trap 'umount "$T/disk" 2>/dev/null; rm -rf "$T"' EXIT
real_engine() { [ -n "${PLIMSOLL_ENGINES:-}" ] && engine llama-server >/dev/null; }
no_engine="no engines: PLIMSOLL_ENGINES names no folder"

# Each row is a function: it calls it() once or more, or sets $skip to a reason.
#   it COMMAND...: what it says joins $said; its status becomes $status
it() {
    run "$@"
    said+=$out$'\n'$err$'\n'
}
# a small file system in $T/disk; a failure where mounting is not allowed
disk() { # SIZE
    mkdir -p "$T/disk" && mount -t tmpfs -o "size=$1" none "$T/disk" 2>/dev/null
}
# as somebody with no rights, and that is not us
nobody() {
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
    else
        "$@"
    fi
}
"$PLIMSOLL" ghost smollm2-135m -o "$T/model.gguf" >/dev/null || exit 99

row_no_engine() {
    [ -e /usr/local/share/plimsoll/engines ] && skip="an engine is installed for everybody" && return
    it env -C "$T" -u PLIMSOLL_ENGINES -u PLIMSOLL_ENGINE PATH=/nonexistent "$T/plimsoll" try smollm2-135m
    like "no engine: the hint" "$err" '^hint: .*make engines.*--engine PATH'
}
row_no_such_file() {
    it "$PLIMSOLL" estimate qwen3-9b
    like "no such file: the nearest" "$err" '^hint: did you mean .*qwen3-8b'
}
row_unreadable_file() {
    if [ "$(id -u)" -eq 0 ] && ! nobody true 2>/dev/null; then
        skip="root may read everything, and setpriv does not work"
        return
    fi
    cp "$T/model.gguf" "$T/private.gguf"
    chmod 0 "$T/private.gguf"
    it nobody "$T/plimsoll" estimate "$T/private.gguf"
}
row_not_a_GGUF() {
    echo 'PK this is an archive' >"$T/archive.gguf"
    it "$PLIMSOLL" estimate "$T/archive.gguf"
}
row_truncated() {
    # inside the header: at the count of keys, in the tokenizer, between two keys, among the tensors
    for n in 20 100000 1500000 1900000; do
        head -c $n "$T/model.gguf" >"$T/cut.gguf"
        it "$PLIMSOLL" estimate "$T/cut.gguf"
        is "truncated after $n bytes: exit 2" "$status" 2
        like "truncated after $n bytes: a hint" "$err" '^hint: the download may be unfinished'
    done
    head -c 60000000 "$T/model.gguf" >"$T/cut.gguf"
    it "$PLIMSOLL" estimate "$T/cut.gguf"
    like "truncated: a hint" "$err" '^hint: the download may be unfinished'
    rm -f "$T/cut.gguf"
}
# What listens is an engine: llama-server without a model (its router).
row_remote_model_refused() {
    # a server that lets nobody in
    command -v python3 >/dev/null || { skip="python3 is not installed"; return; }
    python3 -c 'if True:
        import http.server
        class H(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(401)
                self.send_header("Content-Length", "0")
                self.end_headers()
            def log_message(self, *a):
                pass
        s = http.server.HTTPServer(("127.0.0.1", 0), H)
        print(s.server_port, flush=True)
        s.serve_forever()' >"$T/port" &
    local server=$!
    for _ in $(seq 200); do [ -s "$T/port" ] && break || sleep 0.05; done
    it env -u http_proxy -u HTTP_PROXY -u all_proxy -u ALL_PROXY XDG_CACHE_HOME="$T/cache" \
        "$PLIMSOLL" inspect "http://127.0.0.1:$(cat "$T/port")/model.gguf"
    kill "$server"
    wait "$server" 2>/dev/null
}
# the server of the network tests, over $T/web with a model in it; sets $at
web_server() {
    command -v python3 >/dev/null || { skip="python3 is not installed"; return 1; }
    mkdir -p "$T/web"
    cp --sparse=always "$T/model.gguf" "$T/web/model.gguf"
    python3 "$PLIMSOLL_SOURCE/tests/remote/server.py" "$T/web" "$T/webport" "$T/weblog" &
    web_pid=$!
    for _ in $(seq 100); do [ -s "$T/webport" ] && break || sleep 0.05; done
    at=http://127.0.0.1:$(cat "$T/webport")
}
row_pulled_by_another() {
    web_server || return
    "$PLIMSOLL" pull "$at/slow/model.gguf" -o "$T/pulled.gguf" --no-test >/dev/null 2>&1 &
    first=$!
    for _ in $(seq 100); do [ -s "$T/pulled.gguf.part.state" ] && break || sleep 0.05; done
    it "$PLIMSOLL" pull "$at/slow/model.gguf" -o "$T/pulled.gguf" --no-test
    kill $first $web_pid
    wait $first $web_pid 2>/dev/null
    rm -f "$T/webport"
}
row_wrong_hash() {
    web_server || return
    it "$PLIMSOLL" pull "$at/linkedflips/model.gguf" -o "$T/wrong.gguf" --no-test
    kill $web_pid
    wait $web_pid 2>/dev/null
    not_ok "wrong hash: no such file" test -e "$T/wrong.gguf"
    rm -f "$T/webport"
}
row_no_network() {
    # port 9 of this machine: nobody listens there
    it env -u http_proxy -u HTTP_PROXY -u all_proxy -u ALL_PROXY XDG_CACHE_HOME="$T/cache" \
        "$PLIMSOLL" inspect http://127.0.0.1:9/model.gguf
}
row_nothing_to_read() {
    it bash -c 'ulimit -n 4; exec "$@"' - "$PLIMSOLL" assess # the folders cannot be opened
}
row_port_taken() {
    local pid port=$((20000 + $$ % 12000)) # below the ports that the kernel gives out
    real_engine || { skip=$no_engine; return; }
    engine_exec llama-server --host 127.0.0.1 --port $port >"$T/router" 2>&1 &
    pid=$!
    for _ in $(seq 400); do
        (exec 3<>/dev/tcp/127.0.0.1/$port) 2>/dev/null && break
        kill -0 $pid 2>/dev/null || break
        sleep 0.05
    done
    it "$PLIMSOLL" try smollm2-135m --port $port
    kill $pid 2>/dev/null || diag "the engine that was to listen had ended: $(tail -n 3 "$T/router")"
    wait $pid 2>/dev/null
    unlike "port taken: nothing is stored as a run that worked" "$("$PLIMSOLL" runs)" ' ok'
}
row_too_big() {
    real_engine || { skip=$no_engine; return; }
    # an engine that tells what it was started for
    {
        printf '#!/bin/bash\necho "$*" >>"%s"\n' "$T/calls"
        declare -f # those of lib.sh
        echo 'engine_exec llama-server "$@"'
    } >"$T/told"
    chmod +x "$T/told"
    it "$PLIMSOLL" try llama-3.3-70b -c 100000000 --engine "$T/told"
    is "too big: exit 1 of try" "$status" 1
    like "too big: --force is named" "$err" '^hint: .*--force starts it anyway'
    is "too big: the engine was only asked what it is and sees" "$(tr '\n' ' ' <"$T/calls")" \
        "--version --list-devices "
    it "$PLIMSOLL" estimate llama-3.3-70b -c 100000000
}
row_no_memory_for_the_engine() {
    real_engine || { skip=$no_engine; return; }
    it bash -c 'ulimit -v 4194304; exec "$@"' - "$PLIMSOLL" try smollm2-135m -c 1000000 --force
}
row_engine_killed() {
    real_engine || { skip=$no_engine; return; }
    : >"$T/e"
    "$PLIMSOLL" try smollm2-135m -t 1 -tb 1 -c 8192 -p 64 -n 4000 --log "$T/log" >"$T/o" 2>"$T/e" &
    local pid=$!
    for _ in $(seq 3000); do
        grep -q 'repeat' "$T/e" && break
        kill -0 $pid 2>/dev/null || break
        sleep 0.01
    done
    engine_pids | xargs kill -KILL
    wait $pid
    status=$?
    said=$(cat "$T/e")
}
row_ledger_read_only() {
    real_engine || { skip=$no_engine; return; }
    mkdir -p "$T/disk"
    if [ "$(id -u)" -eq 0 ]; then
        disk 1m || { skip="root may write everywhere, and mounting is not allowed"; return; }
    fi
    "$PLIMSOLL_BUILD/tests/unit/make_ledger" "$T/disk/l.db" >/dev/null
    chmod 400 "$T/disk/l.db"
    [ "$(id -u)" -ne 0 ] || mount -o remount,ro "$T/disk"
    it "$PLIMSOLL" try smollm2-135m --ledger "$T/disk/l.db"
    ok "ledger read-only: it can still be read" "$PLIMSOLL" runs --ledger "$T/disk/l.db"
    [ "$(id -u)" -ne 0 ] || umount "$T/disk"
    rm -rf "$T/disk"
}
row_disk_full() {
    disk 400k || { skip="mounting is not allowed"; return; }
    "$PLIMSOLL_BUILD/tests/unit/make_ledger" "$T/disk/l.db" >/dev/null
    cp "$T/disk/l.db" "$T/before.db"
    dd if=/dev/zero of="$T/disk/fill" bs=4k 2>/dev/null
    it "$PLIMSOLL" ghost smollm2-135m -o "$T/disk/g.gguf"
    is "disk full, a ghost: exit 4" "$status" 4
    like "disk full, a ghost: said" "$err" 'the disk is full'
    is "disk full, a ghost: nothing is left of it" "$(find "$T/disk" -type f ! -name 'l.db*' ! -name fill)" ""
    if real_engine; then
        it "$PLIMSOLL" try smollm2-135m --ledger "$T/disk/l.db"
        is "disk full, a ledger: exit 4" "$status" 4
        like "disk full, a ledger: said" "$err" 'the ledger: the disk is full'
    else
        skip "disk full, a ledger" "$no_engine"
    fi
    run "$PLIMSOLL" runs --ledger "$T/disk/l.db"
    is "disk full: what was stored is there" "$out" "$("$PLIMSOLL" runs --ledger "$T/before.db")"
    umount "$T/disk"
    it bash -c 'exec "$@" >/dev/full' - "$PLIMSOLL" version
}

# The set-up, on a machine that has nothing, as its scripts see it: what they ask is answered here.
machine() { # UID FREE-MIB
    local p
    rm -rf "${T:?}/bin"
    mkdir "$T/bin"
    for p in bash env dirname basename awk mktemp rm grep tail cut sed cat; do
        ln -s "$(command -v "$p")" "$T/bin/$p"
    done
    printf '#!/bin/bash\necho %s\n' "$1" >"$T/bin/id"
    printf '#!/bin/bash\nexit 1\n' >"$T/bin/dpkg-query"
    printf '#!/bin/bash\nprintf "head\\nfs 9 9 %s 9 /\\n"\n' "$2" >"$T/bin/df"
    printf '#!/bin/bash\necho "E: Temporary failure resolving '"'archive.test'"'"\nexit 100\n' >"$T/bin/apt-get"
    chmod +x "$T"/bin/{id,dpkg-query,df,apt-get}
    it env PATH="$T/bin" "$PLIMSOLL_SOURCE/tools/setup" build
}
row_set_up_no_network() { machine 0 5000; }
row_set_up_no_root() { machine 1000 5000; }
row_set_up_no_room() { machine 0 5; }

# A regular expression from the words of a row.
pattern() {
    sed -E 's/[][\\.*^$+?(){}|]/\\&/g; s/\\\.\\\.\\\./.*/g; s/ / +/g
        s/(^|[^A-Za-z_])(MODEL|FILE|URL|DIR|POOL|SIZE|N|M)($|[^A-Za-z_])/\1.+\3/g
        s/(^|[^A-Za-z_])(MODEL|FILE|DIR|POOL|SIZE|N|M)($|[^A-Za-z_])/\1.+\3/g' <<<"$1"
}
rows=$(sed -n '/^## When it does not work/,/^## /p' "$PLIMSOLL_SOURCE/README.md" | grep '^| ' |
    grep -vE '^\| (what happened|---)')
ok "the table has its rows" test "$(grep -c '' <<<"$rows")" -ge 10
while IFS='|' read -r _ name words code _; do
    name=$(sed 's/^ *//; s/ *$//' <<<"$name")
    f=row_$(tr -cs 'A-Za-z\n' _ <<<"$name")
    if ! declare -F "$f" >/dev/null; then
        tap_result 1 "row '$name' has a test"
        continue
    fi
    said='' status='' skip=''
    $f
    if [ -n "$skip" ]; then
        skip "$name" "$skip"
        continue
    fi
    is "$name: exit" "$status" "$(tr -d ' ' <<<"$code")"
    while read -r piece; do
        like "$name: says: $piece" "$said" "$(pattern "$piece")"
    done < <(grep -oE '`[^`]+`' <<<"$words" | tr -d '`' | grep -vx estimate)
done <<<"$rows"
done_testing
