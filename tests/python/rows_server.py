#!/usr/bin/env python3
"""A centre for tests and first trials: takes batches of JSON lines and appends them to a file. Needs nothing but Python.

usage: rows_server.py PORT FILE [--refuse LANE] [--busy N] [--token WORD] [--tls CERTIFICATE KEY]

Answers 200 once a batch is on the disk; 422 to a batch that holds a row of lane LANE; 503 to every Nth request.
"""
import argparse, http.server, json, os, ssl

parser = argparse.ArgumentParser()
parser.add_argument("port", type=int)
parser.add_argument("file")
parser.add_argument("--refuse")
parser.add_argument("--busy", type=int, default=0)
parser.add_argument("--token")
parser.add_argument("--tls", nargs=2)
options = parser.parse_args()
requests = 0


class Centre(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        global requests
        requests += 1
        body = self.rfile.read(int(self.headers["content-length"]))
        rows = [json.loads(line) for line in body.splitlines()]
        if options.token and self.headers.get("authorization") != f"Bearer {options.token}":
            return self.say(401, "who are you?")
        if options.busy and requests % options.busy == 0:
            return self.say(503, "busy")
        if options.refuse and any(row.get("row", {}).get("lane") == options.refuse for row in rows):
            return self.say(422, f"no lane {options.refuse} here")
        with open(options.file, "ab") as out:
            out.write(body)
            out.flush()
            os.fsync(out.fileno())
        self.say(200, "")

    def say(self, status, text):
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Centre)
if options.tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*options.tls)
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
