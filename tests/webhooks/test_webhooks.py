"""Webhooks as a receiver sees them, and notifications as a listener does."""

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import threading
import time
import unittest
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def sql(query, **variables):
    """Runs a query in the test's database and returns its rows, each a list of texts."""
    settings = [f"--set={name}={value}" for name, value in variables.items()]
    done = subprocess.run(
        ["psql", "-X", "--quiet", "--set", "ON_ERROR_STOP=1", "-At", "-F", "\t", *settings],
        input=query, capture_output=True, text=True, check=False,
    )
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return [line.split("\t") for line in done.stdout.splitlines()]


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise AssertionError("it did not come to that in time")
        time.sleep(0.05)
    return result


class Receiver:
    """A server that keeps every request, and answers as it is told to: a status, or (status, headers), for each in turn."""

    def __init__(self):
        self.requests = []
        self.answers = []
        self.release = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.requests.append((self.path, dict(self.headers.items()), body))
                answer = receiver.answers.pop(0) if receiver.answers else 204
                if answer == "hang":
                    receiver.release.wait(30)
                    return
                status, headers = answer if isinstance(answer, tuple) else (answer, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()

    def wait_for(self, count, seconds=20):
        wait_until(lambda: len(self.requests) >= count, seconds)
        return self.requests


class Webhooks(unittest.TestCase):
    def setUp(self):
        self.receiver = Receiver()
        self.addCleanup(self.receiver.close)
        self.subject = f"subject_{self._testMethodName}"
        self.addCleanup(sql, "DELETE FROM memory_profile.webhook")
        self.id, self.secret = self.register(self.receiver.url)

    def register(self, url, events=None):
        types = "NULL" if events is None else "'{" + ",".join(events) + "}'"
        return sql(f"SELECT * FROM memory_profile.webhook_create(:'url', {types})", url=url)[0]

    def add(self, text, subject=None):
        return sql("SELECT memory_profile.memory_add(:'subject', :'text')", subject=subject or self.subject, text=text)[0][0]

    def hasten(self):
        """Has what waits for another attempt sent now."""
        sql("UPDATE memory_profile.webhook_delivery SET run_after = now(); UPDATE memory_profile.webhook SET paused_until = NULL")

    def delivery(self, webhook=None):
        rows = sql("""SELECT status, attempts, coalesce(http_status::text, ''), coalesce(error, '') FROM memory_profile.webhook_delivery
                      WHERE webhook_id = :'id' ORDER BY event_id LIMIT 1""", id=webhook or self.id)
        return rows[0]

    def test_events_arrive_signed(self):
        memory = self.add("Likes tea")
        path, headers, body = self.receiver.wait_for(1)[0]
        self.assertEqual(path, "/hook")
        self.assertEqual(headers["content-type"], "application/json")
        message = json.loads(body)
        self.assertEqual(message["type"], "memory.created")
        self.assertEqual(message["data"], {"subject_id": self.subject, "memory_id": memory, "kind": "fact", "version": 1})
        self.assertEqual(message["id"], headers["webhook-id"])
        self.assertLess(abs(int(headers["webhook-timestamp"]) - time.time()), 60)
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        self.assertEqual(headers["webhook-signature"], f"v1,{expected}")
        wait_until(lambda: self.delivery()[0] == "delivered")

    def test_nothing_is_sent_of_what_is_rolled_back(self):
        sql("BEGIN; SELECT memory_profile.memory_add(:'subject', 'Never was'); ROLLBACK", subject=self.subject)
        self.add("Was")
        time.sleep(0.3)
        self.assertEqual(len(self.receiver.requests), 1)

    def test_events_of_a_subject_come_in_order(self):
        self.receiver.answers = [204, 500, 204, 503]
        for number in range(12):
            self.add(f"Number {number}")
            self.add(f"Number {number}", subject=f"{self.subject}_other")
        wait_until(lambda: self.hasten() or all(row[0] == "delivered" for row in sql(
            "SELECT status FROM memory_profile.webhook_delivery")), 30)
        delivered = {}
        for _, headers, body in self.receiver.requests:
            message = json.loads(body)
            delivered.setdefault(message["data"]["subject_id"], {})[message["id"]] = message["data"]["memory_id"]
        for subject in (self.subject, f"{self.subject}_other"):
            in_order = [row[0] for row in sql("""SELECT data ->> 'memory_id' FROM memory_profile.event
                WHERE subject_key = memory_profile.subject_key(:'subject') ORDER BY id""", subject=subject)]
            self.assertEqual(list(delivered[subject].values()), in_order)

    def test_a_failure_is_tried_again_with_the_same_message(self):
        self.receiver.answers = [500, (302, {"location": self.receiver.url + "/elsewhere"}), 400]
        self.add("Likes tea")
        for attempt, status in enumerate(["500", "302", "400"], 1):
            self.receiver.wait_for(attempt)
            wait_until(lambda: self.delivery()[:3] == ["pending", str(attempt), status])
            self.hasten()
        self.receiver.wait_for(4)
        wait_until(lambda: self.delivery()[0] == "delivered")
        self.assertEqual({path for path, _, _ in self.receiver.requests}, {"/hook"})
        self.assertEqual(len({headers["webhook-id"] for _, headers, _ in self.receiver.requests}), 1)
        self.assertEqual(len({body for _, _, body in self.receiver.requests}), 1)

    def test_a_receiver_is_left_alone_as_long_as_it_asks(self):
        self.receiver.answers = [(429, {"retry-after": "120"})]
        self.add("Likes tea")
        wait_until(lambda: self.delivery()[2] == "429")
        self.assertEqual(sql("""SELECT run_after > now() + interval '110 seconds', paused_until > now() + interval '110 seconds'
            FROM memory_profile.webhook_delivery JOIN memory_profile.webhook w ON w.id = webhook_id"""), [["t", "t"]])
        self.add("Another subject has to wait as well", subject=f"{self.subject}_other")
        time.sleep(0.3)
        self.assertEqual(len(self.receiver.requests), 1)

    def test_a_receiver_that_hangs_holds_nobody_up(self):
        self.receiver.answers = ["hang"]
        other = Receiver()
        self.addCleanup(other.close)
        self.add("Likes tea")
        self.receiver.wait_for(1)
        self.register(other.url)
        begin = time.monotonic()
        self.add("Likes cake", subject=f"{self.subject}_other")
        other.wait_for(1)
        sql("SELECT memory_profile.learn(:'subject', 'My name is Ann.')", subject=self.subject)
        wait_until(lambda: sql("SELECT memory_profile.profile_get(:'subject') ->> 'name'", subject=self.subject) == [["Ann"]])
        self.assertLess(time.monotonic() - begin, 2.5)
        wait_until(lambda: self.delivery()[:2] == ["pending", "1"])
        self.assertEqual(self.delivery()[3], "no answer in time")

    def test_nobody_there(self):
        self.receiver.close()
        self.add("Likes tea")
        wait_until(lambda: self.delivery()[1] == "1" and self.delivery()[0] == "pending")
        self.assertIn("connection", self.delivery()[3])
        for attempt in range(2, 11):
            self.hasten()
            wait_until(lambda: self.delivery()[1] == str(attempt) and self.delivery()[0] != "sending")
        self.assertEqual(self.delivery()[0], "dead")

    def test_a_sender_that_is_killed_sends_again(self):
        self.receiver.answers = ["hang"]
        self.add("Likes tea")
        self.receiver.wait_for(1)
        [[pid]] = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'memory_profile webhooks' AND datname = current_database()")
        os.kill(int(pid), signal.SIGKILL)
        self.receiver.wait_for(2, 60)
        first, second = self.receiver.requests[:2]
        self.assertEqual(first[1]["webhook-id"], second[1]["webhook-id"])
        self.assertEqual(first[2], second[2])

        def is_delivered():
            try:
                return self.delivery()[0] == "delivered"
            except AssertionError:
                # The server is still starting again.
                return False

        wait_until(is_delivered, 60)

    def test_private_addresses_are_refused_when_they_are_sent_to(self):
        sql("ALTER SYSTEM SET memory_profile.webhook_private_networks = off")
        self.addCleanup(sql, "ALTER SYSTEM RESET memory_profile.webhook_private_networks; SELECT pg_reload_conf()")
        sql("SELECT pg_reload_conf()")
        # A name may lead anywhere, and elsewhere tomorrow.
        port = self.receiver.server.server_port
        sql("UPDATE memory_profile.webhook SET url = :'url'", url=f"http://localhost:{port}/hook")
        time.sleep(0.3)
        self.add("Likes tea")
        wait_until(lambda: self.delivery()[1] == "1" and self.delivery()[0] == "pending")
        self.assertIn("private network", self.delivery()[3])
        self.assertEqual(self.receiver.requests, [])
        with self.assertRaisesRegex(AssertionError, "invalid webhook URL"):
            self.register(self.receiver.url)

    def test_only_the_types_that_were_asked_for(self):
        other = Receiver()
        self.addCleanup(other.close)
        self.register(other.url, ["profile.updated"])
        sql("""SELECT memory_profile.profile_patch(:'subject', '[{"field_key": "name", "value": "Ann"}]')""", subject=self.subject)
        self.receiver.wait_for(2)
        other.wait_for(1)
        self.assertEqual([json.loads(body)["type"] for _, _, body in self.receiver.requests], ["memory.created", "profile.updated"])
        [(_, _, body)] = other.requests
        self.assertEqual(json.loads(body)["data"]["fields"], {"name": "Ann"})


class Notifications(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """The worker that was started before the database was there is started again after five seconds."""
        end = time.monotonic() + 30
        while sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'memory_profile jobs' AND datname = current_database()") == [["0"]]:
            if time.monotonic() > end:
                raise AssertionError("there is no worker")
            time.sleep(0.1)

    def listen(self, statements):
        """What a session that listens to itself is told, until the worker has looked several times."""
        done = subprocess.run(["psql", "-X", "-At"], input=f"LISTEN memory_profile;\n{statements}SELECT pg_sleep(1);\nSELECT 1;\n",
                              capture_output=True, text=True, check=True)
        lines = [line for line in done.stdout.splitlines() if line.startswith('Asynchronous notification "memory_profile"')]
        return [json.loads(line[line.index('"{') + 1:line.rindex('}"') + 1]) for line in lines]

    def test_a_listener_is_told_at_commit(self):
        told = self.listen("BEGIN; SELECT memory_profile.memory_add('listener', 'Likes tea'); SELECT 1; COMMIT;\n")
        self.assertEqual([notice["type"] for notice in told], ["memory.created"])
        [notice] = told
        self.assertEqual(set(notice), {"event_id", "type", "project_id", "subject_key", "memory_id"})
        self.assertEqual(sql(f"SELECT data ->> 'memory_id' FROM memory_profile.event WHERE id = {notice['event_id']}"), [[notice["memory_id"]]])

    def test_every_kind_of_change(self):
        told = self.listen("""SELECT memory_profile.memory_add('listener', 'Likes rum') AS id \\gset
            SELECT memory_profile.memory_update('listener', :'id', 'Likes gin') AS id \\gset
            SELECT memory_profile.memory_forget('listener', :'id');
            SELECT memory_profile.profile_patch('listener', '[{"field_key": "name", "value": "Ann"}]');
            """)
        self.assertEqual([notice["type"] for notice in told], ["memory.created", "memory.superseded", "memory.updated",
                                                              "memory.deleted", "memory.created", "profile.updated"])

    def test_nothing_is_told_of_what_is_rolled_back(self):
        self.assertEqual(self.listen("BEGIN; SELECT memory_profile.memory_add('listener', 'Never'); ROLLBACK;\n"), [])

    def test_the_writer_leaves_it_to_the_worker(self):
        left = sql("BEGIN; SELECT memory_profile.memory_add('listener', 'Likes notes'); SELECT count(*) FROM memory_profile.notification; COMMIT")
        self.assertEqual(left[-1], ["1"])

    def test_a_project_may_do_without(self):
        sql("SELECT memory_profile.project_configure('{\"notify\": false}')")
        self.addCleanup(sql, "SELECT memory_profile.project_configure('{\"notify\": null}')")
        self.assertEqual(self.listen("SELECT memory_profile.memory_add('listener', 'Silence');\n"), [])


if __name__ == "__main__":
    unittest.main()
