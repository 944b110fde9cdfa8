"""An endpoint that speaks the embeddings protocol, with every failure that a text asks it for.

A text holds what the answer to a request with it is to be like: "#500x2" fails twice and then answers, "#slowafter3" takes three
seconds, "#400" is never taken; see ANSWERS. Without such a word the answer is right: words of one meaning lie on one axis,
see MEANINGS. Vectors come out of order, with their index. Every request is checked, and written to the log as a line of JSON
with when it came and how it was answered.

Usage: endpoint.py DIRECTORY KEY: writes its pid and its port to files of these names there, and the log to DIRECTORY/requests.
"""

import base64
import json
import os
import re
import socket
import struct
import sys
import threading
import time
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DIRECTORY, KEY = Path(sys.argv[1]), sys.argv[2]
LOCK = threading.Lock()
SEEN = {}
MEANINGS = [{"dog", "puppy", "hound"}, {"plane", "jet", "aircraft"}, {"doctor", "physician"}, {"cake", "gateau"}]


def vector(text, dimensions):
    values = [0.01] * dimensions
    for word in re.findall(r"[a-z]+", text.lower()):
        axis = next((n for n, words in enumerate(MEANINGS) if word in words), None)
        spread = len(MEANINGS) + zlib.crc32(word.encode()) % (dimensions - len(MEANINGS))
        values[spread if axis is None else axis] += 0.3 if axis is None else 3.0
    return values


def item(index, embedding):
    return {"object": "embedding", "index": index, "embedding": embedding}


def answer_of(data):
    return json.dumps({"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 5 * len(data), "total_tokens": 5 * len(data)}})


def right(vectors):
    return answer_of([item(n, v) for n, v in reversed(list(enumerate(vectors)))])


def packed(values):
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


ANSWERS = {
    "base": lambda v: answer_of([item(n, packed(values)) for n, values in enumerate(v)]),
    "bare": lambda v: answer_of([{"embedding": values} for values in v]),
    "truncated": lambda v: right(v)[:-40],
    "html": lambda v: "<html>It works!</html>",
    "count": lambda v: right(v + v[:1]),
    "order": lambda v: answer_of([item(0, values) for values in v + v[:1]][: max(len(v), 1)]) if len(v) > 1 else answer_of([item(7, v[0])]),
    "nan": lambda v: answer_of([item(n, packed([float("nan")] * len(values))) for n, values in enumerate(v)]),
    "zero": lambda v: answer_of([item(n, [0] * len(values)) for n, values in enumerate(v)]),
    "short": lambda v: answer_of([item(n, values[:-1]) for n, values in enumerate(v)]),
}


class Endpoint(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, headers=()):
        body = body.encode()
        self.send_response(status)
        for name, value in dict(headers).items():
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

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        texts = request["input"]
        status, answer, headers, delay = self.choose(texts, request.get("dimensions", 16))
        if self.path != "/v1/embeddings":
            status, answer = 404, "no such path"
        elif self.headers["Authorization"] != f"Bearer {KEY}":
            status, answer = 401, f"wrong key {self.headers['Authorization']}"
        elif not request["model"].startswith("vendor/test-model") or request["encoding_format"] != "float" or not isinstance(texts, list):
            status, answer = 400, "not the request that was expected"
        with LOCK, (DIRECTORY / "requests").open("a") as log:
            log.write(json.dumps({"at": time.time(), "status": status, "model": request["model"], "texts": texts}) + "\n")
        time.sleep(delay)
        if status is None:
            self.reset()
        else:
            self.answer(status, answer, headers)

    def choose(self, texts, dimensions):
        vectors = [vector(text, dimensions) for text in texts]
        for text in texts:
            wanted = re.search(r"#([a-z]+?|\d+)(?:x(\d+))?(?:after(\d+))?(?![a-z0-9])", text)
            if not wanted:
                continue
            kind, times, after = wanted.groups()
            with LOCK:
                SEEN[text] = SEEN.get(text, 0) + 1
                seen = SEEN[text]
            if times and seen > int(times):
                continue
            if kind == "slow":
                return 200, right(vectors), {}, int(after)
            if kind == "reset":
                return None, "", {}, 0
            if kind.isdigit():
                return int(kind), f"error {kind}", {"Retry-After": after} if after else {}, 0
            return 200, ANSWERS[kind](vectors), {}, 0
        return 200, right(vectors), {}, 0


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Who hangs up does so on purpose: nothing to say."""


server = Server(("127.0.0.1", 0), Endpoint)
(DIRECTORY / "pid").write_text(str(os.getpid()))
(DIRECTORY / "port.new").write_text(str(server.server_address[1]))
(DIRECTORY / "port.new").rename(DIRECTORY / "port")
server.serve_forever()
