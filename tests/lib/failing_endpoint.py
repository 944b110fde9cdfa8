"""What the endpoints have in common that the tests play: the protocol's envelope, and the failures that a text asks for.

A text holds what the answer to a request with it is to be like: "#500x2" fails twice and then answers, "#slowafter3" takes three
seconds, "#resetx1" hangs up once, "#429x1after3" asks to be left alone for three seconds, and another word is one of the
endpoint's own WRONG answers. Every request is written to the log as a line of JSON with when it came and how it was answered.

The program that serves gets DIRECTORY and KEY, and writes its pid and its port to files of these names there, and the log to
DIRECTORY/requests.
"""

import json
import os
import re
import socket
import struct
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DIRECTORY, KEY = Path(sys.argv[1]), sys.argv[2]
LOCK = threading.Lock()
SEEN = {}


def wish(text):
    """What a text asks for this time, a word and a number of seconds: nothing once it has been asked as often as it says."""
    wanted = re.search(r"#([a-z]+?|\d+)(?:x(\d+))?(?:after(\d+))?(?![a-z0-9])", text)
    if not wanted:
        return None, 0
    word, times, after = wanted.groups()
    with LOCK:
        SEEN[text] = SEEN.get(text, 0) + 1
        seen = SEEN[text]
    return (None, 0) if times and seen > int(times) else (word, int(after or 0))


class Endpoint(BaseHTTPRequestHandler):
    """One request. A subclass has PATH, WRONG (word -> answer to a question), `question(request)`, which is what the answers are
    made from, `texts(request)`, `is_expected(request)`, `right(question)`, and `noted(request)`, which goes to the log."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, answer, headers, delay = self.choose(request)
        if self.path != self.PATH:
            status, answer = 404, "no such path"
        elif self.headers["Authorization"] != f"Bearer {KEY}":
            status, answer = 401, f"wrong key {self.headers['Authorization']}"
        elif not self.is_expected(request):
            status, answer = 400, "not the request that was expected"
        with LOCK, (DIRECTORY / "requests").open("a") as log:
            log.write(json.dumps({"at": time.time(), "status": status} | self.noted(request)) + "\n")
        time.sleep(delay)
        if status is None:
            self.reset()
        else:
            self.answer(status, answer, headers)

    def choose(self, request):
        """Status, answer, headers and seconds: as the first of the texts wants it that wants anything."""
        question = self.question(request)
        word, after = next(filter(lambda wanted: wanted[0], map(wish, self.texts(request))), (None, 0))
        if word is None:
            return 200, self.right(question), {}, 0
        if word == "slow":
            return 200, self.right(question), {}, after
        if word == "reset":
            return None, "", {}, 0
        if word.isdigit():
            return int(word), f"error {word}", {"Retry-After": str(after)} if after else {}, 0
        return 200, self.WRONG[word](question), {}, 0

    def answer(self, status, body, headers):
        body = body.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def reset(self):
        """Hangs up so that the other side sees a reset and not an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Who hangs up does so on purpose: nothing to say."""


def serve(handler):
    server = Server(("127.0.0.1", 0), handler)
    (DIRECTORY / "pid").write_text(str(os.getpid()))
    (DIRECTORY / "port.new").write_text(str(server.server_address[1]))
    (DIRECTORY / "port.new").rename(DIRECTORY / "port")
    server.serve_forever()
