"""Tests of embedder.labels."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder.identity import Passage, Qrel, Query
from embedder.labels import EXAMPLES_PER_LABEL, example_passages, label_passages, readable


def _query(query_id: str, *labels: str, split: str = "train") -> Query:
    return Query(query_id, f"text of {query_id}", split, query_id, labels)


QUERIES = [_query("q1", "to_pay"), _query("q2", "to_pay", "lost"), _query("d1", "lost", "new", split="dev")]


def test_labels_of_training_queries_are_the_passages() -> None:
    """A passage is a label of a training query, its text the readable label; a label seen in dev alone is none."""
    passages, qrels = label_passages(QUERIES)
    assert passages == [Passage("lost", "", "lost"), Passage("to_pay", "", "to pay")]
    assert qrels == [
        Qrel("q1", "to_pay", 1.0),
        Qrel("q2", "to_pay", 1.0),
        Qrel("q2", "lost", 1.0),
        Qrel("d1", "lost", 1.0),
    ]


def test_examples_are_training_queries_of_the_label() -> None:
    """In example mode the passages are training queries, relevant to queries that share a label, never to themselves."""
    passages, qrels = example_passages(QUERIES)
    assert {p.passage_id: p.text for p in passages} == {"q1": "text of q1", "q2": "text of q2"}
    assert qrels == [Qrel("d1", "q2", 1.0), Qrel("q1", "q2", 1.0), Qrel("q2", "q1", 1.0)]


_LABELLED = st.lists(
    st.tuples(st.sets(st.sampled_from("xyz"), max_size=2), st.sampled_from(["train", "dev"])), max_size=60
)


@given(_LABELLED, st.randoms(use_true_random=False))
def test_examples_whatever_the_rows(rows: list[tuple[set[str], str]], random: "object") -> None:
    """At most 16 examples a label, none of dev, no query its own, every pair shares a label, and order is no matter."""
    queries = [_query(f"q{i}", *sorted(labels), split=split) for i, (labels, split) in enumerate(rows)]
    passages, qrels = example_passages(queries)
    known = {q.query_id: q for q in queries}
    chosen = {p.passage_id for p in passages}
    assert all(known[passage].split == "train" for passage in chosen)
    for label in "xyz":
        members = [q.query_id for q in queries if label in (q.labels or ()) and q.split == "train"]
        wanted = min(EXAMPLES_PER_LABEL, len(members))
        assert len(chosen & set(members)) >= wanted
    assert len(chosen) <= 3 * EXAMPLES_PER_LABEL
    for qrel in qrels:
        assert qrel.query_id != qrel.passage_id
        assert set(known[qrel.query_id].labels or ()) & set(known[qrel.passage_id].labels or ())
    shuffled = list(queries)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    again = example_passages(shuffled)
    assert (sorted(again[0], key=str), again[1]) == (sorted(passages, key=str), qrels)


def test_a_large_label_has_sixteen_examples() -> None:
    """Of many members of one label, 16 are drawn, and they aren't simply the first ids."""
    passages, qrels = example_passages([_query(f"q{i:03}", "x") for i in range(100)])
    assert len(passages) == 16
    assert len(qrels) == 100 * 16 - 16
    assert {p.passage_id for p in passages} != {f"q{i:03}" for i in range(16)}


@pytest.mark.parametrize(
    ("label", "text"),
    [("card_arrival", "card arrival"), ("scipy/stats", "scipy stats"), ("a-b__c", "a b c"), ("_", "_")],
)
def test_labels_read_as_words(label: str, text: str) -> None:
    """Separators become blanks; a label of nothing else stays as it is."""
    assert readable(label) == text
