"""Keys that may do less: limited to subjects, to scopes, to a time. They are made with psql, as an administrator does."""

import os
import subprocess
import unittest
import uuid

import httpx
import supermemory
from mnexium import Mnexium
from mnexium.errors import APIError
from supermemory import Supermemory

from wire import call

URL = os.environ["BASE_URL"]


def make_key(**arguments):
    """A new key; the arguments are SQL."""
    listed = ", ".join(f"{name} => {value}" for name, value in arguments.items())
    done = subprocess.run(["psql", "-XAtc", f"SELECT memory_profile.api_key_create({listed})"], check=True, capture_output=True, text=True)
    return done.stdout.strip()


class LimitedToSubjects(unittest.TestCase):
    def setUp(self):
        self.own, self.other = f"own_{uuid.uuid4().hex}", f"other_{uuid.uuid4().hex}"
        self.fact = f"knows the word {uuid.uuid4().hex}"
        for tag in (self.own, self.other):
            call("POST", "/v4/memories", {"containerTag": tag, "memories": [{"content": f"{tag} {self.fact}"}]})
        self.key = make_key(subjects=f"ARRAY['{self.own}']")
        self.client = Supermemory(api_key=self.key, base_url=URL)
        self.addCleanup(self.client.close)

    def test_its_own(self):
        self.assertEqual(self.client.profile(container_tag=self.own).profile.dynamic, [f"{self.own} {self.fact}"])
        found = self.client.search.memories(q=self.fact, threshold=0).results
        self.assertEqual([result.memory for result in found], [f"{self.own} {self.fact}"])

    def test_another_is_forbidden_wherever_it_is_named(self):
        for attempt in (
            lambda: self.client.profile(container_tag=self.other),
            lambda: self.client.search.memories(q="x", container_tag=self.other),
            lambda: self.client.search.memories(q="x", container_tags=[self.own, self.other]),
            lambda: self.client.add(content="x", container_tag=self.other),
            lambda: self.client.documents.list(container_tags=[self.other]),
            lambda: self.client.memories.forget(container_tag=self.other, content="x"),
        ):
            with self.assertRaises(supermemory.PermissionDeniedError):
                attempt()
        with Mnexium(api_key=self.key, base_url=f"{URL}/api/v1") as client, self.assertRaises(APIError) as caught:
            client.subject(self.other).profile.get()
        self.assertEqual((caught.exception.status, caught.exception.code), (403, "forbidden"))
        status, body = call("GET", f"/api/profiles/{self.other}/export", key=self.key)
        self.assertEqual((status, body["error"]["type"], body["error"]["code"]), (403, "permission_error", "forbidden"))
        self.assertEqual(call("POST", f"/v1/profile/{self.other}", {"data": "x"}, key=self.key)[0], 403)
        self.assertEqual(call("DELETE", f"/v1/profile/{self.other}", key=self.key)[0], 403)

    def test_settings_are_those_of_the_whole_project(self):
        before = call("GET", "/v3/settings", key=self.key)
        status, body = call("PATCH", "/v3/settings", {"filterPrompt": "Note nothing."}, key=self.key)
        self.assertEqual((status, body["error"]), (403, "Forbidden"))
        self.assertEqual(call("GET", "/v3/settings", key=self.key), before)


class Scopes(unittest.TestCase):
    """What a key may not do through one API it may not do through another."""

    ATTEMPTS = (
        ("read", "POST", "/v4/profile", {"containerTag": "scopes"}),
        ("read", "POST", "/v4/search", {"q": "x"}),
        ("read", "POST", "/v3/documents/list", {}),
        ("read", "GET", "/api/v1/profiles?subject_id=scopes", None),
        ("read", "GET", "/api/profiles/scopes/export", None),
        ("read", "GET", "/v1/profile/scopes", None),
        ("write", "POST", "/v4/memories", {"containerTag": "scopes", "memories": [{"content": "x"}]}),
        ("write", "POST", "/v3/documents", {"content": "x", "containerTag": "scopes"}),
        ("write", "PATCH", "/api/v1/profiles", {"subject_id": "scopes", "updates": []}),
        ("write", "POST", "/v1/profile/scopes", {"data": "x"}),
        ("delete", "DELETE", "/v4/memories", {"containerTag": "scopes", "id": "nonesuch"}),
        ("delete", "DELETE", "/api/v1/profiles?subject_id=scopes&field_key=name", None),
        ("delete", "DELETE", "/api/profiles/nobody-has-this", None),
        ("delete", "DELETE", "/v1/profile/nobody-has-this", None),
        ("delete", "DELETE", "/v3/container-tags/nobody-has-this", None),
    )

    def test_each_scope_opens_its_own_routes(self):
        call("PATCH", "/api/v1/profiles", {"subject_id": "scopes", "updates": [{"field_key": "name", "value": "Ada"}]})
        for scope in ("read", "write", "delete"):
            key = make_key(scopes=f"'{{{scope}}}'")
            for needed, method, path, body in self.ATTEMPTS:
                with self.subTest(scope=scope, method=method, path=path):
                    status = call(method, path, body, key=key)[0]
                    self.assertEqual(status == 403, needed != scope, status)


class Examples(unittest.TestCase):
    """The Python examples of the profile page, verbatim but for the host and the key; httpx has the same call."""

    def test_profile(self):
        call("POST", "/v4/memories", {"containerTag": "user_123", "memories": [{"content": "User prefers dark mode interfaces", "isStatic": True}]})
        requests = httpx
        response = requests.post(
            f'{URL}/v4/profile',
            headers={
                'Authorization': f'Bearer {os.getenv("API_KEY")}',
                'Content-Type': 'application/json'
            },
            json={
                'containerTag': 'user_123'
            }
        )
        data = response.json()
        self.assertIn("User prefers dark mode interfaces", data['profile']['static'])
        self.assertIsInstance(data['profile']['dynamic'], list)

        response = requests.post(
            f'{URL}/v4/profile',
            headers={
                'Authorization': f'Bearer {os.getenv("API_KEY")}',
                'Content-Type': 'application/json'
            },
            json={
                'containerTag': 'user_123',
                'q': 'deployment errors yesterday'
            }
        )
        data = response.json()
        profile = data['profile']
        search_results = data.get('searchResults', {}).get('results', [])
        self.assertIn("User prefers dark mode interfaces", profile['static'])
        self.assertIsInstance(search_results, list)


if __name__ == "__main__":
    unittest.main()
