# For the scripts that need the test server: starts it over $web; sets $at (its address), $log.
python=$(command -v python3) || skip_all "python3 is not installed"
unset http_proxy HTTP_PROXY https_proxy HTTPS_PROXY all_proxy ALL_PROXY HF_TOKEN HF_ENDPOINT HF_HOME \
    HF_TOKEN_PATH HUGGING_FACE_HUB_TOKEN HF_HUB_CACHE HF_HUB_OFFLINE PLIMSOLL_OFFLINE OLLAMA_MODELS \
    PLIMSOLL_OLLAMA_REGISTRY CURL_CA_BUNDLE SSL_CERT_FILE
tools=$PLIMSOLL_SOURCE/tests/remote
web=$T/web log=$T/log
mkdir -p "$web"

# gguf FILE TOKENS [PART OF]: a file below $web
gguf() {
    mkdir -p "$(dirname "$web/$1")"
    "$python" "$tools/gguf.py" "$web/$1" "${@:2}"
}

# The server writes a request's line after its last byte: waits until all are there.
settled() {
    "$python" -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1] + "/idle", timeout=60)' "$at"
}

start_server() {
    : >"$log"
    "$python" "$tools/server.py" "$web" "$T/port" "$log" 2>"$T/server.err" &
    server=$!
    trap 'kill $server 2>/dev/null; rm -rf "$T"' EXIT
    for _ in $(seq 200); do [ -s "$T/port" ] && break || sleep 0.05; done
    [ -s "$T/port" ] || skip_all "the test server did not start: $(cat "$T/server.err")"
    at=http://127.0.0.1:$(cat "$T/port")
}
