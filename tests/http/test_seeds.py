"""The curl commands of the documented APIs, verbatim but for the host and the key, and the contracts that have none."""

import json
import os
import pathlib
import subprocess
import tempfile
import time
import unittest
import uuid
from urllib.parse import quote

from wire import call

PROFILE = """
curl -X POST https://api.supermemory.ai/v4/profile \\
  -H "Authorization: Bearer YOUR_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "containerTag": "user_123"
  }'
"""

EXPORT = """
curl https://api.yourserver.com/api/profiles/user-123/export \\
  -H "Authorization: Bearer gp_your_key" \\
  -o profile-export.json
"""

GET_SIMPLE = """
curl -G "https://www.mnexium.com/api/v1/profiles" \\
  -H "x-mnexium-key: $MNX_KEY" \\
  --data-urlencode "subject_id=user_123"
"""

GET_FULL = """
curl -G "https://www.mnexium.com/api/v1/profiles" \\
  -H "x-mnexium-key: $MNX_KEY" \\
  --data-urlencode "subject_id=user_123" \\
  --data-urlencode "format=full"
"""

PATCH = """
curl -X PATCH "https://www.mnexium.com/api/v1/profiles" \\
  -H "x-mnexium-key: $MNX_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{
    "subject_id": "user_123",
    "updates": [
      { "field_key": "name", "value": "Sarah Chen", "confidence": 1.0 },
      { "field_key": "timezone", "value": "America/New_York" }
    ]
  }'
"""

DELETE = """
curl -X DELETE "https://www.mnexium.com/api/v1/profiles?subject_id=user_123&field_key=timezone" \\
  -H "x-mnexium-key: $MNX_KEY"
"""

SCHEMA = """
curl "https://www.mnexium.com/api/v1/profiles/schema" \\
  -H "x-mnexium-key: $MNX_KEY"
"""


def run(command, directory="/"):
    """Runs a documented command against this service and returns what it prints."""
    for host in ("https://api.supermemory.ai", "https://api.yourserver.com", "https://www.mnexium.com"):
        command = command.replace(host, os.environ["BASE_URL"])
    for key in ("YOUR_API_KEY", "gp_your_key"):
        command = command.replace(key, os.environ["API_KEY"])
    environment = {**os.environ, "MNX_KEY": os.environ["API_KEY"]}
    command = command.replace("curl ", "curl --silent --show-error ", 1)
    done = subprocess.run(["bash", "-c", command], cwd=directory, env=environment, check=True, capture_output=True, timeout=60)
    return done.stdout


def answer(command):
    return json.loads(run(command))


class Curl(unittest.TestCase):
    def test_the_profile_commands_in_their_order(self):
        results = [{"field_key": "name", "created": True, "skipped": False}, {"field_key": "timezone", "created": True, "skipped": False}]
        self.assertEqual(answer(PATCH), {"data": {"results": results}})
        data = answer(GET_SIMPLE)["data"]
        self.assertEqual((data["name"], data["timezone"]), ("Sarah Chen", "America/New_York"))
        full = answer(GET_FULL)["data"]
        for field in ("name", "timezone"):
            self.assertEqual(set(full[field]), {"value", "confidence", "source_type", "updated_at", "memory_id"})
        self.assertEqual(answer(DELETE), {"data": {"deleted": True, "field_key": "timezone"}})
        self.assertEqual(answer(DELETE), {"data": {"deleted": False, "field_key": "timezone"}})
        self.assertNotIn("timezone", answer(GET_SIMPLE)["data"])

    def test_schema(self):
        self.assertEqual(set(answer(SCHEMA)["data"]), {"version", "extraction_mode", "fields"})

    def test_profile(self):
        call("POST", "/v4/memories", {"containerTag": "user_123", "memories": [{"content": "User specializes in Python", "isStatic": True}]})
        profile = answer(PROFILE)
        self.assertEqual(set(profile), {"profile"})
        self.assertIn("User specializes in Python", profile["profile"]["static"])
        self.assertIsInstance(profile["profile"]["dynamic"], list)

    def test_export(self):
        call("POST", "/v4/memories", {"containerTag": "user-123", "memories": [{"content": "Working on microservices migration"}]})
        with tempfile.TemporaryDirectory() as directory:
            run(EXPORT, directory)
            exported = json.loads(pathlib.Path(directory, "profile-export.json").read_text("utf-8"))
        self.assertLessEqual({"profile", "traits", "memories", "messages", "exportedAt"}, set(exported))
        self.assertLessEqual({"id", "externalId", "summary", "createdAt", "updatedAt"}, set(exported["profile"]))
        self.assertEqual(exported["profile"]["externalId"], "user-123")
        self.assertIn("Working on microservices migration", [memory["content"] for memory in exported["memories"]])


class Export(unittest.TestCase):
    def test_by_either_id(self):
        subject = f"export {uuid.uuid4().hex}/é"
        call("PATCH", "/api/v1/profiles", {"subject_id": subject, "updates": [{"field_key": "name", "value": "Alex", "confidence": 0.9}]})
        status, exported = call("GET", f"/api/profiles/{quote(subject, safe='')}/export")
        self.assertEqual((status, exported["profile"]["externalId"]), (200, subject))
        self.assertEqual([(trait["key"], trait["value"], trait["confidence"]) for trait in exported["traits"]], [("name", "Alex", 0.9)])
        again = call("GET", f"/api/profiles/{exported['profile']['id']}/export")[1]
        self.assertEqual(again["profile"], exported["profile"])

    def test_errors(self):
        status, body = call("GET", "/api/profiles/nobody-has-this/export")
        self.assertEqual((status, body["error"]["type"], body["error"]["message"]), (404, "not_found_error", "Profile not found"))
        status, body = call("GET", "/api/profiles/x/export", key=None)
        self.assertEqual((status, body["error"]["type"], body["error"]["code"]), (401, "authentication_error", "missing_api_key"))
        status, body = call("GET", "/api/profiles/x/export", key="gp_wrong")
        self.assertEqual((status, body["error"]["code"]), (401, "invalid_api_key"))
        status, body = call("GET", "/api/nothing")
        self.assertEqual((status, body["error"]["code"]), (404, "not_found"))


class ProfileUpdate(unittest.TestCase):
    """POST /v1/profile/{id}, which has an OpenAPI description and no command."""

    def setUp(self):
        self.id = f"ai-{uuid.uuid4().hex}"

    def post(self, body, **kwargs):
        return call("POST", f"/v1/profile/{self.id}", body, **kwargs)

    def test_text_becomes_a_profile(self):
        status, body = self.post({"data": "user: My name is Ines and my email is ines@example.org.", "input_type": "chat history"})
        self.assertEqual((status, body["id"]), (200, self.id))
        self.assertIsInstance(body["message"], str)
        deadline = time.monotonic() + 30
        profile = {}
        while "email" not in profile and time.monotonic() < deadline:
            profile = call("GET", f"/api/v1/profiles?subject_id={self.id}")[1]["data"]
            time.sleep(0.1)
        self.assertEqual((profile.get("name"), profile.get("email")), ("Ines", "ines@example.org"))

    def test_structured_data_is_accepted(self):
        self.assertEqual(self.post({"data": {"name": "Ines"}})[0], 200)
        self.assertEqual(self.post({"data": [{"role": "user", "content": "Hello"}]})[0], 200)

    def test_errors(self):
        for body in ({}, {"data": None}, {"data": " "}, {"data": 7}, {"data": True}, {"data": "x", "input_type": 7}, b"{", b"\xff"):
            with self.subTest(body):
                status, answer_body = self.post(body)
                self.assertEqual((status, answer_body["error"]), (400, 400))
                self.assertIsInstance(answer_body["message"], str)
        status, answer_body = self.post({"data": "x"}, key=None)
        self.assertEqual((status, answer_body["error"]), (401, 401))


if __name__ == "__main__":
    unittest.main()
