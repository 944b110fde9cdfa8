"""Servers that speak TLS, each with a certificate of its own, and answer as a language model, as an embedding model, and as a
receiver of webhooks.

Usage: server.py DIRECTORY NAME…: for each name, serves with DIRECTORY/NAME.pem and DIRECTORY/NAME.key, and writes the port to
DIRECTORY/NAME.port; its own pid goes to DIRECTORY/pid, and a line for each request to DIRECTORY/requests.
"""

import json
import os
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DIRECTORY = Path(sys.argv[1])
MEMORY = {
    "content": "User noted something over TLS", "subject": "User", "kind": "fact", "is_static": True, "confidence": 0.9,
    "importance": 0.5, "event_date": None, "forget_after": None, "turn": None, "slot": None, "value": None, "negated": False,
}


def chat(request):
    said = json.dumps({"fields": [], "memories": [MEMORY]})
    return {"choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}]}


def embeddings(request):
    return {"data": [{"index": n, "embedding": [1.0, 2.0, 2.0]} for n, _ in enumerate(request["input"])]}


ANSWERS = {"/v1/chat/completions": chat, "/v1/embeddings": embeddings}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with (DIRECTORY / "requests").open("a") as log:
            log.write(f"{self.server.name} {self.path}\n")
        body = json.dumps(ANSWERS.get(self.path, lambda _: {})(request)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, name):
        super().__init__(("127.0.0.1", 0), Handler)
        self.name = name
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(DIRECTORY / f"{name}.pem", DIRECTORY / f"{name}.key")
        # The handshake belongs to the thread of the connection, where it fails without ending the server.
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request, client_address):
        """Who does not trust the certificate hangs up: nothing to say."""


for name in sys.argv[2:]:
    server = Server(name)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (DIRECTORY / f"{name}.port").write_text(str(server.server_address[1]))
(DIRECTORY / "pid").write_text(str(os.getpid()))
(DIRECTORY / "ready").touch()
threading.Event().wait()
