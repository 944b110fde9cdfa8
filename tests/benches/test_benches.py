"""Runs every benchmark in its smallest form and looks at what it prints: each table with all its lines, and answers that are
right. Times are not judged."""

import os
import re
import subprocess
import unittest
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
CONVERSATIONS = Path(__file__).with_name("conversations.jsonl")
SMALLEST = {"BENCH_SECONDS": "0.05", "BENCH_MEMORIES": "1000", "BENCH_JOBS": "20", "BENCH_ROWS": "1000"}
RECALL = 0.99

NUMBER = r"-?\d+(?:\.\d+)?"
TIME = rf"{NUMBER} ms"


def tables(*command: str | Path, **settings: str) -> dict[str, list[str]]:
    """What a benchmark prints, the lines that are not blank by the heading above them; it must succeed."""
    done = subprocess.run(command, env=os.environ | SMALLEST | settings, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise AssertionError(f"exit status {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    parts = re.split(r"^== (.*)$", done.stdout, flags=re.MULTILINE)
    bodies = [[line for line in body.splitlines() if line.strip()] for body in parts[::2]]
    return dict(zip(["", *parts[1::2]], bodies, strict=True))


def section(name: str) -> dict[str, list[str]]:
    return tables(REPO / "benches/run.sh", name)


class Benches(unittest.TestCase):
    def rows(self, lines: list[str], pattern: str, count: int) -> list[re.Match[str]]:
        """The lines of a table that are as they should be: so many."""
        rows = [match for line in lines if (match := re.fullmatch(pattern, line))]
        self.assertEqual(len(rows), count, "\n".join([pattern, *lines]))
        return rows

    def the_table(self, found: dict[str, list[str]], title: str) -> list[str]:
        [lines] = [lines for heading, lines in found.items() if heading.startswith(title)]
        return lines

    def test_sql(self) -> None:
        found = section("sql")
        self.rows(found["Loading"], rf".+ +{NUMBER} per second +{NUMBER} % of the encoder", 4)
        lines = {
            "Reading profiles": 4,
            "Exporting": 3,
            "Searching": 4,
            "Searching by words alone": 4,
            "Writing": 3,
            "Writing without vectors": 3,
        }
        for title, count in lines.items():
            self.rows(found[title], rf".+ +{TIME} +{TIME} +{NUMBER} +[1-9]\d*", count)

    def test_learning(self) -> None:
        found = section("learning")
        for title in ("Learning with 1 worker(s)", "Learning with 2 worker(s)"):
            self.rows(found[title], rf".+ {NUMBER} per second", 3)
            self.rows(found[title], rf".+ {NUMBER} %", 2)
            self.rows(found[title], rf".+ {NUMBER} ms of the processor", 2)

    def test_embedder(self) -> None:
        lines = self.the_table(section("embedder"), "Embedding a text")
        self.rows(lines, rf" *\d+ tokens: {TIME}", 4)

    def test_vector(self) -> None:
        lines = self.the_table(section("vector"), "Distances beside pgvector")
        nanoseconds = rf" +{NUMBER} ns" * 5
        ratios = rf" +(?:{NUMBER})?" * 5
        rows = self.rows(lines, rf"(?:half|)vec(?:tor)?\(\d+\) +1000 +<[=#-]> *{nanoseconds}{ratios} +\d+ +(\S+)", 12)
        for row in rows:
            self.assertLessEqual(float(row[1]), 1e-5, row[0])

    def test_search(self) -> None:
        lines = self.the_table(section("search"), "Searches beside pgvector")
        for index in ("ours", "ours, whole", "ivfflat", "hnsw"):
            self.rows(lines, rf"{index} +{NUMBER} s +{NUMBER} s +\d+ MB +[1-9]\d*/s", 1)
        # Tenants of three sizes with seven ways to search, all rows with six; each with and without a filter.
        rows = self.rows(lines, rf"(.{{22}}) +{TIME} +{TIME} +({NUMBER}) +(?:{NUMBER})?", 54)
        ours = [row for row in rows if row[1].startswith(("scoped_vector", "pgvector, exact"))]
        self.assertEqual(len(ours), 14)
        for row in ours:
            self.assertGreaterEqual(float(row[2]), RECALL, row[0])

    def test_growth(self) -> None:
        found = section("growth")
        for title, count in (("One namespace, by its rows", 2), ("100 rows, by their namespaces", 2)):
            for row in self.rows(found[title], rf" +\d+ +\d+ +\d+ +\d+ +{TIME} +{TIME} +({NUMBER})", count):
                self.assertGreaterEqual(float(row[1]), RECALL, row[0])

    def test_kernels(self) -> None:
        lines = self.the_table(section("kernels"), "Kernels")
        self.rows(lines, rf"read bandwidth over +\d+ kB: {NUMBER} GB/s", 3)
        for kind in ("f32", "f16", "i8", "1-bit"):
            kernels = [line for line in lines if line.startswith(f"{kind} ")]
            self.assertNotEqual(kernels, [])
            self.rows(kernels, rf".+ {NUMBER} ns +{NUMBER} GB/s +units +(?:-|\d+ %) +read +\d+ %", len(kernels))

    def test_retrieval(self) -> None:
        found = tables(REPO / "benches/retrieval/run.sh", CONVERSATIONS, MODES="metadata text learned")
        self.rows(self.the_table(found, "Writing 16 turns"), rf".+ {NUMBER} +(?:\d+%)?", 4)
        counts = {"Category 1": 2, "Category 2": 3, "Category 3": 2, "Category 4": 4, "Category 5": 2, "Categories 1 to 4": 11}
        for title, questions in counts.items():
            [heading] = [heading for heading in found if heading.startswith(title)]
            self.assertTrue(heading.endswith(f", {questions} questions"), heading)
            # Ten ways of search, three to compare with.
            rows = self.rows(found[heading], rf"(.+?)((?: +{NUMBER}| +-)+)", 13)
            for row in rows:
                if "metadata" in row[1] or "text alone" in row[1]:
                    self.assertEqual(row[2].split()[2], "100.0", f"of so few turns all are found: {row[0]}")
        self.rows(self.the_table(found, "Time of a search"), rf".+ {TIME} +{TIME} +{NUMBER}", 11)

    def test_extraction(self) -> None:
        lines = tables(REPO / "benches/example.sh", "extraction", CONVERSATIONS, "--misses", "--sample", "3")[""]
        rows = self.rows(lines, rf"(boatyard|bakery|all) +(\d+) +(\d+) +(\S+%) +(\d+)(?: +{NUMBER}%){{4}}", 3)
        self.assertEqual([(row[1], row[2], row[5]) for row in rows], [("boatyard", "9", "6"), ("bakery", "7", "5"), ("all", "16", "11")])
        self.rows(lines, rf"{NUMBER} turns/s, {NUMBER} MB/s on one core", 1)


if __name__ == "__main__":
    unittest.main()
