"""An endpoint that speaks the chat-completions protocol, with every failure that a text asks it for.

A text holds what its answer is to be like: "#500x2" fails twice and then answers, "#slow3" takes three seconds, and so on;
see ANSWERS. Without such a word the answer is right, with one memory for each turn or line. Every request is checked, and
written to the log as a line of JSON with when it came and how it was answered.

Usage: endpoint.py DIRECTORY KEY: writes its pid and its port to files of these names there, and the log to DIRECTORY/requests.
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


def memories(text):
    """One memory for each line; of a numbered turn, with its number."""
    found = []
    for line in filter(str.strip, text.splitlines()):
        turn = re.match(r"\[(\d+)\] (?:user|\w+ \([-\d]+\)|\w+): ", line)
        said = line[turn.end() :] if turn else line
        found.append(
            {
                "content": f"User noted: {said[:200].strip()}",
                "subject": "User",
                "kind": "fact",
                "is_static": True,
                "confidence": 0.9,
                "importance": 0.5,
                "event_date": None,
                "forget_after": None,
                "turn": int(turn[1]) if turn else None,
            }
        )
    return found


def fields(text):
    """The city, if the text states one: the tests' schema has a field for it."""
    city = re.search(r"city is (\w+)", text)
    return [{"key": "city", "value": city[1], "confidence": 0.9}] if city else []


def completion(content, finish="stop", refusal=None):
    message = {"role": "assistant", "content": content, "refusal": refusal}
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "choices": [{"index": 0, "finish_reason": finish, "message": message}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
        }
    )


def summary(text):
    """Of the facts of a summary, the last two; with this word among them, something that nobody has said."""
    facts = [line.removeprefix("- ") for line in text.splitlines()]
    invented = " Lives in Atlantis." if "#invent" in text else ""
    return completion(json.dumps({"summary": "Model says: " + ", and ".join(facts[-2:]).lower() + "." + invented}))


def right(text):
    return completion(json.dumps({"fields": fields(text), "memories": memories(text)}))


ANSWERS = {
    "truncated": lambda text: completion(json.dumps({"fields": [], "memories": memories(text)})[:-30], "length"),
    "cut": lambda text: completion(json.dumps({"fields": [], "memories": memories(text)})[:-30]),
    "schema": lambda text: completion(json.dumps({"answer": 42})),
    "prose": lambda text: completion("Sure! Here are the memories:"),
    "refusal": lambda text: completion(None, refusal="I cannot help with that."),
    "html": lambda text: "<html>It works!</html>",
}


def is_strict(schema):
    """Whether every object of the schema requires all its members and allows no others."""
    if isinstance(schema, list):
        return all(map(is_strict, schema))
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False or set(schema["required"]) != set(schema["properties"]):
            return False
    return all(map(is_strict, schema.values()))


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

    def note(self, text, status):
        with LOCK, (DIRECTORY / "requests").open("a") as log:
            log.write(json.dumps({"at": time.time(), "status": status, "text": text, "prompt": self.prompt, "schema": self.schema}) + "\n")

    def reset(self):
        """Hangs up so that the other side sees a reset and not an end."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = request["messages"][1]["content"]
        self.prompt = request["messages"][0]["content"]
        asked = request["response_format"]["json_schema"]
        self.schema = asked["schema"]
        status, answer, headers, delay = (200, summary(text), {}, 0) if asked["name"] == "summary" else self.choose(text)
        if self.path != "/v1/chat/completions":
            status, answer = 404, "no such path"
        elif self.headers["Authorization"] != f"Bearer {KEY}":
            status, answer = 401, f"wrong key {self.headers['Authorization']}"
        elif request["model"] != "test-model" or not asked["strict"] or not is_strict(self.schema):
            status, answer = 400, "not the request that was expected"
        self.note(text, status)
        time.sleep(delay)
        if status is None:
            self.reset()
        else:
            self.answer(status, answer, headers)

    def choose(self, text):
        wanted = re.search(r"#([a-z]+?|\d+)(?:x(\d+))?(?:after(\d+))?(?![a-z0-9])", text)
        if not wanted:
            return 200, right(text), {}, 0
        kind, times, after = wanted.groups()
        with LOCK:
            SEEN[text] = SEEN.get(text, 0) + 1
            seen = SEEN[text]
        if times and seen > int(times):
            return 200, right(text), {}, 0
        if kind == "slow":
            return 200, right(text), {}, int(after)
        if kind == "reset":
            return None, "", {}, 0
        if kind.isdigit():
            return int(kind), f"error {kind}", {"Retry-After": after} if after else {}, 0
        return 200, ANSWERS[kind](text), {}, 0


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Who hangs up does so on purpose: nothing to say."""


server = Server(("127.0.0.1", 0), Endpoint)
(DIRECTORY / "pid").write_text(str(os.getpid()))
(DIRECTORY / "port.new").write_text(str(server.server_address[1]))
(DIRECTORY / "port.new").rename(DIRECTORY / "port")
server.serve_forever()
