"""What the benchmark asks of Postgres: the functions that an application calls, and the parts of the comparison."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
import psycopg.conninfo

from locomo import Conversation, Question, message, metadata
from metrics import Bm25, words

# As deep as any ranking is looked at.
DEPTH = 200

ADD = "SELECT id FROM memory_profile.memories_add(%s, %s)"
LEARN = "SELECT memory_profile.learn(%s, %s, 'chat history')"
LEARNED = """
SELECT m.id, m.content, m.conversation_id, m.sequence, m.context_sequence
FROM memory_profile.memory m
WHERE m.subject_key = memory_profile.subject_key(%s) AND m.superseded_at IS NULL
"""
OPEN_JOBS = "SELECT count(*) FROM memory_profile.jobs(%s) WHERE status <> 'done'"

# As an application asks, with every default.
SEARCH = """
SELECT id, memory, similarity
FROM memory_profile.memory_search(%(subject)s, %(q)s, include_forgotten => %(include_forgotten)s,
  rerank => %(rerank)s, rewrite_query => %(rewrite_query)s)
"""
RANKING = """
SELECT id, similarity, score::text
FROM memory_profile.memory_search(%(subject)s, %(q)s, 0, max_results => %(depth)s,
  include_forgotten => %(include_forgotten)s, rerank => %(rerank)s, rewrite_query => %(rewrite_query)s)
"""

EMBED = "SELECT memory_profile._embed_query(%s)"
MAKE_PASSAGES = """
CREATE TEMPORARY TABLE passage (conversation text, id text, content text, embedding memory_profile.vector)
"""
EMBED_PASSAGES = """
INSERT INTO passage
SELECT %s, p.id, p.content, (SELECT embedding FROM memory_profile._encode(p.content))::real[]::memory_profile.vector
FROM unnest(%s::text[], %s::text[]) p (id, content)
"""
NEAREST = """
SELECT id FROM passage
WHERE conversation = %(conversation)s
ORDER BY embedding OPERATOR(memory_profile.<=>)
  (SELECT memory_profile._embed_query(%(q)s)::real[]::memory_profile.vector), id
LIMIT %(depth)s
"""
PASSAGE_LEXEMES = """
SELECT p.id, l.lexeme, cardinality(l.positions)
FROM passage p, unnest(to_tsvector((memory_profile.project_setting('text_search_config') #>> '{}')::regconfig, p.content)) l
WHERE p.conversation = %s
"""
LEXEMES = """
SELECT lexeme
FROM unnest(to_tsvector((memory_profile.project_setting('text_search_config') #>> '{}')::regconfig, %s))
"""


def connect(role: str | None = None) -> psycopg.Connection[tuple[Any, ...]]:
    """A session that prepares every statement; without a role, the administrator's."""
    conninfo = psycopg.conninfo.make_conninfo(user=role)
    return psycopg.connect(conninfo, autocommit=True, prepare_threshold=0)


@dataclass(frozen=True)
class Container:
    """A conversation as the memories of a subject. Turns of exactly the same text may be one memory: `unit` says which
    turn stands for each, `turns_of` the turns that each memory's id stands for, its own first, `words` how long it is."""

    subject: str
    unit: dict[str, str]
    turns_of: dict[str, tuple[str, ...]]
    words: dict[str, int]

    def ranking(self, ids: Iterable[str]) -> list[str]:
        """The turns of memories, each once, where it comes first."""
        return list(dict.fromkeys(turn for id in ids for turn in self.turns_of[id]))

    def relevant(self, question: Question) -> set[str]:
        return {self.unit[turn] for turn in question.evidence}


def remember(connection: psycopg.Connection[Any], conversation: Conversation, mode: str) -> Container:
    """Writes a conversation as an application would, one call for each session, and runs the jobs that are left."""
    subject = f"{conversation.name}:{mode}"
    unit: dict[str, str] = {}
    turn_of: dict[str, str] = {}
    lengths: dict[str, int] = {}
    for session in dict.fromkeys(turn.session for turn in conversation.turns):
        turns = [turn for turn in conversation.turns if turn.session == session]
        facts = [metadata(conversation, turn) if mode == "metadata" else {} for turn in turns]
        items = [{"content": turn.content, "metadata": known} for turn, known in zip(turns, facts, strict=True)]
        rows = connection.execute(ADD, (subject, json.dumps(items))).fetchall()
        for turn, (memory,) in zip(turns, rows, strict=True):
            unit[turn.id] = turn_of.setdefault(memory, turn.id)
            lengths[memory] = words(turn.content)
    connection.execute("CALL memory_profile.run_jobs()")
    if connection.execute(OPEN_JOBS, (subject,)).fetchone() != (0,):
        raise SystemExit(f"the jobs of {subject} are not done")
    return Container(subject, unit, {memory: (turn,) for memory, turn in turn_of.items()}, lengths)


def learn(connection: psycopg.Connection[Any], conversation: Conversation) -> Container:
    """Hands a conversation over to be learned from, one message array for each session. A memory stands for the turn that
    taught it, and for the turn whose words it repeats, as an answer that of its question; no other turn is to be found."""
    subject = f"{conversation.name}:learned"
    turns = {(f"{conversation.name}:session_{turn.session}", turn.sequence): turn.id for turn in conversation.turns}
    for session in dict.fromkeys(turn.session for turn in conversation.turns):
        messages = [message(conversation, turn) for turn in conversation.turns if turn.session == session]
        connection.execute(LEARN, (subject, json.dumps(messages)))
    connection.execute("CALL memory_profile.run_jobs()")
    if connection.execute(OPEN_JOBS, (subject,)).fetchone() != (0,):
        raise SystemExit(f"the jobs of {subject} are not done")
    learned = connection.execute(LEARNED, (subject,)).fetchall()
    turns_of = {
        memory: tuple(turns[said, number] for number in (sequence, context) if number is not None)
        for memory, _, said, sequence, context in learned
    }
    lengths = {memory: words(content) for memory, content, *_ in learned}
    return Container(subject, {turn.id: turn.id for turn in conversation.turns}, turns_of, lengths)


class Comparison:
    """BM25 and exact cosines over the same texts, without the product's search."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        self.units: dict[str, dict[str, str]] = {}
        self.words: dict[str, Bm25] = {}
        connection.execute(MAKE_PASSAGES)

    def add(self, conversation: Conversation) -> float:
        """Takes a conversation in, and returns the seconds that the encoder alone took for its texts."""
        first: dict[str, str] = {}
        self.units[conversation.name] = {t.id: first.setdefault(t.content, t.id) for t in conversation.turns}
        begin = time.perf_counter()
        self.connection.execute(EMBED_PASSAGES, (conversation.name, list(first.values()), list(first)))
        seconds = time.perf_counter() - begin
        counts: dict[str, dict[str, int]] = {id: {} for id in first.values()}
        for id, lexeme, count in self.connection.execute(PASSAGE_LEXEMES, (conversation.name,)):
            counts[id][lexeme] = count
        self.words[conversation.name] = Bm25(counts)
        return seconds

    def relevant(self, conversation: Conversation, question: Question) -> set[str]:
        return {self.units[conversation.name][turn] for turn in question.evidence}

    def by_words(self, conversation: Conversation, q: str) -> list[str]:
        lexemes = [lexeme for (lexeme,) in self.connection.execute(LEXEMES, (q,))]
        return self.words[conversation.name].rank(lexemes, DEPTH)

    def by_vectors(self, conversation: Conversation, q: str) -> list[str]:
        asked = {"conversation": conversation.name, "q": q, "depth": DEPTH}
        return [id for (id,) in self.connection.execute(NEAREST, asked)]
