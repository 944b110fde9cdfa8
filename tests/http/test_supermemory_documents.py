"""Documents, containers and conversations through the real SDK of PyPI, which here refuses any answer that does not
have every member that it declares, of the type that it declares."""

import os
import time
import unittest
import uuid

import supermemory
from supermemory import Supermemory

from wire import call


class Case(unittest.TestCase):
    def setUp(self):
        self.client = Supermemory(api_key=os.environ["API_KEY"], base_url=os.environ["BASE_URL"], _strict_response_validation=True)
        self.addCleanup(self.client.close)
        self.tag = f"docs_{uuid.uuid4().hex}"

    def wait(self, *ids):
        """Waits until the documents are processed."""
        deadline = time.monotonic() + 60
        for document_id in ids:
            while (document := self.client.documents.get(document_id)).status not in ("done", "failed"):
                self.assertLess(time.monotonic(), deadline, f"{document_id} is still {document.status}")
                time.sleep(0.1)
            self.assertEqual(document.status, "done")


class Strict(Case):
    """The answers that other tests read leniently."""

    def test_profile_and_search(self):
        memories = [{"content": "Ada writes programs", "isStatic": True, "metadata": {"year": 1843}}, {"content": "Ada is in London"}]
        call("POST", "/v4/memories", {"containerTag": self.tag, "memories": memories})
        answer = self.client.profile(container_tag=self.tag, q="What does Ada write?", threshold=0, include=["static"])
        self.assertEqual((answer.profile.static, answer.profile.dynamic), (["Ada writes programs"], None))
        self.assertEqual(answer.search_results.results[0].memory, "Ada writes programs")
        updated = self.client.memories.update_memory(
            container_tag=self.tag, content="Ada is in London", new_content="Ada is in Turin", temporal_context={"event_date": ["1843-05-01"]}
        )
        self.assertEqual(updated.metadata, {"temporalContext": {"eventDate": ["1843-05-01"]}})
        found = self.client.search.memories(
            container_tag=self.tag, q="Ada is in Turin", threshold=0, limit=1, include={"related_memories": True, "documents": True}
        ).results[0]
        self.assertEqual((found.id, found.root_memory_id), (updated.id, updated.root_memory_id))
        self.assertEqual([(p.relation, p.version, p.memory) for p in found.context.parents], [("updates", -1, "Ada is in London")])
        self.assertTrue(self.client.memories.forget(container_tag=self.tag, id=updated.id).forgotten)

    def test_forgotten_memories_come_back_when_asked_for(self):
        call("POST", "/v4/memories", {"containerTag": self.tag, "memories": [{"content": "Ada owns a horse"}]})
        self.client.memories.forget(container_tag=self.tag, content="Ada owns a horse")
        search = self.client.search.memories
        self.assertEqual(search(container_tag=self.tag, q="Ada owns a horse", threshold=0).total, 0)
        self.assertEqual(search(container_tag=self.tag, q="Ada owns a horse", threshold=0, include={"forgotten_memories": True}).total, 1)


class Documents(Case):
    def test_an_upload_without_a_file(self):
        """A form as browsers send it when nothing was chosen, one without the field, and no form at all."""
        nothing = 'Content-Disposition: form-data; name="file"; filename=""\r\nContent-Type: application/octet-stream\r\n\r\n\r\n'
        field = f'Content-Disposition: form-data; name="containerTag"\r\n\r\n{self.tag}\r\n'
        form = {"Content-Type": "multipart/form-data; boundary=b"}
        for parts, headers in ((nothing, form), (field, form), (field + "--b\r\n" + nothing, form), (nothing, {})):
            body = f"--b\r\n{parts}--b--\r\n".encode()
            status, answer = call("POST", "/v3/documents/file", body, headers=headers)
            self.assertEqual((status, type(answer.get("error"))), (400, str), answer)
        self.assertEqual(call("POST", "/v4/profile", {"containerTag": self.tag})[0], 404)

    def test_batch_list_and_bulk_delete(self):
        added = self.client.documents.batch_add(
            container_tag=self.tag,
            metadata={"shelf": "b"},
            documents=[
                {"content": "The first report.", "metadata": {"shelf": "a"}},
                {"content": "The second report.", "custom_id": f"second_{self.tag}"},
                {"content": ""},
            ],
        )
        self.assertEqual((added.success, added.failed), (2, 1))
        self.assertEqual([result.status for result in added.results], ["queued", "queued", "error"])
        self.assertIn("documents[2].content", added.results[2].error)
        self.wait(added.results[0].id, added.results[1].id)

        listed = self.client.documents.list(container_tags=[self.tag], limit=1, page="2", sort="createdAt", order="asc", include_content=True)
        self.assertEqual((listed.pagination.total_items, listed.pagination.total_pages, len(listed.memories)), (2, 2, 1))
        self.assertEqual(listed.memories[0].container_tags, [self.tag])
        of_shelf = self.client.documents.list(container_tags=[self.tag], filters={"and_": [{"key": "shelf", "value": "a"}]})
        self.assertEqual([document.id for document in of_shelf.memories], [added.results[0].id])
        self.assertEqual(self.client.documents.get(f"second_{self.tag}").id, added.results[1].id)

        gone = self.client.documents.delete_bulk(ids=[added.results[0].id, "nonesuch"])
        self.assertEqual((gone.success, gone.deleted_count, [error.id for error in gone.errors]), (False, 1, ["nonesuch"]))
        self.assertEqual(self.client.documents.delete_bulk(container_tags=[self.tag]).deleted_count, 1)
        self.assertEqual(self.client.documents.list(container_tags=[self.tag]).memories, [])

    def test_processing(self):
        added = self.client.add(content="A short note.", container_tag=self.tag)
        everything = self.client.documents.list_processing(container_tags=self.tag, view="all")
        self.assertEqual([document.id for document in everything.documents], [added.id])
        self.wait(added.id)
        self.assertEqual(self.client.documents.list_processing(container_tags=self.tag).total_count, 0)

    def test_update_in_place_and_reprocess(self):
        added = self.client.add(content="Marie works in Paris.", container_tag=self.tag, metadata={"a": 1})
        self.wait(added.id)
        self.assertEqual(self.client.documents.update(added.id, metadata={"b": 2}).status, "done")
        self.assertEqual(self.client.documents.get(added.id).metadata, {"a": 1, "b": 2})
        self.client.documents.update(added.id, content="Pierre studies crystals.")
        self.wait(added.id)
        document = self.client.documents.get(added.id)
        self.assertEqual((document.content, document.latest_revision), ("Pierre studies crystals.", 2))
        found = self.client.search.documents(q="Who works in Paris?", container_tags=[self.tag], include_full_docs=True, include_summary=True).results
        self.assertEqual([(result.content, result.summary) for result in found], [("Pierre studies crystals.",) * 2])
        self.assertEqual([chunk.content for chunk in found[0].chunks], ["Pierre studies crystals."])

    def test_memories_are_drawn_and_point_to_their_source(self):
        letter = f"letter_{self.tag}"
        added = self.client.add(content="My name is Lise Meitner. I live in Stockholm.", container_tag=self.tag, custom_id=letter)
        self.wait(added.id)
        drawn = next(memory for memory in self.client.documents.get(letter).memories if "Stockholm" in memory.memory)
        search = self.client.search.memories
        found = search(q=drawn.memory, container_tag=self.tag, threshold=0, limit=1, include={"documents": True, "summaries": True}).results[0]
        self.assertEqual((found.id, [source.id for source in found.documents]), (drawn.id, [added.id]))
        self.client.documents.delete(letter)
        self.assertNotIn(drawn.id, [result.id for result in search(q=drawn.memory, container_tag=self.tag, threshold=0).results])

    def test_search_modes(self):
        """What a benchmark harness does: sessions in, wait, ask with chunks."""
        session = "user: The spare key hangs behind the clock.\nassistant: Noted."
        added = self.client.add(content=session, container_tag=self.tag, metadata={"sessionId": "s1"})
        self.wait(added.id)
        for extra in ({"search_mode": "documents"}, {"search_mode": "hybrid"}, {"include": {"chunks": True}}):
            with self.subTest(extra):
                results = self.client.search.memories(q="Where is the spare key?", container_tag=self.tag, limit=10, threshold=0, **extra).results
                chunks = [result for result in results if result.chunk]
                self.assertIn("behind the clock", chunks[0].chunk)
                self.assertEqual((chunks[0].id, chunks[0].metadata), (f"{added.id}_0", {"sessionId": "s1"}))
                self.assertTrue(all((result.chunk is None) != (result.memory is None) for result in results))

    def test_refusals(self):
        for wrong in (
            {"content": " "},
            {"content": "x", "custom_id": "a/b"},
            {"content": "x", "metadata": {"a": {"b": 1}}},
            {"content": "x", "document_date": "soon"},
        ):
            with self.subTest(wrong), self.assertRaises(supermemory.BadRequestError):
                self.client.add(container_tag=self.tag, **wrong)
        with self.assertRaises(supermemory.NotFoundError):
            self.client.documents.update("nonesuch", content="x")


class Conversations(Case):
    def test_a_conversation_grows(self):
        messages = [{"role": "user", "content": "My name is Emmy Noether."}, {"role": "assistant", "content": "Hello!"}]
        status, first = call("POST", "/v4/conversations", {"conversationId": "c1", "containerTags": [self.tag], "messages": messages})
        self.assertEqual(status, 200, first)
        messages.append({"role": "user", "content": [{"type": "text", "text": "My email is emmy@example.org."}]})
        again = call("POST", "/v4/conversations", {"conversationId": "c1", "containerTags": [self.tag], "messages": messages})[1]
        self.assertEqual(first["id"], again["id"])
        self.wait(first["id"])
        self.assertEqual(call("GET", f"/api/v1/profiles?subject_id={self.tag}")[1]["data"], {"name": "Emmy Noether", "email": "emmy@example.org"})
        exported = call("GET", f"/api/profiles/{self.tag}/export")[1]["messages"]
        self.assertEqual([message["content"] for message in exported], ["My name is Emmy Noether.", "Hello!", "My email is emmy@example.org."])


class Containers(Case):
    def test_describe_and_erase(self):
        path = f"/v3/container-tags/{self.tag}"
        self.assertEqual(call("GET", path)[0], 404)
        self.assertEqual(call("PATCH", path, {"name": "Ada", "entityContext": "a test"})[1]["name"], "Ada")
        self.wait(self.client.add(content="A note about Ada.", container_tag=self.tag).id)
        self.assertIn(self.tag, [container["containerTag"] for container in call("GET", "/v3/container-tags/list")[1]])
        self.assertEqual(call("DELETE", path)[1]["deletedDocumentsCount"], 1)
        self.assertEqual(call("GET", path)[0], 404)


if __name__ == "__main__":
    unittest.main()
