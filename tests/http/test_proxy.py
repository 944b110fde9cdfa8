"""The proxy and PostgREST, as docs/http configures them, in front of a function that answers with what it sees.

Whatever a client sends has to reach the database unchanged, and nothing else may; whatever fails on the way has to
come out in the shape of the API that the client speaks. The requests go over bare sockets and http.client, since a
comfortable client would tidy them up.
"""

import hashlib
import json
import os
import signal
import time
import unittest
from functools import partial

import wire

ask = partial(wire.ask, os.environ["ECHO_URL"])

SUPERMEMORY = ("/v4/profile", "/v3/documents")
GETPROFILE = ("/api/profiles/u/export",)
GETPROFILE_AI = ("/v1/profile/u",)
MNEXIUM = ("/api/v1/profiles",)


class Forwarding(unittest.TestCase):
    """What the function gets to see."""

    def seen(self, *args, **kwargs):
        response = ask(*args, **kwargs)
        self.assertEqual(response.status, 200, response.text)
        return json.loads(response.text)

    def test_every_method_with_a_body(self):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            with self.subTest(method):
                seen = self.seen(method, "/v4/memories", b'{"reason": null}')
                self.assertEqual(seen["headers"]["x-original-method"], method)
                self.assertEqual(seen["md5"], hashlib.md5(b'{"reason": null}').hexdigest())

    def test_every_method_without_a_body(self):
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
            with self.subTest(method):
                self.assertEqual(self.seen(method, "/v4/memories")["bytes"], 0)

    def test_bodies_arrive_byte_for_byte(self):
        for body in (b"{not json", b"\xff\xfe\x00\x80", "{“é”: 1}".encode(), b" ", os.urandom(3_000_000)):
            for chunked in (False, True):
                with self.subTest(body=body[:10], chunked=chunked):
                    seen = self.seen("POST", "/v4/profile", body, chunked=chunked)
                    self.assertEqual((seen["bytes"], seen["md5"]), (len(body), hashlib.md5(body).hexdigest()))

    def test_the_path_is_not_touched(self):
        for path in (
            "/v1/profile/a%2Fb",
            "/v1/profile/a%2fb%20c?x=%00&y=a+b",
            "/api//profiles/%2e%2e/export",
            "/v1/profile/%E2%82%AC%40",
            "/?subject_id=a%26b&subject_id=%C3%A9",
            "/rpc/request?status=200",
        ):
            with self.subTest(path):
                self.assertEqual(self.seen("GET", path)["headers"]["x-original-uri"], path)

    def test_each_way_to_send_a_key(self):
        headers = {"Authorization": "Bearer a.b.c", "x-mnexium-key": "k1", "x-supermemory-api-key": "k2"}
        seen = self.seen("GET", "/", headers=headers)["headers"]
        self.assertEqual(seen["x-api-authorization"], "Bearer a.b.c")
        self.assertEqual(seen["x-mnexium-key"], "k1")
        self.assertEqual(seen["x-supermemory-api-key"], "k2")
        self.assertNotIn("authorization", seen)

    def test_no_key_is_no_header(self):
        seen = self.seen("GET", "/")["headers"]
        for name in ("x-api-authorization", "x-mnexium-key", "x-supermemory-api-key"):
            self.assertNotIn(name, seen)

    def test_bytes_that_are_not_text_are_a_wrong_key(self):
        for name in ("Authorization", "x-mnexium-key", "x-supermemory-api-key", "Content-Type"):
            with self.subTest(name):
                self.assertIn("?", self.seen("GET", "/", headers={name: b"\xff\xe9"})["headers"].values())

    def test_clients_cannot_pose_as_the_proxy(self):
        headers = {
            "X-Original-Uri": "/forged",
            "X-Original-Method": "FORGED",
            "X-Api-Authorization": "forged",
            "X-Original-Content-Type": "forged",
            "X-Request-Id": "forged",
            "X-Forwarded-For": "forged",
            "Cookie": "forged",
        }
        self.assertNotIn("forged", json.dumps(self.seen("GET", "/", headers=headers)).lower())

    def test_clients_cannot_steer_postgrest(self):
        headers = {
            "Prefer": "tx=rollback, return=minimal, count=exact",
            "Accept-Profile": "pg_catalog",
            "Content-Profile": "pg_catalog",
            "Range": "0-0",
            "Accept": "text/csv",
            "Authorization": "Bearer eyJhbGciOiJub25lIn0.e30.",
        }
        self.assertEqual(self.seen("POST", "/", b"{}", headers)["role"], "memory_profile_http")

    def test_request_id(self):
        response = ask("GET", "/")
        self.assertRegex(response.headers["X-Request-Id"], "^[0-9a-f]{32}$")
        self.assertEqual(json.loads(response.text)["headers"]["x-request-id"], response.headers["X-Request-Id"])

    def test_content_type(self):
        seen = self.seen("POST", "/", b"{}", {"Content-Type": "application/json"})["headers"]
        self.assertEqual(seen["x-original-content-type"], "application/json")


class Answers(unittest.TestCase):
    """What the client gets to see."""

    def test_statuses_of_the_function_pass_with_their_bodies(self):
        for status in (200, 201, 400, 401, 402, 403, 404, 405, 409, 413, 415, 422, 429):
            with self.subTest(status):
                response = ask("POST", f"/v4/profile?status={status}", b"{}")
                self.assertEqual(response.status, status)
                self.assertEqual(response.headers.get_all("Content-Type"), ["application/json"])
                self.assertEqual(json.loads(response.text)["bytes"], 2)

    def test_headers_of_the_function_pass(self):
        headers = ask("POST", "/v4/memories?status=409").headers
        self.assertEqual(headers["x-should-retry"], "false")
        self.assertEqual(headers["Retry-After"], "7")
        self.assertEqual(headers["WWW-Authenticate"], "Bearer")
        self.assertNotIn("Content-Range", headers)

    def test_no_content(self):
        response = ask("DELETE", "/v3/documents/x?status=204")
        self.assertEqual((response.status, response.text), (204, b""))
        self.assertNotIn("Content-Type", response.headers)

    def test_head_has_the_status_and_no_body(self):
        response = ask("HEAD", "/v4/profile?status=404")
        self.assertEqual((response.status, response.text), (404, b""))

    def test_preflight(self):
        response = ask(
            "OPTIONS",
            "/v4/memories",
            headers={
                "Origin": "https://app.example",
                "Access-Control-Request-Method": "PATCH",
                "Access-Control-Request-Headers": "authorization,x-stainless-os",
            },
        )
        self.assertEqual((response.status, response.text), (204, b""))
        self.assertEqual(response.headers["Access-Control-Allow-Origin"], "*")
        self.assertIn("PATCH", response.headers["Access-Control-Allow-Methods"])
        self.assertEqual(response.headers["Access-Control-Allow-Headers"], "authorization,x-stainless-os")

    def test_every_origin_may_read_every_answer(self):
        for path in ("/", "/?status=401", "/?raise=PT500"):
            with self.subTest(path):
                response = ask("GET", path, headers={"Origin": "https://app.example"})
                self.assertEqual(response.headers.get_all("Access-Control-Allow-Origin"), ["*"])


class Shapes(unittest.TestCase):
    """The shape of an error that the function did not answer, in each API."""

    def check_shapes(self, status, send):
        """Asserts that each API gets its own error body for a request that ends in this status."""
        for paths, has_its_shape in (
            (SUPERMEMORY, lambda body: isinstance(body["error"], str) and "details" in body),
            (GETPROFILE, lambda body: set(body["error"]) == {"message", "type", "code"}),
            (GETPROFILE_AI, lambda body: body["error"] == status and isinstance(body["message"], str)),
            (MNEXIUM, lambda body: body["error"].islower() and isinstance(body["message"], str)),
        ):
            for path in paths:
                with self.subTest(path):
                    response = send(path)
                    self.assertEqual(response.status, status, response.text)
                    self.assertEqual(response.headers.get_all("Content-Type"), ["application/json"])
                    self.assertRegex(response.headers["X-Request-Id"], "^[0-9a-f]{32}$")
                    self.assertTrue(has_its_shape(json.loads(response.text)), response.text)
                    self.assertNotIn(b"not for the client", response.text)


class Failures(Shapes):
    """What never reached the function, or broke inside it."""

    def test_the_function_fails(self):
        for sqlstate, status in (("PT500", 500), ("PT503", 503), ("PT504", 504), ("57014", 500), ("53300", 503)):
            with self.subTest(sqlstate):
                self.check_shapes(status, lambda path: ask("POST", f"{path}?raise={sqlstate}", b"{}"))

    def test_too_large(self):
        body = bytes(11 * 1024 * 1024)
        self.check_shapes(413, lambda path: ask("POST", path, body))
        self.check_shapes(413, lambda path: ask("POST", path, body, chunked=True))

    def test_headers_too_large(self):
        self.check_shapes(431, lambda path: ask("GET", path, headers={"X-Large": "x" * 9000}))

    def test_path_too_long(self):
        """The proxy reads no such path, so it cannot tell the API: the answer has the general shape."""
        response = ask("GET", f"/api/v1/profiles?{'x' * 9000}")
        self.assertEqual(response.status, 414)
        self.assertEqual(json.loads(response.text)["error"], "URI too long")

    def test_refused_method(self):
        self.check_shapes(405, lambda path: ask("TRACE", path))

    def test_malformed_requests(self):
        for path in ("/../v4/profile", "/%zz", "/a%00b"):
            with self.subTest(path):
                response = ask("GET", path)
                self.assertEqual(response.status, 400)
                self.assertEqual(json.loads(response.text)["error"], "Bad request")
        status, body = wire.ask_raw(os.environ["ECHO_URL"], b"GARBAGE\r\n\r\n")
        self.assertIn("400", status)
        self.assertEqual(json.loads(body)["error"], "Bad request")


class Unreachable(Shapes):
    """Comes last, by its name: it ends PostgREST."""

    def test_postgrest_is_gone(self):
        with open(os.environ["ECHO_PID_FILE"], encoding="ascii") as file:
            os.kill(int(file.read()), signal.SIGTERM)
        deadline = time.monotonic() + 10
        while ask("GET", "/").status != 502 and time.monotonic() < deadline:
            time.sleep(0.1)
        self.check_shapes(502, lambda path: ask("GET", path))


if __name__ == "__main__":
    unittest.main()
