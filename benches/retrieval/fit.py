#!/usr/bin/env python3
"""Judges and fits the numbers of the search's score, and prints the project setting `scoring` that holds them.

    fit.py RUN.jsonl [--mode MODE] [--aside CATEGORY] [--scoring SCORING.json] [--refit]

RUN.jsonl is what the benchmark of retrieval writes with EXPORT=RUN.jsonl, one search per line, made with threshold 0:

    {"mode": "metadata",          which lines count: --mode
     "question": "Where …?",      what was asked
     "category": 4,               any label; figures are given for each
     "conversation": "26",        what is left out together in cross-validation
     "texts": 419,                how many texts were searched
     "evidence": ["id", …],       the right answers; [] if the subject has none, as when asked of a stranger
     "candidates": [{"id": "id", "score": {"parts": {"share": 0.1, …}, …}}, …]}     the rows

The category --aside is shown in a line of its own, in no sum and no fit: in LoCoMo, 5 asks for what the other speaker did.
Printed are: recall, nDCG and recall above the threshold by category and by group; what each weight is worth, by leaving
it out; with --refit what weights fitted to the other groups make of each group; the cut between answers and the rest,
again with each group left out; and the setting. Nothing is written anywhere.
"""

import argparse
import json
import math
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MODEL = Path(__file__).resolve().parents[2] / "src/rules/src/rank/model.rs"
# Numbers of the model that weigh no signal by themselves.
CONSTANTS = ("k1", "b", "pseudo_documents", "identity_from", "recency_half_life_days", "coverage_by_cosine")


def defaults():
    """The weights that the search has by default, by the names of their signals."""
    [body] = re.findall(r"impl Default for Weights \{.*?Weights \{(.*?)\}", MODEL.read_text(encoding="utf-8"), re.DOTALL)
    return {name: float(number) for name, number in re.findall(r"(\w+): ([\d.]+),", body) if name not in CONSTANTS}


WEIGHTS = defaults()
RELATED = ("alone", "few", "speaker", "date", "time")  # count as far as the text is related
TAKEN_OFF = ("asks", "repeats")
CENTRED = {"recency": "freshness", "importance": "importance"}  # half of the range is given, half is taken
FITTED = [name for name in WEIGHTS if name not in ("alone", "few", "repeats", "identity", "recency", "importance")]
# Similarity from 0.95 up is for a text that is the question: no question and answer tell anything about it.
TOP = [[20.0, 0.95], [25.0, 0.98], [32.0, 1.0]]
RIDGE = 1e-4


@dataclass
class Search:
    category: str
    group: str
    judged: bool
    texts: int
    signals: np.ndarray  # row by weight
    right: np.ndarray  # which rows are answers
    ids: np.ndarray  # what each row stands for; it counts once, where the first of its rows stands
    missed: int  # answers that are in no row


def read(path, mode, aside):
    searches = []
    with open(path) as lines:
        for line in lines:
            run = json.loads(line)
            if run["mode"] != mode:
                continue
            rows = run["candidates"]
            signals = np.array([signals_of(row["score"]["parts"]) for row in rows], float).reshape(-1, len(WEIGHTS))
            evidence = set(run["evidence"])
            right = np.array([row["id"] in evidence for row in rows], bool)
            category = str(run["category"])
            ids = np.array([row["id"] for row in rows])
            searches.append(Search(category, run["conversation"], category != aside, run["texts"], signals, right, ids,
                                   len(evidence) - len(set(ids[right]))))
    return searches


def signals_of(parts):
    def signal(name):
        if name in CENTRED:
            return parts[CENTRED[name]] - 0.5
        value = parts[name] * (parts["related"] if name in RELATED else 1.0)
        return -value if name in TAKEN_OFF else value
    return [signal(name) for name in WEIGHTS]


def vector(weights):
    return np.array([weights[name] for name in WEIGHTS])


def figures(search, weights, cut):
    """Recall at 5, 10 and 20, nDCG at 10, and recall of the first ten above the cut."""
    evidence = search.signals @ weights
    order = np.argsort(-evidence, kind="stable")
    order = order[np.sort(np.unique(search.ids[order], return_index=True)[1])]
    right = search.right[order]
    total = int(right.sum()) + search.missed
    gains = 1.0 / np.log2(np.arange(2, 12))
    best = gains[:min(10, total)].sum()
    above = right[:10] & (evidence[order[:10]] >= cut)
    return [right[:n].sum() / total for n in (5, 10, 20)] + [(right[:10] * gains[:len(right[:10])]).sum() / best, above.sum() / total]


def mean_figures(searches, weights, cut):
    return 100 * np.mean([figures(search, weights, cut) for search in searches], axis=0)


def fit(searches, start):
    """Weights that make the answers likely among the rows (softmax), not far from those at the start; Newton's method."""
    searches = [search for search in searches if search.right.any()]
    x = np.concatenate([search.signals for search in searches])
    y = np.concatenate([search.right / search.right.sum() for search in searches])
    begin = np.concatenate([[0], np.cumsum([len(search.signals) for search in searches])[:-1]])
    of = np.repeat(np.arange(len(searches)), [len(search.signals) for search in searches])
    free = [list(WEIGHTS).index(name) for name in FITTED]
    count = len(searches)

    def look(weights):
        score = x @ weights
        score -= np.maximum.reduceat(score, begin)[of]
        total = np.add.reduceat(np.exp(score), begin)[of]
        loss = -(y * (score - np.log(total))).sum() / count + RIDGE / 2 * ((weights - start) ** 2).sum()
        return loss, np.exp(score) / total

    weights = start.copy()
    loss, likely = look(weights)
    for _ in range(30):
        gradient = x[:, free].T @ (likely - y) / count + RIDGE * (weights - start)[free]
        spread = x[:, free] * likely[:, None]
        means = np.add.reduceat(spread, begin, axis=0)
        curve = (x[:, free].T @ spread - means.T @ means) / count + RIDGE * np.eye(len(free))
        step, length = np.linalg.solve(curve, gradient), 1.0
        while length > 1e-4:
            there = weights.copy()
            there[free] = np.maximum(0.0, weights[free] - length * step)
            if (result := look(there))[0] < loss:
                break
            length /= 2
        else:
            break
        weights, (loss, likely) = there, result
    return weights


def best_cut(answered, unanswered, weights):
    """The evidence that best balances two errors: other texts taken for answers, and anything where there is no answer."""
    right = np.concatenate([np.r_[s.signals[s.right] @ weights, [-math.inf] * s.missed] for s in answered])
    other = np.concatenate([s.signals[~s.right] @ weights for s in answered])
    others = sum(s.texts - s.right.sum() - s.missed for s in answered)
    found = np.array([(s.signals @ weights).max() for s in answered if len(s.signals)])
    strange = np.array([(s.signals @ weights).max(initial=-math.inf) for s in unanswered])

    def balance(cut):
        texts = (right >= cut).mean() + 1 - (other >= cut).sum() / others
        questions = (found >= cut).mean() + (strange < cut).mean() if len(strange) else 0.0
        return texts + questions
    return max(np.arange(0.0, 25.0, 0.25), key=balance), right, strange


def knots(cut, right, strange):
    """The curve: 0.6 at the cut, above it by quantiles of the answers, below it by what strangers offer."""
    low = np.quantile(strange, 0.25) if len(strange) else cut - 3
    above = [[float(np.quantile(right, q)), y] for q, y in ((0.3, 0.7), (0.5, 0.8), (0.75, 0.88))]
    rising = [[-10.0, 0.0], [0.0, 0.05]]
    for x, y in [[float(low), 0.3], [float(cut), 0.6], *above, *TOP]:
        x = round(2 * x) / 2
        if x > rising[-1][0]:
            rising.append([x, y])
    return rising


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--mode", default="metadata", help="which searches of the run count")
    parser.add_argument("--aside", default="5", help="a category that is shown apart and not fitted to")
    parser.add_argument("--scoring", help="the setting that the run was made with, if not the default")
    parser.add_argument("--refit", action="store_true", help="fit the weights, too")
    arguments = parser.parse_args()
    now = dict(WEIGHTS)
    if arguments.scoring:
        with open(arguments.scoring) as file:
            changed = json.load(file).get("weights", {})
        now |= {name: value for name, value in changed.items() if name in now}
    searches = read(arguments.run, arguments.mode, arguments.aside)
    answered = [s for s in searches if s.judged and s.right.sum() + s.missed > 0]
    unanswered = [s for s in searches if s.right.sum() + s.missed == 0]
    aside = [s for s in searches if not s.judged and s.right.sum() + s.missed > 0]
    if not answered:
        sys.exit("no search has an answer to judge by")
    weights = vector(now)
    groups = sorted({s.group for s in answered})
    cut, right, strange = best_cut(answered, unanswered, weights)

    def line(name, chosen, weights=weights):
        print(f"{name:34}" + "".join(f"{figure:8.1f}" for figure in mean_figures(chosen, weights, cut)) + f"{len(chosen):8}")

    print(f"{'':34}" + "".join(f"{head:>8}" for head in ("R@5", "R@10", "R@20", "nDCG@10", "R@cut", "n")))
    line("all", answered)
    for name, chosen in (("category", answered), ("aside", aside), ("group", answered)):
        key = "group" if name == "group" else "category"
        for value in sorted({getattr(s, key) for s in chosen}):
            line(f"{name} {value}", [s for s in chosen if getattr(s, key) == value])

    print("\nWithout a signal (gain of R@10, nDCG@10 by having it; least and greatest gain of R@10 of a group)")
    full = {group: mean_figures([s for s in answered if s.group == group], weights, cut) for group in groups}
    for name in FITTED:
        less = vector(now | {name: 0.0})
        gain = mean_figures(answered, weights, cut) - mean_figures(answered, less, cut)
        by_group = [full[g][1] - mean_figures([s for s in answered if s.group == g], less, cut)[1] for g in groups]
        print(f"  {name:18}{gain[1]:+6.1f}{gain[3]:+6.1f}   {min(by_group):+6.1f} to {max(by_group):+.1f}")

    if arguments.refit and len(groups) > 1:
        print("\nWeights fitted to the other groups")
        fitted = {g: fit([s for s in answered if s.group != g], weights) for g in groups}
        for g in groups:
            line(f"group {g}", [s for s in answered if s.group == g], fitted[g])
        for name in FITTED:
            values = [fitted[g][list(WEIGHTS).index(name)] for g in groups]
            print(f"  {name:18}{now[name]:8.2f} -> {np.mean(values):6.2f}   {min(values):6.2f} to {max(values):.2f}")
        weights = fit(answered, weights)
        now = {name: round(float(value), 2) for name, value in zip(WEIGHTS, weights)}
        cut, right, strange = best_cut(answered, unanswered, vector(now))

    print(f"\nCut at {cut:.2f}; with a group left out:", end="")
    for g in groups:
        others = [s for s in answered if s.group != g], [s for s in unanswered if s.group != g]
        print(f" {best_cut(*others, vector(now))[0]:.2f}", end="")
    if len(strange):
        print(f"\nSearches without an answer that return something at the cut: {100 * (strange >= cut).mean():.1f} %", end="")
    changed = {name: value for name, value in now.items() if value != WEIGHTS[name]}
    print("\n\n" + json.dumps({"weights": changed, "calibration": {"knots": knots(cut, right, strange)}}))


if __name__ == "__main__":
    main()
