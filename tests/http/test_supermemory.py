"""Seeds 000 and 004 through the real SDK of PyPI, and on the wire where the SDK cannot go wrong."""

import os
import time
import unittest
import uuid

import supermemory
from supermemory import Supermemory

from wire import call

URL = os.environ["BASE_URL"]
FACTS = [
    {"content": "Ada is a software engineer who works on payments", "isStatic": True, "metadata": {"team": "payments", "year": 2024}},
    {"content": "Ada is debugging login errors in project Alpha", "metadata": {"team": "alpha", "year": 2025}},
    {"content": "Ada's favourite food is ramen with a soft egg", "metadata": {"team": "none", "year": 2026}},
]


class Case(unittest.TestCase):
    """A client and a container of its own for each test."""

    def setUp(self):
        self.client = Supermemory(api_key=os.environ["API_KEY"], base_url=URL)
        self.addCleanup(self.client.close)
        self.tag = f"sdk_{uuid.uuid4().hex}"

    def create(self, memories=None, tag=None):
        """Creates memories and returns them as the API does."""
        status, body = call("POST", "/v4/memories", {"containerTag": tag or self.tag, "memories": memories or FACTS})
        self.assertEqual(status, 201, body)
        return body["memories"]

    def assert_status(self, status, function, *args, **kwargs):
        """Asserts that the SDK raises its error for a status, with an `error` member in the body."""
        with self.assertRaises(supermemory.APIStatusError) as caught:
            function(*args, **kwargs)
        self.assertEqual(caught.exception.status_code, status)
        self.assertIn("error", caught.exception.body)
        return caught.exception


class Profile(Case):
    def test_static_and_dynamic(self):
        self.create()
        answer = self.client.profile(container_tag=self.tag)
        self.assertEqual(answer.profile.static, [FACTS[0]["content"]])
        self.assertCountEqual(answer.profile.dynamic, [FACTS[1]["content"], FACTS[2]["content"]])
        self.assertIsNone(answer.search_results)

    def test_search_results_are_there_if_and_only_if_asked_for(self):
        self.create()
        self.assertNotIn("searchResults", call("POST", "/v4/profile", {"containerTag": self.tag})[1])
        answer = self.client.profile(container_tag=self.tag, q=FACTS[1]["content"])
        self.assertEqual(answer.search_results.results[0].memory, FACTS[1]["content"])
        self.assertEqual(answer.search_results.total, len(answer.search_results.results))
        self.assertGreater(answer.search_results.timing, 0)

    def test_profile_and_search_agree(self):
        self.create()
        for q in ("what does she like to eat?", "login problems", "payments"):
            profile = self.client.profile(container_tag=self.tag, q=q, threshold=0.1).search_results.results
            search = self.client.search.memories(container_tag=self.tag, q=q, threshold=0.1).results
            self.assertEqual([result.id for result in profile], [result.id for result in search])

    def test_unknown_container(self):
        error = self.assert_status(404, self.client.profile, container_tag="nobody_has_this")
        self.assertIsInstance(error, supermemory.NotFoundError)

    def test_container_tag_is_required_and_checked(self):
        self.assertEqual(call("POST", "/v4/profile", {})[0], 400)
        self.assertEqual(call("POST", "/v4/profile", {"containerTag": None})[0], 400)
        self.assertEqual(call("POST", "/v4/profile", {"containerTag": 7})[0], 400)
        for tag in ("", " ", "a b", "a/b", "é", "x" * 101):
            with self.subTest(tag):
                self.assert_status(400, self.client.profile, container_tag=tag)

    def test_a_slash_at_the_end_is_none(self):
        self.create()
        for path in ("/v4/profile/", "/v4/profile/?x=1"):
            with self.subTest(path):
                self.assertEqual(call("POST", path, {"containerTag": self.tag}), call("POST", "/v4/profile", {"containerTag": self.tag}))
        self.assertEqual(call("GET", "/v3/container-tags/" + self.tag + "/")[0], 200)
        self.assertEqual(call("POST", "/v4/profile//", {"containerTag": self.tag})[0], 404)

    def test_nothing_to_be_seen_is_empty(self):
        for content in ("", " ", "\u200b", "\ufeff\u2060"):
            with self.subTest(content):
                self.assert_status(400, self.client.add, container_tag=self.tag, content=content)

    def test_bad_json(self):
        for body in (b"{", b"[]", b'"x"', b"\xff\xfe", b"7", b'{"containerTag": "\\u0000"}'):
            with self.subTest(body):
                status, answer = call("POST", "/v4/profile", body)
                self.assertEqual(status, 400)
                self.assertIn("error", answer)

    def test_keys(self):
        stranger = Supermemory(api_key="wrong", base_url=URL)
        self.assertIsInstance(self.assert_status(401, stranger.profile, container_tag=self.tag), supermemory.AuthenticationError)
        for key in ("", "mp_" + "0" * 64, "é", "a b", "x" * 4000):
            with self.subTest(key[:10]):
                self.assertEqual(call("POST", "/v4/profile", {"containerTag": self.tag}, key=key)[0], 401)
        self.assertEqual(call("POST", "/v4/profile", {"containerTag": self.tag}, key=None)[0], 401)
        self.assertEqual(
            call("POST", "/v4/search", {"q": "x"}, key=None, headers={"x-supermemory-api-key": os.environ["API_KEY"]})[0], 200
        )


class Search(Case):
    def ids(self, **kwargs):
        return [result.memory for result in self.client.search.memories(container_tag=self.tag, **kwargs).results]

    def test_the_result_of_the_seed(self):
        created = self.create()
        answer = self.client.search.memories(container_tag=self.tag, q=FACTS[1]["content"])
        first = answer.results[0]
        self.assertEqual((first.id, first.memory), (created[1]["id"], FACTS[1]["content"]))
        self.assertEqual(first.metadata, FACTS[1]["metadata"])
        self.assertEqual(first.version, 1)
        self.assertGreater(first.similarity, 0.9)
        self.assertRegex(str(first.updated_at), r"^20\d\d-\d\d-\d\d")
        self.assertEqual(answer.total, len(answer.results))
        self.assertGreater(answer.timing, 0)

    def test_order_threshold_and_limit(self):
        self.create()
        everything = self.client.search.memories(container_tag=self.tag, q="login errors", threshold=0).results
        scores = [result.similarity for result in everything]
        self.assertEqual(scores, sorted(scores, reverse=True))
        self.assertTrue(all(0 <= score <= 1 for score in scores))
        self.assertEqual(len(self.ids(q="login errors", threshold=0, limit=1)), 1)
        for result in self.client.search.memories(container_tag=self.tag, q="login errors").results:
            self.assertGreaterEqual(result.similarity, 0.6)

    def test_ranges(self):
        for wrong in (
            {"q": ""},
            {"q": None},
            {"q": 7},
            {"q": "x", "threshold": -0.1},
            {"q": "x", "threshold": 1.1},
            {"q": "x", "threshold": "0.5"},
            {"q": "x", "limit": 0},
            {"q": "x", "limit": 101},
            {"q": "x", "limit": 1.5},
            {"q": "x", "rerank": "yes"},
            {"q": "x", "rewriteQuery": 1},
            {"q": "x", "filters": []},
            {"q": "x", "filters": {"AND": [{"value": "no key"}]}},
            {"q": "x", "containerTag": "a b"},
            {},
        ):
            with self.subTest(wrong):
                status, body = call("POST", "/v4/search", wrong)
                self.assertEqual(status, 400, body)
                self.assertIn("error", body)
        for right in ({"threshold": 0}, {"threshold": 1}, {"limit": 1}, {"limit": 100}, {"rerank": True, "rewriteQuery": True}):
            with self.subTest(right):
                self.assertEqual(call("POST", "/v4/search", {"q": "x", **right})[0], 200)

    def test_filters_of_the_seed(self):
        self.create()

        def found(*conditions, operator="AND"):
            return set(self.ids(q="Ada", threshold=0, filters={operator: list(conditions)}))

        first, second, third = (fact["content"] for fact in FACTS)
        after_2024 = {"filterType": "numeric", "key": "year", "negate": False, "numericOperator": ">", "value": "2024"}
        self.assertEqual(found({"key": "team", "value": "payments", "negate": False}), {first})
        self.assertEqual(found({"key": "team", "value": "payments", "negate": True}), {second, third})
        self.assertEqual(found(after_2024), {second, third})
        self.assertEqual(found({**after_2024, "negate": True}), {first})
        self.assertEqual(found(after_2024, {"key": "team", "value": "alpha"}), {second})
        self.assertEqual(found({"key": "team", "value": "payments"}, {"key": "team", "value": "alpha"}, operator="OR"), {first, second})
        self.assertEqual(found({"key": "no_such_key", "value": "x"}), set())

    def test_unknown_container_finds_nothing(self):
        answer = self.client.search.memories(container_tag="nobody_has_this", q="x")
        self.assertEqual((answer.results, answer.total), ([], 0))

    def test_context_and_documents_only_when_asked_for(self):
        self.create()
        plain = call("POST", "/v4/search", {"q": FACTS[0]["content"], "containerTag": self.tag})[1]["results"][0]
        self.assertNotIn("documents", plain)
        include = {"documents": True, "summaries": True, "relatedMemories": True}
        full = call("POST", "/v4/search", {"q": FACTS[0]["content"], "containerTag": self.tag, "include": include})[1]["results"][0]
        self.assertIsInstance(full["documents"], list)
        self.assertIsInstance(full["context"]["parents"], list)
        self.assertIsInstance(full["context"]["children"], list)


class Memories(Case):
    def test_update_makes_a_version(self):
        old = self.create()[1]
        new = self.client.memories.update_memory(container_tag=self.tag, id=old["id"], new_content="Ada has fixed the login errors of Alpha")
        self.assertEqual((new.version, new.parent_memory_id, new.root_memory_id), (2, old["id"], old["id"]))
        found = self.client.search.memories(
            container_tag=self.tag, q="Ada has fixed the login errors of Alpha", threshold=0, include={"related_memories": True}
        ).results
        self.assertEqual(found[0].id, new.id)
        self.assertEqual(found[0].version, 2)
        self.assertNotIn(old["memory"], [result.memory for result in found])
        parent = found[0].context.parents[0]
        self.assertEqual((parent.relation, parent.version, parent.memory), ("updates", -1, old["memory"]))

    def test_forget_by_content(self):
        self.create()
        self.assertTrue(self.client.memories.forget(container_tag=self.tag, content=FACTS[2]["content"], reason="asked to").forgotten)
        self.assertNotIn(FACTS[2]["content"], self.client.profile(container_tag=self.tag).profile.dynamic)

    def test_forgetting_twice_is_final(self):
        memory = self.create()[0]
        self.client.memories.forget(container_tag=self.tag, id=memory["id"])
        begin = time.monotonic()
        self.assert_status(409, self.client.memories.forget, container_tag=self.tag, id=memory["id"])
        self.assertLess(time.monotonic() - begin, 0.45, "the SDK has tried again")

    def test_forgetting_what_is_not_there(self):
        self.create()
        self.assert_status(404, self.client.memories.forget, container_tag=self.tag, id="nothing")
        self.assert_status(400, self.client.memories.forget, container_tag=self.tag)


class Documents(Case):
    def add(self, **kwargs):
        added = self.client.documents.add(
            content="The quarterly report says that revenue grew by nine percent. Marie prepared it.", container_tag=self.tag, **kwargs
        )
        deadline = time.monotonic() + 60
        while (document := self.client.documents.get(added.id)).status not in ("done", "failed") and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(document.status, "done")
        return document

    def test_add_get_search_delete(self):
        document = self.add(metadata={"kind": "report"})
        self.assertEqual(document.metadata, {"kind": "report"})
        found = self.client.search.documents(q="how much did revenue grow?", container_tags=[self.tag], chunk_threshold=0).results
        self.assertEqual([result.document_id for result in found], [document.id])
        listed = self.client.documents.list(container_tags=[self.tag])
        self.assertEqual([memory.id for memory in listed.memories], [document.id])
        self.assertIsNone(self.client.documents.delete(document.id))
        self.assert_status(404, self.client.documents.get, document.id)

    def test_custom_id_replaces(self):
        first = self.add(custom_id="report-1")
        second = self.add(custom_id="report-1")
        self.assertEqual(first.id, second.id)


class Isolation(Case):
    """What one project keeps, the key of another never sees."""

    def test_nothing_crosses(self):
        memory = self.create()[0]
        other = Supermemory(api_key=os.environ["OTHER_KEY"], base_url=URL)
        self.assert_status(404, other.profile, container_tag=self.tag)
        self.assertEqual(other.search.memories(q=FACTS[0]["content"], threshold=0).total, 0)
        self.assertEqual(other.search.memories(q=FACTS[0]["content"], container_tag=self.tag, threshold=0).total, 0)
        self.assert_status(404, other.memories.forget, container_tag=self.tag, id=memory["id"])
        self.assert_status(404, other.memories.update_memory, container_tag=self.tag, id=memory["id"], new_content="mine")
        self.assertEqual(self.client.profile(container_tag=self.tag).profile.static, [FACTS[0]["content"]])


if __name__ == "__main__":
    unittest.main()
