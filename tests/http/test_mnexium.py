"""Seed 003 through the real SDK of PyPI, and on the wire where the SDK has no method."""

import os
import unittest
import uuid
from urllib.parse import quote

from mnexium import Mnexium
from mnexium.errors import APIError, AuthenticationError

from wire import call

URL = os.environ["BASE_URL"]
PATH = "/api/v1/profiles"


def client(key):
    """The SDK as its users set it up; every one of its requests goes below /api/v1."""
    return Mnexium(api_key=key, base_url=f"{URL}/api/v1")


class Case(unittest.TestCase):
    def setUp(self):
        self.client = client(os.environ["API_KEY"])
        self.addCleanup(self.client.close)
        self.id = f"user-123_test.{uuid.uuid4().hex}@domain.com"
        self.profile = self.client.subject(self.id).profile

    def patch(self, *updates):
        return call("PATCH", PATH, {"subject_id": self.id, "updates": list(updates)})

    def result(self, **update):
        """The result of one update."""
        status, body = self.patch(update)
        self.assertEqual(status, 200, body)
        return body["data"]["results"][0]


class Sdk(Case):
    def test_update_get_delete(self):
        answer = self.profile.update([{"field_key": "name", "value": "Sarah Chen"}, {"field_key": "timezone", "value": "America/New_York"}])
        self.assertEqual(
            answer["data"]["results"],
            [{"field_key": "name", "created": True, "skipped": False}, {"field_key": "timezone", "created": True, "skipped": False}],
        )
        self.assertEqual(self.profile.get()["data"], {"name": "Sarah Chen", "timezone": "America/New_York"})
        self.profile.delete_field("timezone")
        self.assertEqual(self.profile.get()["data"], {"name": "Sarah Chen"})
        self.profile.delete_field("timezone")

    def test_a_subject_that_nobody_knows(self):
        self.assertEqual(self.profile.get()["data"], {})

    def test_full(self):
        self.profile.update([{"field_key": "name", "value": "Sarah Chen", "confidence": 1.0}])
        full = self.client._request("GET", "/profiles", params={"subject_id": self.id, "format": "full"})["data"]["name"]
        self.assertEqual((full["value"], full["confidence"], full["source_type"]), ("Sarah Chen", 1, "manual"))
        self.assertRegex(full["updated_at"], r"^20\d\d-\d\d-\d\dT.*Z$")
        self.assertTrue(full["memory_id"])

    def test_schema(self):
        schema = self.client._request("GET", "/profiles/schema")["data"]
        self.assertEqual((schema["version"], schema["extraction_mode"]), (1, "auto"))
        self.assertLessEqual({"name", "email", "timezone", "language"}, {field["key"] for field in schema["fields"]})
        self.assertTrue(all({"key", "type", "required"} <= set(field) for field in schema["fields"]))

    def test_wrong_key(self):
        with self.assertRaises(AuthenticationError):
            client("mnx_live_wrong").subject(self.id).profile.get()

    def test_scopes(self):
        reader = client(os.environ["READ_KEY"]).subject(self.id).profile
        self.assertEqual(reader.get()["data"], {})
        for change in (lambda: reader.update([{"field_key": "name", "value": "X"}]), lambda: reader.delete_field("name")):
            with self.assertRaises(APIError) as caught:
                change()
            self.assertEqual((caught.exception.status, caught.exception.code), (403, "forbidden"))

    def test_another_project_has_its_own_subjects(self):
        self.profile.update([{"field_key": "name", "value": "Sarah Chen"}])
        self.assertEqual(client(os.environ["OTHER_KEY"]).subject(self.id).profile.get()["data"], {})


class SupersedeRule(Case):
    def test_the_surer_value_stays(self):
        self.assertTrue(self.result(field_key="name", value="A", confidence=0.7)["created"])
        self.assertEqual(
            self.result(field_key="name", value="B", confidence=0.6),
            {"field_key": "name", "created": False, "skipped": True, "reason": "lower_confidence"},
        )
        self.assertTrue(self.result(field_key="name", value="C", confidence=0.7)["created"])
        self.assertEqual(self.profile.get()["data"], {"name": "C"})

    def test_an_edit_by_hand_beats_everything_and_only_gives_way_to_another(self):
        self.assertTrue(self.result(field_key="name", value="A", confidence=1.0)["created"])
        self.assertEqual(self.result(field_key="name", value="B", confidence=0.99)["reason"], "manual_value_exists")
        self.assertTrue(self.result(field_key="name", value="C", confidence=1)["created"])
        self.assertEqual(self.profile.get()["data"], {"name": "C"})

    def test_after_a_deletion_anything_goes(self):
        self.result(field_key="name", value="A", confidence=1.0)
        self.profile.delete_field("name")
        self.assertEqual(self.profile.get()["data"], {})
        self.assertTrue(self.result(field_key="name", value="B", confidence=0.1)["created"])


class Wire(Case):
    def test_items_that_are_skipped(self):
        for update, reason in (
            ({"field_key": "shoe_size", "value": "44"}, "unknown_field"),
            ({"field_key": "email", "value": "not an address"}, "invalid_value"),
            ({"field_key": "timezone", "value": "Mars/Olympus"}, "invalid_value"),
            ({"field_key": "name", "value": " "}, "invalid_value"),
            ({"field_key": "name", "value": "X", "confidence": 1.5}, "invalid_confidence"),
            ({"field_key": "name", "value": "X", "confidence": "1"}, "invalid_confidence"),
        ):
            with self.subTest(update):
                result = self.result(**update)
                self.assertEqual((result["skipped"], result["created"], result["reason"]), (True, False, reason))
        self.assertEqual(self.profile.get()["data"], {})

    def test_wrong_bodies(self):
        for body, code in (
            ({"updates": []}, "subject_id_required"),
            ({"subject_id": " ", "updates": []}, "subject_id_required"),
            ({"subject_id": self.id}, "updates_required"),
            ({"subject_id": self.id, "updates": {}}, "updates_required"),
            ({"subject_id": self.id, "updates": [{"value": "x"}]}, "invalid_update"),
            ({"subject_id": self.id, "updates": [{"field_key": "name", "value": "applied?"}, {"field_key": "email"}]}, "invalid_update"),
            ({"subject_id": self.id, "updates": ["x"]}, "invalid_update"),
            (b"{", "invalid_json_body"),
            (b"\xff", "invalid_json_body"),
        ):
            with self.subTest(body):
                status, answer = call("PATCH", PATH, body)
                self.assertEqual((status, answer["error"]), (400, code))
        self.assertEqual(self.profile.get()["data"], {})
        self.assertEqual(self.patch(), (200, {"data": {"results": []}}))

    def test_wrong_queries(self):
        for method, query, code in (
            ("GET", "", "subject_id_required"),
            ("GET", "?subject_id=", "subject_id_required"),
            ("DELETE", "?field_key=name", "subject_id_required"),
            ("DELETE", f"?subject_id={quote(self.id)}", "field_key_required"),
        ):
            with self.subTest(method=method, query=query):
                status, answer = call(method, PATH + query)
                self.assertEqual((status, answer["error"]), (400, code))

    def test_subjects_with_difficult_names(self):
        for name in ("a/b", "ä ö", "x&y=z", "100%", "+1 555", "日本"):
            with self.subTest(name):
                subject = self.client.subject(f"{name} {uuid.uuid4().hex}").profile
                subject.update([{"field_key": "name", "value": name}])
                self.assertEqual(subject.get()["data"], {"name": name})

    def test_no_key(self):
        status, answer = call("GET", f"{PATH}?subject_id=x", key=None)
        self.assertEqual((status, answer["error"]), (401, "unauthorized"))

    def test_unknown_route_and_method(self):
        self.assertEqual(call("GET", "/api/v1/nothing")[0], 404)
        self.assertEqual(call("PUT", PATH)[0], 405)


if __name__ == "__main__":
    unittest.main()
