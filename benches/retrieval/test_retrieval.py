"""Tests what the benchmark of retrieval computes by itself: reading both forms of a file, and the measures."""

import json
import tempfile
import unittest
from pathlib import Path

import locomo
import metrics

PUBLIC = [
    {
        "sample_id": "conv-1",
        "conversation": {
            "speaker_a": "Ada",
            "speaker_b": "Bob",
            "session_2_date_time": "12:09 am on 13 September, 2023",
            "session_2": [{"speaker": "Bob", "dia_id": "D2:1", "text": "Look!", "blip_caption": "a red kite", "img_url": ["x"]}],
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_1": [
                {"speaker": "Ada", "dia_id": "D1:1", "text": "I bought a kite."},
                {"speaker": "Bob", "dia_id": "D1:2", "text": "A red one?"},
            ],
            "session_3_date_time": "1:00 pm on 1 October, 2023",
        },
        "qa": [
            {"question": "What did Ada buy?", "answer": "a kite", "category": 4, "evidence": ["D1:1"]},
            {"question": "Which colour?", "answer": "red", "category": 1, "evidence": ["D1:02; D:2:1", "D9:9", "D1:2"]},
            {"question": "Why?", "adversarial_answer": "none", "category": 5, "evidence": ["D", "D7:1"]},
        ],
    }
]
LINE = {
    "conv": "1",
    "memories": [
        {
            "id": "D1:1",
            "session": 1,
            "date": "2023-05-08T13:56:00",
            "speaker": "Ada",
            "text": "I bought a kite.",
            "caption": None,
        },
        {"id": "D1:2", "session": 1, "date": "2023-05-08T13:56:00", "speaker": "Bob", "text": "A red one?", "caption": None},
        {"id": "D2:1", "session": 2, "date": "2023-09-13T00:09:00", "speaker": "Bob", "text": "Look!", "caption": "a red kite"},
    ],
    "questions": [{"question": "What did Ada buy?", "category": 4, "evidence": ["D1:1"]}],
}


def read(text: str) -> list[locomo.Conversation]:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "file")
        path.write_text(text, encoding="utf-8")
        return locomo.read(str(path))


class Reading(unittest.TestCase):
    def test_both_forms_give_the_same_turns(self) -> None:
        [public], [line] = read(json.dumps(PUBLIC)), read(json.dumps(LINE) + "\n")
        self.assertEqual(public.turns, line.turns)
        self.assertEqual(
            [turn.content for turn in public.turns],
            ["Ada: I bought a kite.", "Bob: A red one?", "Bob: Look! [image: a red kite]"],
        )
        self.assertEqual([(turn.session, turn.sequence) for turn in public.turns], [("1", 1), ("1", 2), ("2", 1)])
        self.assertEqual(public.turns[2].date, "2023-09-13T00:09:00")

    def test_evidence_is_what_was_said(self) -> None:
        [conversation] = read(json.dumps(PUBLIC))
        self.assertEqual([question.evidence for question in conversation.questions], [("D1:1",), ("D1:2", "D2:1")])

    def test_metadata_names_the_place_of_a_turn(self) -> None:
        [conversation] = read(json.dumps(LINE))
        known = locomo.metadata(conversation, conversation.turns[1])
        self.assertEqual(known, {"speaker": "Bob", "conversationId": "1:session_1", "sequence": 2, "date": "2023-05-08T13:56:00"})

    def test_questions_are_taken_at_even_distances(self) -> None:
        asked = tuple(locomo.Question(str(number), 4, ("D1:1",)) for number in range(10))
        conversations = [locomo.Conversation("a", (), asked[:6]), locomo.Conversation("b", (), asked[6:])]
        spread = locomo.spread(conversations, 4)
        self.assertEqual([[question.text for question in c.questions] for c in spread], [["0", "2", "5"], ["7"]])
        self.assertEqual(locomo.spread(conversations, 10), conversations)


class Measuring(unittest.TestCase):
    def test_a_perfect_ranking(self) -> None:
        self.assertEqual(metrics.measures(["a", "b", "c"], {"a", "b"}), (1, 1, 1, 1, 1, 1))

    def test_an_empty_ranking(self) -> None:
        self.assertEqual(metrics.measures([], {"a"}), (0, 0, 0, 0, 0, 0))

    def test_a_ranking_in_between(self) -> None:
        ranking = [str(number) for number in range(1, 31)]
        r5, r10, r20, hit, mrr, ndcg = metrics.measures(ranking, {"3", "8", "15", "40"})
        self.assertEqual((r5, r10, r20, hit), (0.25, 0.5, 0.75, 1))
        self.assertAlmostEqual(mrr, 1 / 3)
        # 1/log2(4) + 1/log2(9), of the best order's 1 + 1/log2(3) + 1/log2(4) + 1/log2(5)
        self.assertAlmostEqual(ndcg, 0.815465 / 2.561606, places=5)

    def test_rows_within_a_budget_of_words(self) -> None:
        rows = [(["a"], metrics.words("Ann: I moved")), (["b", "a"], 2), (["c"], 4), (["d"], 1)]
        self.assertEqual([metrics.within(rows, budget) for budget in (2, 3, 8, 9, 99)],
                         [set(), {"a"}, {"a", "b"}, {"a", "b", "c"}, {"a", "b", "c", "d"}])  # fmt: skip

    def test_percentiles(self) -> None:
        self.assertEqual([metrics.percentile([5, 1, 4, 2, 3], share) for share in (0, 0.5, 1)], [1, 3, 5])

    def test_bm25_by_hand(self) -> None:
        index = metrics.Bm25({"a": {"kite": 1, "red": 1}, "b": {"kite": 2}, "c": {"boat": 2}})
        self.assertEqual(index.rank(["kite"], 10), ["b", "a"])
        self.assertEqual(index.rank(["kite", "red"], 10), ["a", "b"])
        self.assertEqual(index.rank(["kite", "red"], 1), ["a"])
        self.assertEqual(index.rank(["plane"], 10), [])

    def test_fusion_by_ranks(self) -> None:
        # b: 1/62 + 1/61; a and c: 1/61 and 1/62 alone
        self.assertEqual(metrics.fuse([["a", "b"], ["b", "c"]], 10), ["b", "a", "c"])


if __name__ == "__main__":
    unittest.main()
