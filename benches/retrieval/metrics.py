"""How good a ranking is, given what is relevant; and two ways to rank that need no more than words and ranks."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean

MEASURES = ("R@5", "R@10", "R@20", "hit@10", "MRR", "nDCG@10")


def recall(ranking: Sequence[str], relevant: set[str], depth: int) -> float:
    return len(relevant.intersection(ranking[:depth])) / len(relevant)


def words(text: str) -> int:
    """How many words a text has, as spaces part them."""
    return len(text.split())


def within(rows: Iterable[tuple[Sequence[str], int]], budget: int) -> set[str]:
    """What the first rows stand for that have no more words together; a row comes with what it stands for and its words."""
    found: set[str] = set()
    for turns, length in rows:
        if length > budget:
            break
        budget -= length
        found.update(turns)
    return found


def reciprocal_rank(ranking: Sequence[str], relevant: set[str]) -> float:
    return next((1 / rank for rank, id in enumerate(ranking, 1) if id in relevant), 0.0)


def ndcg(ranking: Sequence[str], relevant: set[str], depth: int) -> float:
    """Discounted gain, where a relevant row gains 1, as a share of what the best order would have."""
    gain = sum(1 / math.log2(rank + 1) for rank, id in enumerate(ranking[:depth], 1) if id in relevant)
    best = sum(1 / math.log2(rank + 1) for rank in range(1, min(len(relevant), depth) + 1))
    return gain / best


def measures(ranking: Sequence[str], relevant: set[str]) -> tuple[float, ...]:
    """Every one of MEASURES for one question."""
    return (
        recall(ranking, relevant, 5),
        recall(ranking, relevant, 10),
        recall(ranking, relevant, 20),
        float(not relevant.isdisjoint(ranking[:10])),
        reciprocal_rank(ranking, relevant),
        ndcg(ranking, relevant, 10),
    )


def means(rows: Iterable[Sequence[float]]) -> list[float]:
    return [fmean(column) for column in zip(*rows, strict=True)]


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[int((len(values) - 1) * share)]


class Bm25:
    """BM25 over texts that are given as lexemes with their counts."""

    def __init__(self, texts: Mapping[str, Mapping[str, int]], k1: float = 0.9, b: float = 0.4) -> None:
        length = {id: sum(counts.values()) for id, counts in texts.items()}
        average = fmean(length.values())
        self.k1 = k1
        self.norm = {id: k1 * (1 - b + b * length[id] / average) for id in texts}
        self.postings: dict[str, dict[str, int]] = {}
        for id, counts in texts.items():
            for lexeme, count in counts.items():
                self.postings.setdefault(lexeme, {})[id] = count

    def rank(self, query: Iterable[str], depth: int) -> list[str]:
        """The texts that share a lexeme with the query, best first; equals by their id."""
        scores: dict[str, float] = defaultdict(float)
        for lexeme in sorted(set(query)):
            texts = self.postings.get(lexeme, {})
            rarity = math.log(1 + (len(self.norm) - len(texts) + 0.5) / (len(texts) + 0.5))
            for id, count in texts.items():
                scores[id] += rarity * count * (self.k1 + 1) / (count + self.norm[id])
        return best(scores, depth)


def fuse(rankings: Iterable[Sequence[str]], depth: int, k: int = 60) -> list[str]:
    """Reciprocal rank fusion."""
    scores: dict[str, float] = defaultdict(float)
    for ranking in rankings:
        for rank, id in enumerate(ranking, 1):
            scores[id] += 1 / (k + rank)
    return best(scores, depth)


def best(scores: Mapping[str, float], depth: int) -> list[str]:
    return sorted(scores, key=lambda id: (-scores[id], id))[:depth]
