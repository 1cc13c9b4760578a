"""Tests of embedder.identity."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder.identity import Passage, Qrel, Query, merge_passages, merge_qrels, merge_queries


def _query(query_id: str, text: str, split: str = "train", labels: tuple[str, ...] | None = None) -> Query:
    return Query(query_id, text, split, f"group of {query_id}", labels)


def test_equal_queries_become_the_smallest_id() -> None:
    """Queries of equal normalised text are one, with the text and group of the smallest id; the others are aliases."""
    kept, aliases = merge_queries([_query("b", "what is x"), _query("c", "other"), _query("a", "What  is X")])
    assert [(q.query_id, q.text, q.group_id) for q in kept] == [
        ("a", "What  is X", "group of a"),
        ("c", "other", "group of c"),
    ]
    assert aliases == {"b": "a"}


@pytest.mark.parametrize("splits", [("train", "dev"), ("dev", "train"), ("dev", "dev")])
def test_a_query_of_several_splits_is_dev(splits: tuple[str, str]) -> None:
    """A query found in dev is never trained, whichever of its rows comes first."""
    kept, _ = merge_queries([_query("a", "x", splits[0]), _query("b", "x", splits[1])])
    assert [q.split for q in kept] == ["dev"]


def test_merged_queries_have_the_labels_of_all() -> None:
    """Labels of merged queries are joined, sorted, and None stays None."""
    kept, _ = merge_queries([_query("a", "x", labels=("s",)), _query("b", "x", labels=("r", "s")), _query("c", "y")])
    assert [q.labels for q in kept] == [("r", "s"), None]


def test_a_title_is_part_of_a_passage() -> None:
    """Passages are equal when title and text together are, and not by their texts alone."""
    kept, aliases = merge_passages(
        [Passage("3", "A", "text"), Passage("2", "a", "TEXT"), Passage("1", "", "text"), Passage("0", "", "A\ntext")]
    )
    assert [p.passage_id for p in kept] == ["0", "1"]
    assert aliases == {"2": "0", "3": "0"}


def test_qrels_follow_and_the_highest_relevance_wins() -> None:
    """Judgements are re-pointed at what remains; of several for one pair the most relevant is kept, the others counted."""
    ids = {"a": "a", "b": "a"}, {"p": "p", "r": "p"}
    qrels = [Qrel("a", "p", 0.0), Qrel("b", "p", 2.0), Qrel("b", "r", 1.0)]
    assert merge_qrels(qrels, *ids) == ([Qrel("a", "p", 2.0)], [], 2)


def test_qrels_that_cannot_be_used_are_rejected() -> None:
    """A judgement of an unknown query or passage, or without a finite grade, is listed under its reason."""
    qrels = [Qrel("?", "p", 1), Qrel("a", "?", 1), Qrel("a", "p", float("nan")), Qrel("a", "p", float("inf"))]
    kept, rejects, merged = merge_qrels(qrels, {"a": "a"}, {"p": "p"})
    assert (kept, merged) == ([], 0)
    assert [(r.kind, r.id, r.reason) for r in rejects] == [
        ("qrel", "?\tp", "unknown_query"),
        ("qrel", "a\t?", "unknown_passage"),
        ("qrel", "a\tp", "relevance_not_finite"),
        ("qrel", "a\tp", "relevance_not_finite"),
    ]


_TEXTS = st.sampled_from(["x", "X ", "y", "Y", "z"])


@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=3), _TEXTS, max_size=8).flatmap(
        lambda texts: st.permutations(list(texts.items()))
    )
)
def test_merging_is_by_text_and_smallest_id(rows: list[tuple[str, str]]) -> None:
    """Whatever the order of rows, each id leads to the smallest id of its text, and every text remains once."""
    kept, aliases = merge_passages([Passage(passage, "", text) for passage, text in rows])
    smallest = {
        text.strip().lower(): min(i for i, t in rows if t.strip().lower() == text.strip().lower()) for _, text in rows
    }
    assert {p.text.strip().lower(): p.passage_id for p in kept} == smallest
    assert len(kept) == len(smallest)
    assert {i: aliases.get(i, i) for i, _ in rows} == {i: smallest[t.strip().lower()] for i, t in rows}
