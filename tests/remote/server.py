#!/usr/bin/env python3
"""A web server for tests: one that serves files as the hubs do, and many that misbehave.

    server.py FOLDER PORTFILE LOG

serves FOLDER on a free port of 127.0.0.1 (written to PORTFILE), one line a request in LOG: METHOD PATH
STATUS BYTES RANGE AUTH. The first part of a path says how: /plain/x.gguf and so on, see `ways`."""
import hashlib
import http.server
import json
import os
import re
import sys
import threading
import time
import urllib.parse

root, portfile, logfile = sys.argv[1:4]
log = open(logfile, "a", buffering=1)
seen = {}
lock = threading.Lock()
busy = threading.Condition(lock)
at_work = 0  # requests that are not in the log yet


def count(key):
    with lock:
        seen[key] = seen.get(key, 0) + 1
        return seen[key]


def working(n):
    global at_work
    with busy:
        at_work += n
        busy.notify_all()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *a):
        pass

    def note(self, status, sent):
        auth = self.headers.get("Authorization") or "-"
        log.write("%s %s %s %d %s %s\n" % (self.command, self.path, status, sent,
                                           self.headers.get("Range") or "-", auth.replace(" ", "_")))

    def answer(self, status, headers=(), body=b""):
        self.send_response(status)
        for k, v in headers:
            self.send_header(k, v)
        if not any(k.lower() in ("content-length", "transfer-encoding") for k, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.note(status, len(body))  # before the client can go on
        self.end_headers()
        try:
            self.wfile.write(body)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def file(self, rel):
        path = os.path.join(root, rel)
        if ".." in rel or not os.path.isfile(path):
            return None
        return path

    def etag(self, path):
        st = os.stat(path)
        return '"%x-%x"' % (st.st_size, st.st_mtime_ns)

    def serve(self, rel, ranges=True, extra=(), etag=None, total=None, cut=None, shift=0, modified=None,
              pace=None, flip=False):
        path = self.file(rel)
        if path is None:
            return self.answer(404, body=b"no such file")
        size = os.path.getsize(path)
        tag = self.etag(path) if etag is None else etag
        headers = list(extra)
        if tag:
            headers.append(("ETag", tag))
        if modified:
            headers.append(("Last-Modified", modified))
        if tag and self.headers.get("If-None-Match") == tag:
            return self.answer(304, headers)
        if modified and self.headers.get("If-Modified-Since") == modified:
            return self.answer(304, headers)
        m = re.match(r"bytes=(\d+)-(\d*)$", self.headers.get("Range") or "")
        if self.headers.get("If-Range") and self.headers["If-Range"] not in (tag, modified):
            m = None
        first, last, status = 0, size - 1, 200
        if m and ranges:
            first = int(m.group(1))
            last = min(int(m.group(2) or size - 1), size - 1)
            if first >= size:
                return self.answer(416, [("Content-Range", "bytes */%d" % size)])
            status = 206
            headers.append(("Content-Range", "bytes %d-%d/%s" % (first + shift, last + shift,
                                                               size if total is None else total)))
        n = last - first + 1
        headers.append(("Content-Length", str(n)))
        self.send_response(status)
        for k, v in headers:
            self.send_header(k, v)
        left = n if cut is None else min(n, cut)
        sent, noted = 0, left == 0
        if noted:
            self.note(status, 0)
        self.end_headers()
        with open(path, "rb") as f:
            f.seek(first)
            while left > 0:
                piece = f.read(min(65536, left))
                if flip and size - f.tell() < 1 << 20:
                    piece = piece[:-1] + bytes([piece[-1] ^ 1])
                if pace:
                    time.sleep(len(piece) / pace)
                if len(piece) == left:  # the last: noted before the client can go on
                    self.note(status, sent + len(piece))
                    noted = True
                try:
                    self.wfile.write(piece)
                except (BrokenPipeError, ConnectionResetError):
                    break
                sent += len(piece)
                left -= len(piece)
        if cut is not None and cut < n:
            self.close_connection = True
        if not noted:
            self.note(status, sent)

    def do_GET(self):
        if self.path == "/idle":
            return self.idle()
        working(1)
        try:
            self.go_on()
        finally:
            working(-1)

    def idle(self):  # answers, without a line in the log, when every other request has its line
        with busy:
            busy.wait_for(lambda: at_work == 0, timeout=30)
        self.send_response(204)
        self.end_headers()

    def go_on(self):
        url = urllib.parse.urlsplit(self.path)
        way, _, rel = url.path.lstrip("/").partition("/")
        rel = urllib.parse.unquote(rel)
        handler = getattr(self, "way_" + way.replace("-", "_"), None)
        if handler is None:
            return self.answer(404, body=b"no such way")
        handler(rel, url.query)

    do_HEAD = do_GET

    # --- servers that behave ---
    def way_plain(self, rel, q):
        self.serve(rel)

    def way_noranges(self, rel, q):
        self.serve(rel, ranges=False)

    def way_modified(self, rel, q):  # a date, no tag
        self.serve(rel, etag="", modified="Sat, 21 Nov 2026 10:00:00 GMT")

    def way_redirect(self, rel, q):  # to another origin, with a signature
        path = self.file(rel)
        extra = [("Location", "http://localhost:%d/signed/%s?sig=SECRETSIG" % (port, rel))]
        if path:
            extra += [("X-Linked-Size", str(os.path.getsize(path))),
                      ("X-Linked-Etag", '"%s"' % sha(path))]
        self.answer(302, extra)

    def way_signed(self, rel, q):
        if "sig=SECRETSIG" not in q:
            return self.answer(403, body=b"no signature")
        self.serve(rel)

    def way_expiring(self, rel, q):
        self.answer(302, [("Location", "/once/%s?n=%d" % (rel, count(("expiring", rel))))])

    def way_once(self, rel, q):  # a link that serves one request
        if count(("once", rel, q)) > 1:
            return self.answer(403)
        self.serve(rel)

    def way_token(self, rel, q):  # wants a token, then sends on to another host
        if self.headers.get("Authorization") != "Bearer hf_SECRETTOKEN":
            return self.answer(401, [("X-Error-Code", "GatedRepo")])
        self.answer(302, [("Location", "http://localhost:%d/open/%s" % (port, rel))])

    def way_open(self, rel, q):  # must never see the token
        if self.headers.get("Authorization"):
            return self.answer(500, body=b"the token came along")
        self.serve(rel)

    def way_mirror(self, rel, q):  # an organisation whose files lie on the same host, under another path
        if self.headers.get("Authorization") != "Bearer hf_SECRETTOKEN":
            return self.answer(401, [("X-Error-Code", "GatedRepo")])
        rel = "hub/mirror/" + rel.replace("/resolve/main/", "/", 1)
        self.answer(307, [("Location", "/wants/" + rel)])

    def way_wants(self, rel, q):  # wants the token there too
        if self.headers.get("Authorization") != "Bearer hf_SECRETTOKEN":
            return self.answer(401)
        self.serve(rel)

    # --- a hub of models: FOLDER/hub/ORG/REPO/*; the organisation "gated" wants the token ---
    def gated(self, org):
        return org == "gated" and self.headers.get("Authorization") != "Bearer hf_SECRETTOKEN"

    def way_api(self, rel, q):
        m = re.match(r"models/([^/]+)/([^/]+)$", rel)
        if m and os.path.isdir(os.path.join(root, "hub", m.group(1), m.group(2))) and not self.gated(m.group(1)):
            body = {"sha": hashlib.sha1(rel.encode()).hexdigest(), "gated": "auto" if m.group(1) == "gated" else False,
                    "cardData": {"license": "apache-2.0"}}
            return self.answer(200, [("Content-Type", "application/json")], json.dumps(body).encode())
        m = re.match(r"models/([^/]+)/([^/]+)/tree/main$", rel)
        if m is None or not os.path.isdir(os.path.join(root, "hub", m.group(1), m.group(2))):
            return self.answer(401, [("X-Error-Code", "RepoNotFound")])
        if self.gated(m.group(1)):
            return self.answer(401, [("X-Error-Code", "GatedRepo")])
        top = os.path.join(root, "hub", m.group(1), m.group(2))
        odd = os.path.join(top, "listing.json")
        if os.path.isfile(odd):
            with open(odd, "rb") as f:
                return self.answer(200, body=f.read())
        entries = []
        for folder, _, names in sorted(os.walk(top)):
            for name in sorted(names):
                path = os.path.join(folder, name)
                entries.append({"type": "file", "oid": "0" * 40, "size": os.path.getsize(path),
                                "path": os.path.relpath(path, top),
                                "lfs": {"oid": sha(path), "size": os.path.getsize(path),
                                        "pointerSize": 135}})
        self.answer(200, [("Content-Type", "application/json")], json.dumps(entries).encode())

    def way_org(self, rel, q):
        self.serve("hub/org/" + rel.replace("/resolve/main/", "/", 1))

    def way_HuggingFaceTB(self, rel, q):
        self.serve("hub/HuggingFaceTB/" + rel.replace("/resolve/main/", "/", 1))

    def way_cdn(self, rel, q):  # an organisation whose files lie elsewhere, behind a link that runs out
        rel = "hub/cdn/" + rel.replace("/resolve/main/", "/", 1)
        path = self.file(rel)
        if path is None:
            return self.answer(404)
        self.answer(302, [("Location", "http://localhost:%d/uses/%s?sig=SECRETSIG&n=%d" %
                           (port, rel, count(("cdn", rel)))),
                          ("X-Linked-Size", str(os.path.getsize(path))), ("X-Linked-Etag", '"%s"' % sha(path))])

    def way_uses(self, rel, q):  # three requests a link
        if self.headers.get("Authorization"):
            return self.answer(500, body=b"the token came along")
        if "sig=SECRETSIG" not in q or count(("uses", rel, q)) > 3:
            return self.answer(403, body=b"expired")
        self.serve(rel)

    def way_slow(self, rel, q):  # about SLOW bytes a second, per connection
        self.serve(rel, pace=int(os.environ.get("SLOW", "2000000")))

    def way_redirect_slow(self, rel, q):
        path = self.file(rel)
        self.answer(302, [("Location", "/slow/" + rel), ("X-Linked-Size", str(os.path.getsize(path))),
                          ("X-Linked-Etag", '"%s"' % sha(path))])

    def way_cuts(self, rel, q):  # breaks off after 3 MB of every answer
        self.serve(rel, cut=3000000)

    def way_flips(self, rel, q):  # a wrong byte in the last MiB, under the right identity
        self.serve(rel, flip=True)

    def way_linkedflips(self, rel, q):
        path = self.file(rel)
        self.answer(302, [("Location", "/flips/" + rel), ("X-Linked-Size", str(os.path.getsize(path))),
                          ("X-Linked-Etag", '"%s"' % sha(path))])

    def way_rangesonce(self, rel, q):  # ranges for the first five requests only
        self.serve(rel, ranges=count("rangesonce") <= 5)

    def way_busyall(self, rel, q):  # at most two at a time
        with lock:
            seen["busyall"] = seen.get("busyall", 0) + 1
            now = seen["busyall"]
        try:
            if now > 2:
                return self.answer(429, [("Retry-After", "1")])
            self.serve(rel, pace=4000000)
        finally:
            with lock:
                seen["busyall"] -= 1

    def way_errors(self, rel, q):  # every other request fails
        if count("errors") % 2 == 0:
            return self.answer(503)
        self.serve(rel)

    def way_gated(self, rel, q):
        if self.gated("gated"):
            return self.answer(403, [("X-Error-Code", "GatedRepo")])
        self.serve("hub/gated/" + rel.replace("/resolve/main/", "/", 1))

    # --- a registry of models: FOLDER/registry/NAMESPACE/NAME/TAG is a manifest, FOLDER/blobs/sha256-HEX ---
    def way_v2(self, rel, q):
        m = re.match(r"([^/]+)/([^/]+)/(manifests|blobs)/([^/]+)$", rel)
        if m is None:
            return self.answer(404)
        if m.group(3) == "manifests":
            if "manifest.v2+json" not in (self.headers.get("Accept") or ""):
                return self.answer(406)
            return self.serve("registry/%s/%s/%s" % (m.group(1), m.group(2), m.group(4)))
        self.serve("blobs/" + m.group(4).replace(":", "-"))

    # --- servers that do not ---
    def way_401(self, rel, q):
        self.answer(401)

    def way_403(self, rel, q):
        self.answer(403)

    def way_404(self, rel, q):
        self.answer(404)

    def way_416(self, rel, q):
        self.answer(416, [("Content-Range", "bytes */10")])

    def way_500(self, rel, q):
        self.answer(500)

    def way_500once(self, rel, q):
        if count("500once") == 1:
            return self.answer(503)
        self.serve(rel)

    def way_busy(self, rel, q):
        if count("busy") == 1:
            return self.answer(429, [("Retry-After", "1")])
        self.serve(rel)

    def way_toobusy(self, rel, q):
        self.answer(429, [("Retry-After", "3600")])

    def way_loop(self, rel, q):
        self.answer(302, [("Location", "/loop/" + rel)])

    def way_ftp(self, rel, q):
        self.answer(302, [("Location", "ftp://127.0.0.1/x.gguf")])

    def way_nowhere(self, rel, q):
        self.answer(302)

    def way_gzip(self, rel, q):
        self.serve(rel, extra=[("Content-Encoding", "gzip")])

    def way_breaks(self, rel, q):  # breaks off in the middle of every answer
        self.serve(rel, cut=1000)

    def way_breaksonce(self, rel, q):
        self.serve(rel, cut=1000 if count("breaksonce") == 1 else None)

    def way_wrongtotal(self, rel, q):
        self.serve(rel, total=count("wrongtotal") * 1000000007)

    def way_nototal(self, rel, q):
        self.serve(rel, total="*")

    def way_shift(self, rel, q):
        self.serve(rel, shift=7)

    def way_changing(self, rel, q):  # another tag at each request
        self.serve(rel, etag='"v%d"' % count("changing"))

    def way_changes(self, rel, q):  # replaced once, after the first request
        self.serve(rel, etag='"w1"' if count("changes") == 1 else '"w2"')

    def way_chunked(self, rel, q):
        self.answer(200, [("Transfer-Encoding", "chunked")], b"4\r\nGGUF\r\n0\r\n\r\n")

    def way_html(self, rel, q):
        self.answer(200, [("Content-Type", "text/html")], b"<!doctype html><title>Sign in</title>" * 9)

    def way_empty(self, rel, q):
        self.answer(200, [("ETag", '"e"')])

    def way_stall(self, rel, q):
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        working(-1)
        time.sleep(60)
        working(1)

    def way_headers(self, rel, q):  # endless header lines
        self.send_response(200)
        try:
            for i in range(20000):
                self.send_header("X-%d" % i, "y" * 100)
                if i % 100 == 0:
                    self.flush_headers()
            self.end_headers()
        except OSError:
            pass
        self.close_connection = True


def sha(path, known={}):
    key = (path, os.path.getsize(path), os.stat(path).st_mtime_ns)
    if key not in known:
        with open(path, "rb") as f:
            known[key] = hashlib.sha256(f.read()).hexdigest()
    return known[key]


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
port = server.server_address[1]
with open(portfile + ".new", "w") as f:
    f.write(str(port))
os.rename(portfile + ".new", portfile)
server.serve_forever()
