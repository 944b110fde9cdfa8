"""An endpoint that speaks the embeddings protocol, with every failure that a text asks it for.

Without a word of failure the answer is right: words of one meaning lie on one axis, see MEANINGS. Vectors come out of order, with
their index. Every request is checked.
"""

import base64
import json
import re
import struct
import zlib

from failing_endpoint import Endpoint, serve

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


WRONG = {
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


class Model(Endpoint):
    PATH = "/v1/embeddings"
    WRONG = WRONG
    right = staticmethod(right)

    def question(self, request):
        return [vector(text, request.get("dimensions", 16)) for text in request["input"]]

    def texts(self, request):
        return request["input"]

    def is_expected(self, request):
        return request["model"].startswith("vendor/test-model") and request["encoding_format"] == "float" and isinstance(request["input"], list)

    def noted(self, request):
        return {"model": request["model"], "texts": request["input"]}


serve(Model)
