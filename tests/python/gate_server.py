"""A gate's controller that speaks HTTP: writes down each request as `METHOD PATH AUTHORIZATION BODY` and answers.

  gate_server.py PORT FILE [--tls CERTIFICATE KEY] [--wait FOR-FILE] [--refuse STATUS]

With --wait no request is answered before that file exists; with --refuse each is answered with that status.
"""
import argparse
import http.server
import os
import ssl
import time

arguments = argparse.ArgumentParser()
arguments.add_argument("port", type=int)
arguments.add_argument("file")
arguments.add_argument("--tls", nargs=2)
arguments.add_argument("--wait")
arguments.add_argument("--refuse", type=int)
options = arguments.parse_args()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        authorization = self.headers.get("authorization", "-")
        with open(options.file, "a") as file:
            file.write(f"{self.command} {self.path} {authorization} {body}".rstrip() + "\n")
        while options.wait and not os.path.exists(options.wait):
            time.sleep(0.01)
        text = b"no such relay" if options.refuse else b"done"
        self.send_response(options.refuse or 200)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Handler)
if options.tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*options.tls)
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
