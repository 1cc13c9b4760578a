"""Tests of embedder.ingestion.identity."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.errors import SourceError
from embedder.records import Given, Passage, Qrel, Query, Record
from tests import tables
from tests.sources import ingested, labelled, records

_PAIR: list[Record] = [Passage("p", "", "text"), Qrel("a", "p", 1.0)]


def test_equal_queries_become_the_smallest_id() -> None:
    """Queries of equal normalised text are one, with the text and group of the smallest id; the others are aliases."""
    found = ingested([
        Query("b", "what is x", "train", "g2", None),
        Query("c", "other", "train", "g3", None),
        Query("a", "What  is X", "train", "g1", None),
        *_PAIR,
        Qrel("c", "p", 1.0),
    ])  # fmt: skip
    assert [(row["query_id"], row["text"], row["group_id"]) for row in found.rows("queries")] == [
        ("a", "What  is X", "g1"),
        ("c", "other", "g3"),
    ]
    assert found.rows("aliases") == [{"kind": "query", "id": "b", "merged_into": "a"}]


@pytest.mark.parametrize("splits", [("train", "dev"), ("dev", "train"), ("dev", "dev")])
def test_a_query_of_several_splits_is_dev(splits: tuple[str, str]) -> None:
    """A query found in dev is never trained, whichever of its rows comes first."""
    queries: list[Record] = [Query(name, "x", split, None, None) for name, split in zip("ab", splits, strict=True)]
    assert ingested([*queries, *_PAIR]).column("queries", "split") == ["dev"]


@pytest.mark.parametrize("splits", [("train", "dev"), ("dev", "train")])
def test_judgements_say_a_querys_split(splits: tuple[str, str]) -> None:
    """Where judgements and not queries are divided, a query with any of dev is dev, under whichever id."""
    queries = [Query(name, text, None, None, None) for name, text in (("a", "x"), ("b", "X"), ("c", "y"))]
    passages = [Passage(name, "", name) for name in "pr"]
    qrels = [
        Qrel("a", "p", 1.0, "", 0, splits[0]),
        Qrel("b", "r", 1.0, "", 0, splits[1]),
        Qrel("c", "p", 1.0, "", 0, "train"),
    ]
    found = ingested([*queries, *passages, *qrels])
    assert dict(zip(found.column("queries", "query_id"), found.column("queries", "split"), strict=True)) == {
        "a": "dev",
        "c": "train",
    }


def test_merged_queries_have_the_labels_of_all() -> None:
    """Labels of merged queries are joined and sorted."""
    rows = labelled(("a", "x", "train", ["s"]), ("b", "X", "train", ["r", "s"]), ("c", "z", "train", ["s", "r"]))
    assert ingested(rows, tables.entry("classification")).column("queries", "labels") == [["r", "s"], ["r", "s"]]


def test_a_title_is_part_of_a_passage() -> None:
    """Passages are equal when title and text together are, and not by their texts alone."""
    passages = [
        Passage("3", "A", "text"), Passage("2", "a", "TEXT"), Passage("1", "", "text"), Passage("0", "", "A\ntext"),
    ]  # fmt: skip
    found = ingested([Query("q", "x", "train", None, None), *passages, Qrel("q", "3", 1.0)])
    assert found.column("corpus", "passage_id") == ["0", "1"]
    assert {row["id"]: row["merged_into"] for row in found.rows("aliases")} == {"2": "0", "3": "0"}
    assert found.column("qrels", "passage_id") == ["0"]


def test_a_passage_may_have_a_title_alone() -> None:
    """A title without text is a passage, equal to a text that says the same."""
    passages = [Passage("a", "Only this", ""), Passage("b", "", "only this")]
    found = ingested([Query("q", "x", "train", None, None), *passages, Qrel("q", "b", 1.0)])
    assert found.rows("corpus") == [{"passage_id": "a", "title": "Only this", "text": ""}]


def test_the_highest_relevance_wins() -> None:
    """Judgements are re-pointed at what remains; of several for one pair the most relevant is kept, the others counted."""
    found = ingested(records({"a": "x", "b": "X"}, {"p": "t", "r": "T"}, [("a", "p", 0), ("b", "p", 2), ("b", "r", 1)]))
    assert found.rows("qrels") == [{"query_id": "a", "passage_id": "p", "relevance": 2.0}]
    assert found.report["merged"]["qrel"] == 2


def test_judgements_that_cannot_be_used_are_refused() -> None:
    """A judgement of an unknown query or passage, or without a finite grade, is listed under its reason with its row."""
    grades = [float("nan"), float("inf"), 1e39]
    qrels = [("?", "p", 1.0), ("a", "?", 1.0), ("a", "p", 1.0), *(("a", "p", grade) for grade in grades)]
    found = ingested(records({"a": "x"}, {"p": "t"}, qrels))
    assert [(row["id"], row["reason"], row["file"], row["row"]) for row in found.rows("rejects")] == [
        ("?\tp", "unknown_query", "qrels", 1),
        ("a\t?", "unknown_passage", "qrels", 2),
        *(("a\tp", "relevance_not_finite", "qrels", row) for row in (4, 5, 6)),
    ]


@pytest.mark.parametrize("kind", ["query", "passage"])
def test_one_id_with_two_texts_is_an_error(kind: str) -> None:
    """An id that stands for two texts stops ingest, and the message names both rows."""
    twice: list[Record] = [
        Query("a", "x", "train", None, None, "q.jsonl", 3), Query("a", "y", "train", None, None, "q.jsonl", 9),
    ] if kind == "query" else [Passage("a", "", "x", "q.jsonl", 3), Passage("a", "", "y", "q.jsonl", 9)]  # fmt: skip
    with pytest.raises(
        SourceError, match=rf"{kind} id 'a' has one text at q.jsonl:3 and another at q.jsonl:9; ids must"
    ):
        ingested(twice)


def test_one_id_with_equal_texts_is_merged_and_listed() -> None:
    """A row that repeats an id and its text is merged, counted, and listed with the row."""
    rows = records({"a": "x"}, {"p": "t"}, [("a", "p", 1)])
    found = ingested([*rows, Query("a", "X", "dev", None, None, "more", 7), Passage("p", "", "t", "more", 8)])
    assert found.notes("merged") == [("passage", "p", "same_id_and_text"), ("query", "a", "same_id_and_text")]
    assert [row["row"] for row in found.rows("rejects")] == [8, 7]
    assert found.report["merged"] == {"query": 1, "passage": 1, "qrel": 0, "given": 0}
    assert found.rows("queries")[0]["text"] == "x"
    assert found.rows("queries")[0]["split"] == "dev"


_BASE = records({"a": "x", "b": "y"}, {"p": "t", "r": "u", "s": "v", "t": "U"}, [("a", "p", 1), ("b", "p", 1)])


def _given(*rows: tuple[str, str, int, float | None]) -> list[tuple[str, int, str, float | None]]:
    found = ingested([*_BASE, *(Given(*row, "run", i) for i, row in enumerate(rows, 1))])
    return [(row["query_id"], row["rank"], row["passage_id"], row["score"]) for row in found.rows("given")]


def test_given_negatives_are_ranked_by_score() -> None:
    """What somebody mined is ranked by score, ties in the source's order; passages of one text are one, the best."""
    rows = [("a", "s", 1, 0.5), ("a", "r", 2, 0.25), ("a", "t", 3, 0.75), ("a", "p", 4, 0.5), ("b", "s", 1, 2.0)]
    assert _given(*rows) == [("a", 1, "r", 0.75), ("a", 2, "s", 0.5), ("a", 3, "p", 0.5), ("b", 1, "s", 2.0)]


def test_given_negatives_without_scores_keep_their_places() -> None:
    """Without scores the source's own order ranks, also over several rows of one query."""
    assert _given(("a", "s", 2, None), ("a", "r", 1, None), ("a", "p", 1, None)) == [
        ("a", 1, "r", None),
        ("a", 2, "p", None),
        ("a", 3, "s", None),
    ]


def test_given_negatives_that_cannot_be_ranked_are_refused() -> None:
    """A score that is not finite, one that is missing where others have one, and unknown ids are listed."""
    rows = [
        ("a", "s", 1, float("nan")),
        ("a", "r", 2, None),
        ("a", "p", 3, 1.0),
        ("?", "p", 1, 1.0),
        ("a", "?", 4, 1.0),
    ]
    found = ingested([*_BASE, *(Given(*row, "run", i) for i, row in enumerate(rows, 1))])
    assert sorted(found.notes()) == [
        ("given", "?\tp", "unknown_query"),
        ("given", "a\t?", "unknown_passage"),
        ("given", "a\tr", "no_score"),
        ("given", "a\ts", "score_not_finite"),
    ]
    assert found.report["read"]["given"] == found.report["kept"]["given"] + found.report["rejected"]["given"] == 5


_TEXTS = st.sampled_from(["x", "X ", "y", "Y", "z"])


@settings(max_examples=12, deadline=None)
@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=3), _TEXTS, min_size=1, max_size=8).flatmap(
        lambda texts: st.permutations(list(texts.items()))
    )
)
def test_merging_is_by_text_and_smallest_id(rows: Sequence[tuple[str, str]]) -> None:
    """Whatever the order of rows, each id leads to the smallest id of its text, and every text remains once."""
    found = ingested(
        [Query("q", "q", "train", None, None), *(Passage(p, "", t) for p, t in rows), Qrel("q", rows[0][0], 1)]
    )
    smallest = {
        text.strip().lower(): min(i for i, t in rows if t.strip().lower() == text.strip().lower()) for _, text in rows
    }
    assert {row["text"].strip().lower(): row["passage_id"] for row in found.rows("corpus")} == smallest
    aliases = {row["id"]: row["merged_into"] for row in found.rows("aliases")}
    assert {i: aliases.get(i, i) for i, _ in rows} == {i: smallest[t.strip().lower()] for i, t in rows}
