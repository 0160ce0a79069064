"""Passes requests on after half a second: slow_proxy.py URL. Prints where it listens."""

import http.server
import sys
import time
import urllib.error
import urllib.request

UPSTREAM = sys.argv[1]


class Slow(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(0.5)
        request = urllib.request.Request(UPSTREAM + self.path, headers={"accept": self.headers.get("accept", "*/*")})
        try:
            with urllib.request.urlopen(request) as answer:
                status, kind, body = answer.status, answer.headers.get("content-type"), answer.read()
        except urllib.error.HTTPError as error:
            status, kind, body = error.code, error.headers.get("content-type"), error.read()
        self.send_response(status)
        self.send_header("content-type", kind or "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


server = Server(("127.0.0.1", 0), Slow)
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
