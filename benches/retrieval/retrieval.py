"""Measures what memory_search finds: retrieval.py FILE ROLE

Every conversation of a LoCoMo file becomes a subject, every turn a memory, every question a search through the SQL
function. docs/benchmarks.md says what is printed. The environment says where Postgres is, and:

    MODES             how turns are remembered: metadata, text, learned; the first two by default
    LIMIT_QUESTIONS   so many questions, taken at even distances
    EXPORT            a file that gets a JSON line for each question and mode, with its candidates and their scores
"""

import json
import os
import sys
import time
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import fmean
from typing import IO, Any

import psycopg

import locomo
import metrics
from database import DEPTH, EMBED, RANKING, SEARCH, Comparison, Container, connect, learn, remember
from locomo import Conversation, Question

MODES = {"metadata": "with metadata", "text": "text alone", "learned": "what was learned"}
DEFAULT_MODES = ["metadata", "text"]
VARIANTS = ("", "rerank", "rewrite_query")
# What was learned of plans expires when their day has passed; turns never do.
VARIANTS_LEARNED = (*VARIANTS, "include_forgotten")
# Statements that are slower at first, while caches fill, are not counted.
WARM_UP = 0.1


@dataclass
class Answer:
    """What one method made of one question; `shown` are the turns of the rows at the default threshold and limit, `rows` how
    many these rows are. `of_rows` is the recall of the first ten rows, and `of_words` that of as many words as the first ten
    rows of the search of the turns have."""

    category: int
    measures: tuple[float, ...]
    of_rows: float
    of_words: float | None = None
    shown: list[str] | None = None
    rows: int = 0
    relevant: set[str] = field(default_factory=set)


@dataclass
class Method:
    label: str
    answers: list[Answer] = field(default_factory=list)


@dataclass
class Timed:
    """A statement and how long it took each time, in a session of its own, so that no other one warms it up."""

    label: str
    session: psycopg.Connection[Any]
    milliseconds: list[float] = field(default_factory=list)

    def run(self, statement: str, parameters: Any) -> list[tuple[Any, ...]]:
        begin = time.perf_counter()
        rows = self.session.execute(statement, parameters).fetchall()
        self.milliseconds.append((time.perf_counter() - begin) * 1000)
        return rows


@dataclass
class Budget:
    """How many words a reader is given of every method's rows for one question: those of the first ten turns that the
    search of the turns with metadata finds, which is asked first; unknown where it is not asked."""

    words: int | None = None

    def recalls(
        self, rows: list[tuple[tuple[str, ...], int]], relevant: set[str], sets_it: bool = False
    ) -> tuple[float, float | None]:
        """The share of what is relevant among the first ten rows, and within the words."""
        if sets_it:
            self.words = sum(length for _, length in rows[:10])
        of_rows = {turn for turns, _ in rows[:10] for turn in turns}
        of_words = None if self.words is None else metrics.within(rows, self.words)
        of = [None if found is None else len(relevant & found) / len(relevant) for found in (of_rows, of_words)]
        return of[0] or 0.0, of[1]


@dataclass
class Search:
    """memory_search over the subjects of one mode, with one set of options."""

    mode: str
    variant: str
    method: Method
    timed: Timed
    containers: dict[str, Container]
    disagreements: int = 0

    def options(self, conversation: Conversation, question: Question) -> dict[str, Any]:
        subject = self.containers[conversation.name].subject
        chosen = {variant: variant == self.variant for variant in VARIANTS_LEARNED if variant}
        return {"subject": subject, "q": question.text, "depth": DEPTH} | chosen

    def ask_stranger(self, stranger: Conversation, question: Question, deep: psycopg.Connection[Any]) -> dict[str, Any]:
        """Asks a conversation that knows nothing about it; returns what is exported."""
        rows = deep.execute(RANKING, self.options(stranger, question)).fetchall()
        return self.exported(stranger, question, set(), rows)

    def ask(
        self, conversation: Conversation, question: Question, deep: psycopg.Connection[Any], budget: Budget
    ) -> dict[str, Any]:
        """Asks as an application does, and for the whole ranking; returns what is exported."""
        container = self.containers[conversation.name]
        options = self.options(conversation, question)
        ids = [row[0] for row in self.timed.run(SEARCH, options)]
        rows = deep.execute(RANKING, options).fetchall()
        self.disagreements += ids != [row[0] for row in rows[: len(ids)]]
        # A turn may have taught several memories; it counts once, where the first of them stands.
        ranked = [row[0] for row in rows]
        relevant = container.relevant(question)
        measures = metrics.measures(container.ranking(ranked), relevant)
        lengths = [(container.turns_of[id], container.words[id]) for id in ranked]
        of_rows, of_words = budget.recalls(lengths, relevant, sets_it=self.mode == "metadata" and not self.variant)
        shown = container.ranking(ids)
        self.method.answers.append(Answer(question.category, measures, of_rows, of_words, shown, len(ids), relevant))
        return self.exported(conversation, question, relevant, rows if not self.variant else [])

    def exported(
        self, conversation: Conversation, question: Question, relevant: set[str], rows: list[tuple[Any, ...]]
    ) -> dict[str, Any]:
        container = self.containers[conversation.name]
        return {
            "mode": self.mode,
            "conversation": conversation.name,
            "question": question.text,
            "category": question.category,
            "evidence": sorted(relevant),
            "texts": len(container.turns_of),
            "candidates": [
                {"id": container.turns_of[id][0], "similarity": similarity, "score": json.loads(score)}
                for id, similarity, score in rows
            ],
        }


def heading(text: str) -> None:
    print(f"\n== {text}\n", flush=True)


# ------------------------------------------------------------------------------------------------------------- loading


def load(
    conversations: list[Conversation], modes: list[str], session: psycopg.Connection[Any], comparison: Comparison
) -> dict[str, dict[str, Container]]:
    """Writes every conversation in every mode, and prints how fast that went beside the encoder alone."""
    containers: dict[str, dict[str, Container]] = {mode: {} for mode in modes}
    seconds = dict.fromkeys(modes, 0.0)
    encoder = 0.0
    for conversation in conversations:
        encoder += comparison.add(conversation)
        for mode in modes:
            begin = time.perf_counter()
            writing = learn(session, conversation) if mode == "learned" else remember(session, conversation, mode)
            containers[mode][conversation.name] = writing
            seconds[mode] += time.perf_counter() - begin
    texts = sum(len(set(comparison.units[c.name].values())) for c in conversations)
    heading(f"Writing {texts} turns with all that search needs")
    print(f"{'':34} {'per second':>10} {'of the encoder':>15}")
    print(f"{'the encoder alone':34} {texts / encoder:10.0f} {'':>15}")
    for mode in modes:
        label = MODES[mode] if mode == "learned" else f"memories_add, {MODES[mode]}"
        print(f"{label:34} {texts / seconds[mode]:10.0f} {encoder / seconds[mode]:15.0%}")
    return containers


# ----------------------------------------------------------------------------------------------------------- measuring


def searches(role: str, containers: dict[str, dict[str, Container]]) -> list[Search]:
    made = []
    for mode, subjects in containers.items():
        for variant in VARIANTS_LEARNED if mode == "learned" else VARIANTS:
            label = f"  {variant}" if variant else f"memory_search, {MODES[mode]}"
            made.append(Search(mode, variant, Method(label), Timed(label, connect(role)), subjects))
    return made


def ask_everything(
    conversations: list[Conversation], asked: list[Search], embedding: Timed, comparison: Comparison, export: IO[str] | None
) -> list[Method]:
    """Puts every question to every method in turn, so that whatever else the machine does hits them alike."""
    words, vectors, both = Method("BM25"), Method("vectors, exact cosine"), Method("RRF of the two")
    for conversation, stranger in zip(conversations, [*conversations[1:], *conversations[:1]], strict=True):
        lengths = {turn.id: metrics.words(turn.content) for turn in conversation.turns}
        for question in conversation.questions:
            embedding.run(EMBED, (question.text,))
            budget = Budget()
            for search in asked:
                line = search.ask(conversation, question, comparison.connection, budget)
                if export and not search.variant:
                    lines = [line, search.ask_stranger(stranger, question, comparison.connection)]
                    export.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            rankings = [comparison.by_words(conversation, question.text), comparison.by_vectors(conversation, question.text)]
            rankings.append(metrics.fuse(rankings, DEPTH))
            relevant = comparison.relevant(conversation, question)
            for method, ranking in zip((words, vectors, both), rankings, strict=True):
                recalls = budget.recalls([((turn,), lengths[turn]) for turn in ranking], relevant)
                method.answers.append(Answer(question.category, metrics.measures(ranking, relevant), *recalls))
    return [words, vectors, both]


# ------------------------------------------------------------------------------------------------------------ printing


def percent(value: float) -> str:
    return f"{100 * value:.1f}"


def at_default(answers: list[Answer]) -> list[str]:
    """Rows, their turns, precision and recall at the default threshold: precision of all turns together, recall by question."""
    found = [(answer.relevant.intersection(answer.shown), answer) for answer in answers if answer.shown is not None]
    if not found:
        return []
    rows, turns = sum(answer.rows for _, answer in found), sum(len(answer.shown or []) for _, answer in found)
    precision = sum(len(right) for right, _ in found) / turns if turns else 0.0
    recall = fmean(len(right) / len(answer.relevant) for right, answer in found)
    return [f"{rows / len(found):.1f}", f"{turns / len(found):.1f}", percent(precision), percent(recall)]


def print_quality(title: str, methods: list[Method], categories: Collection[int]) -> None:
    chosen = [(method, [answer for answer in method.answers if answer.category in categories]) for method in methods]
    count = len(chosen[0][1])
    if count == 0:
        return
    heading(f"{title}, {count} questions")
    width = max(len(method.label) for method in methods) + 2
    print(" " * (width + 8 * (len(metrics.MEASURES) + 2)) + "    at the default threshold")
    columns = [f"{name:>8}" for name in (*metrics.MEASURES, "10 rows", "words")]
    columns += [f"{name:>10}" for name in ("rows", "turns", "precision", "recall")]
    print(" " * width + "".join(columns))
    for method, answers in chosen:
        means = metrics.means((*answer.measures, answer.of_rows) for answer in answers)
        of_words = [answer.of_words for answer in answers if answer.of_words is not None]
        quality = [f"{percent(value):>8}" for value in means] + [f"{percent(fmean(of_words)) if of_words else '-':>8}"]
        print(f"{method.label:{width}}" + "".join(quality) + "".join(f"{value:>10}" for value in at_default(answers)))


def print_latencies(timed: list[Timed]) -> None:
    """The first one is the unit of the last column."""
    heading("Time of a search, end to end")
    width = max(len(one.label) for one in timed) + 2
    print(f"{'':{width}}{'p50':>13}{'p95':>13}{'x embedding':>14}")
    unit = 0.0
    for one in timed:
        counted = one.milliseconds[int(len(one.milliseconds) * WARM_UP) :]
        p50, p95 = metrics.percentile(counted, 0.5), metrics.percentile(counted, 0.95)
        unit = unit or p50
        print(f"{one.label:{width}}{p50:10.3f} ms{p95:10.3f} ms{p50 / unit:14.2f}")


def print_disagreements(asked: list[Search]) -> bool:
    """What is shown by default must be the head of the whole ranking; says where it is not."""
    wrong = [search for search in asked if search.disagreements]
    for search in wrong:
        print(f"\n{search.method.label.strip()} ({MODES[search.mode]}): with another limit and threshold, "
              f"{search.disagreements} questions get their rows in another order")  # fmt: skip
    return bool(wrong)


def chosen_modes() -> list[str]:
    modes = os.environ.get("MODES", "").split() or DEFAULT_MODES
    unknown = [mode for mode in modes if mode not in MODES]
    if unknown:
        raise SystemExit(f"MODES is some of: {' '.join(MODES)}")
    return modes


def main(path: str, role: str) -> None:
    conversations = locomo.read(path)
    if limit := os.environ.get("LIMIT_QUESTIONS"):
        conversations = locomo.spread(conversations, int(limit))
    with ExitStack() as files:
        target = os.environ.get("EXPORT")
        export = files.enter_context(open(target, "w", encoding="utf-8")) if target else None
        comparison = Comparison(connect(role))
        containers = load(conversations, chosen_modes(), connect(role), comparison)
        connect().execute("VACUUM ANALYZE")
        asked = searches(role, containers)
        embedding = Timed("embedding the question alone", connect(role))
        compared = ask_everything(conversations, asked, embedding, comparison, export)

    methods = [search.method for search in asked] + compared
    for number, name in locomo.CATEGORIES.items():
        print_quality(f"Category {number}, {name}", methods, [number])
    print_quality("Categories 1 to 4", methods, [1, 2, 3, 4])
    print_latencies([embedding] + [search.timed for search in asked])
    if print_disagreements(asked):
        raise SystemExit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
