"""Reads conversations with questions about them, in either form of the LoCoMo data set.

The public file (locomo10.json) is a JSON list with `conversation` and `qa`; the other form has one JSON object per line
with `memories` and `questions`. One turn of a conversation becomes one memory.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}

# "D8:6; D9:17" names two turns, "D:11:26" and "D30:05" are slips of the pen for D11:26 and D30:5.
TURN = re.compile(r"D:?0*(\d+):0*(\d+)")
DATE = "%I:%M %p on %d %B, %Y"


@dataclass(frozen=True)
class Turn:
    id: str
    speaker: str
    content: str
    session: str
    sequence: int
    date: str


@dataclass(frozen=True)
class Question:
    text: str
    category: int
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Conversation:
    name: str
    turns: tuple[Turn, ...]
    questions: tuple[Question, ...]


def read(path: str) -> list[Conversation]:
    """The conversations of a file, whichever of the two forms it has."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    if text.lstrip().startswith("["):
        return [public_form(number, item) for number, item in enumerate(json.loads(text))]
    return [line_form(json.loads(line)) for line in text.split("\n") if line.strip()]


def public_form(number: int, item: dict[str, Any]) -> Conversation:
    name = str(item.get("sample_id", number))
    return conversation(name, public_turns(item["conversation"]), item["qa"])


def public_turns(sessions: dict[str, Any]) -> Iterator[Turn]:
    numbers = sorted(int(key.removeprefix("session_")) for key in sessions if re.fullmatch(r"session_\d+", key))
    for number in numbers:
        date = datetime.strptime(sessions[f"session_{number}_date_time"], DATE).isoformat()
        for sequence, turn in enumerate(sessions[f"session_{number}"], 1):
            content = sentence(turn["speaker"], turn["text"], turn.get("blip_caption"))
            yield Turn(turn["dia_id"], turn["speaker"], content, str(number), sequence, date)


def line_form(item: dict[str, Any]) -> Conversation:
    return conversation(str(item["conv"]), line_turns(item["memories"]), item["questions"])


def line_turns(memories: list[dict[str, Any]]) -> Iterator[Turn]:
    sequences: dict[str, int] = {}
    for turn in memories:
        session = str(turn["session"])
        sequences[session] = sequences.get(session, 0) + 1
        content = sentence(turn["speaker"], turn["text"], turn.get("caption"))
        yield Turn(turn["id"], turn["speaker"], content, session, sequences[session], turn["date"])


def sentence(speaker: str, text: str, caption: str | None) -> str:
    """What is remembered of a turn: who said what, and what was to be seen on the picture that came with it."""
    return f"{speaker}: {text}" + (f" [image: {caption}]" if caption else "")


def conversation(name: str, turns: Iterator[Turn], questions: list[dict[str, Any]]) -> Conversation:
    said = tuple(turns)
    known = {turn.id for turn in said}
    asked = (Question(q["question"], q["category"], evidence(q.get("evidence") or [], known)) for q in questions)
    return Conversation(name, said, tuple(question for question in asked if question.evidence))


def evidence(references: list[str], known: set[str]) -> tuple[str, ...]:
    """The turns that are referred to, each once; references to nothing that was said are left out."""
    turns = (turn for text in references for turn in named_turns(text, known))
    return tuple(dict.fromkeys(turn for turn in turns if turn in known))


def named_turns(text: str, known: set[str]) -> list[str]:
    return [text] if text in known else [f"D{session}:{turn}" for session, turn in TURN.findall(text)]


def metadata(conversation: Conversation, turn: Turn) -> dict[str, Any]:
    """What an application that stores a chat knows about a turn besides its text."""
    return {
        "speaker": turn.speaker,
        "conversationId": f"{conversation.name}:session_{turn.session}",
        "sequence": turn.sequence,
        "date": turn.date,
    }


def message(conversation: Conversation, turn: Turn) -> dict[str, Any]:
    """A turn as a message of a chat."""
    known = metadata(conversation, turn)
    return {
        "role": "user",
        "name": turn.speaker,
        "content": turn.content.removeprefix(f"{turn.speaker}: "),
        "timestamp": turn.date,
        "conversation_id": known["conversationId"],
        "sequence": turn.sequence,
    }


def spread(conversations: list[Conversation], limit: int) -> list[Conversation]:
    """The same conversations with at most so many questions in all, taken at even distances."""
    total = sum(len(conversation.questions) for conversation in conversations)
    if limit >= total:
        return conversations
    chosen = {number * total // limit for number in range(limit)}
    numbers = iter(range(total))
    return [
        Conversation(c.name, c.turns, tuple(question for question in c.questions if next(numbers) in chosen))
        for c in conversations
    ]
