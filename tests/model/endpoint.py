"""An endpoint that speaks the chat-completions protocol, with every failure that a text asks it for.

Without a word of failure the answer is right, with one memory for each turn or line. Every request is checked.
"""

import json
import re

from failing_endpoint import Endpoint, serve


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
                **plan(said),
            }
        )
    return found


def plan(said):
    """What a line says of plans: "The walk is planned on 2090-05-12", "The walk is cancelled", "The walk is moved to 2090-05-20"."""
    found = re.match(r"The (.+?) is (planned|cancelled|moved)(?: (?:on|to) ([-\d]+))?\.?$", said)
    if not found:
        return {}
    what, change, day = found.groups()
    if change == "planned":
        return {"kind": "event", "event_date": day, "forget_after": "2090-12-31"}
    return {"kind": "event", "event_date": day, "plan_change": change, "plan": what, "planned_for": None}


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


WRONG = {
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


class Model(Endpoint):
    PATH = "/v1/chat/completions"
    WRONG = WRONG
    right = staticmethod(right)

    def question(self, request):
        return request["messages"][1]["content"]

    def texts(self, request):
        return [self.question(request)]

    def choose(self, request):
        if request["response_format"]["json_schema"]["name"] == "summary":
            return 200, summary(self.question(request)), {}, 0
        return super().choose(request)

    def is_expected(self, request):
        asked = request["response_format"]["json_schema"]
        return request["model"] == "test-model" and asked["strict"] and is_strict(asked["schema"])

    def noted(self, request):
        prompt, text = (message["content"] for message in request["messages"][:2])
        return {"text": text, "prompt": prompt, "schema": request["response_format"]["json_schema"]["schema"]}


serve(Model)
