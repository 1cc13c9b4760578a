"""Tests of embedder.ingestion.labels."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.errors import SourceError
from embedder.ingestion.labels import EXAMPLES_PER_LABEL, called, readable
from embedder.loaders import Source
from tests import tables
from tests.sources import Written, ingested, labelled, records

LABEL = tables.entry("classification")
EXAMPLE = tables.entry("classification", label_mode="example")
ROWS = labelled(
    ("q1", "one", "train", ["to_pay"]),
    ("q2", "two", "train", ["to_pay", "lost"]),
    ("q3", "three", "train", ["lost"]),
    ("d1", "four", "dev", ["lost", "new"]),
    ("d2", "five", "dev", ["new"]),
)


def _pairs(found: Written) -> set[tuple[str, str]]:
    return {(row["query_id"], row["passage_id"]) for row in found.rows("qrels")}


def test_labels_of_training_queries_are_the_passages() -> None:
    """A passage is a label of a training query, its text the readable label; a label seen in dev alone is none."""
    found = ingested(ROWS, LABEL)
    assert {row["passage_id"]: row["text"] for row in found.rows("corpus")} == {"lost": "lost", "to_pay": "to pay"}
    assert _pairs(found) == {("q1", "to_pay"), ("q2", "to_pay"), ("q2", "lost"), ("q3", "lost"), ("d1", "lost")}


def test_names_describe_labels() -> None:
    """A label that has a name is called by it, and its id stays."""
    found = ingested(Source(ROWS, label_names={"to_pay": "A bill that is due"}), LABEL)
    assert {row["passage_id"]: row["text"] for row in found.rows("corpus")} == {
        "lost": "lost",
        "to_pay": "A bill that is due",
    }


def test_labels_whose_words_coincide_stay_as_they_are() -> None:
    """Two labels that would read the same keep their own spelling: merged they would be one class."""
    assert called(["a_b", "a-b", "c_d"], {}) == ["a_b", "a-b", "c d"]
    assert called(["a_b", "a-b", "c"], {"c": "a_b"}) == ["a_b", "a-b", "c"]


def test_examples_are_training_queries_of_the_label() -> None:
    """In example mode the passages are training queries, relevant to queries that share a label, never to themselves."""
    found = ingested(ROWS, EXAMPLE)
    assert {row["passage_id"]: row["text"] for row in found.rows("corpus")} == {"q1": "one", "q2": "two", "q3": "three"}
    assert _pairs(found) == {("q1", "q2"), ("q2", "q1"), ("q2", "q3"), ("q3", "q2"), ("d1", "q2"), ("d1", "q3")}


@pytest.mark.parametrize("entry", [LABEL, EXAMPLE], ids=["label", "example"])
def test_a_label_with_one_member_is_taken_away(entry: Any) -> None:  # noqa: ANN401 - a Dataset
    """A label that one query alone has teaches nothing: the query loses it, and goes if it has no other."""
    rows = labelled(
        ("a", "x", "train", ["l"]), ("b", "y", "train", ["l", "rare"]), ("c", "z", "train", ["alone"]),
    )  # fmt: skip
    found = ingested(rows, entry)
    assert found.column("queries", "labels") == [["l"], ["l"]]
    assert found.notes() == [("query", "c", "label_with_one_member")]
    assert found.notes("repaired") == [("query", "b", "label_with_one_member")]


def test_a_text_with_two_labels_is_refused_where_a_text_has_one() -> None:
    """Rows of one text with different labels contradict each other in a single-label source: all are refused."""
    rows = labelled(
        ("a", "x", "train", ["l"]), ("b", "X", "dev", ["m"]), ("c", "y", "train", ["l"]), ("d", "z", "train", ["l"]),
    )  # fmt: skip
    found = ingested(Source(rows, one_label=True), LABEL)
    assert found.notes() == [("query", "a", "conflicting_labels"), ("query", "b", "conflicting_labels")]
    assert found.column("queries", "query_id") == ["c", "d"]
    assert found.report["merged"]["query"] == 0


def test_a_text_with_two_labels_has_both_elsewhere() -> None:
    """In a source where a text may have several labels, rows of one text are merged and have the labels of all."""
    rows = labelled(("a", "x", "train", ["l"]), ("b", "X", "train", ["m"]), ("c", "y", "train", ["l", "m"]))
    assert ingested(rows, LABEL).column("queries", "labels") == [["l", "m"], ["l", "m"]]


def test_a_query_without_a_label_is_refused() -> None:
    """A text without a label, or with blank ones, can be neither trained nor measured."""
    rows = labelled(
        ("a", "x", "train", ["l"]), ("b", "y", "train", ["l"]), ("c", "z", "train", []), ("d", "w", "dev", [" "])
    )
    assert ingested(rows, LABEL).notes() == [("query", "c", "no_label"), ("query", "d", "no_label")]


_LABELLED = st.lists(
    st.tuples(st.sets(st.sampled_from("xyz"), max_size=2), st.sampled_from(["train", "dev"])), min_size=2, max_size=60
)


@settings(max_examples=12, deadline=None)
@given(_LABELLED, st.randoms(use_true_random=False))
def test_examples_whatever_the_rows(rows: Sequence[tuple[set[str], str]], random: Any) -> None:  # noqa: ANN401 - Random
    """At most 16 examples a label, none of dev, no query its own, every pair shares a label, and order is no matter."""
    records = labelled(*((f"q{i}", f"text {i}", split, sorted(labels)) for i, (labels, split) in enumerate(rows)))
    try:
        found = ingested(records, EXAMPLE)
    except SourceError:
        return
    known = {row["query_id"]: row for row in found.rows("queries")}
    chosen = set(found.column("corpus", "passage_id"))
    assert all(known[passage]["split"] == "train" for passage in chosen)
    for label in "xyz":
        members = {q for q, row in known.items() if label in row["labels"] and row["split"] == "train"}
        assert len(chosen & members) >= min(EXAMPLES_PER_LABEL, len(members))
    assert len(chosen) <= 3 * EXAMPLES_PER_LABEL
    for query, passage in _pairs(found):
        assert query != passage
        assert set(known[query]["labels"]) & set(known[passage]["labels"])
    random.shuffle(records)
    again = ingested(records, EXAMPLE)
    assert {name: data for name, data in again.files.items() if name != "rejects.parquet"} == {
        name: data for name, data in found.files.items() if name != "rejects.parquet"
    }


def test_a_large_label_has_sixteen_examples() -> None:
    """Of many members of one label, 16 are drawn, and they aren't simply the first ids."""
    found = ingested(labelled(*((f"q{i:03}", f"text {i}", "train", ["x"]) for i in range(100))), EXAMPLE)
    assert found.tables["corpus"].num_rows == 16
    assert found.tables["qrels"].num_rows == 100 * 16 - 16
    assert set(found.column("corpus", "passage_id")) != {f"q{i:03}" for i in range(16)}


@pytest.mark.parametrize(
    ("label", "text"),
    [("card_arrival", "card arrival"), ("scipy/stats", "scipy stats"), ("a-b__c", "a b c"), ("_", "_")],
)
def test_labels_read_as_words(label: str, text: str) -> None:
    """Separators become blanks; a label of nothing else stays as it is."""
    assert readable(label) == text


def test_many_contradicting_texts_leave_the_others_whole() -> None:
    """Rows that stay keep their texts and labels however many others are refused before them."""
    count = 60_000
    rows = labelled(*((f"q{i}", f"text {i if i % 3 else i - i % 6}", "train", [f"l{i % 2}"]) for i in range(count)))
    found = ingested(Source(rows, one_label=True), LABEL)
    texts = dict(zip(found.column("queries", "query_id"), found.column("queries", "text"), strict=True))
    assert texts == {f"q{i}": f"text {i}" for i in range(count) if i % 3}


@pytest.mark.parametrize("entry", [LABEL, EXAMPLE], ids=["label", "example"])
def test_a_source_without_labels_ends_in_one_error(entry: Any) -> None:  # noqa: ANN401 - a Dataset
    """A source of queries and passages under a label task is refused for its labels, with counts that add up."""
    rows = records({"a": "x", "b": "y"}, {"p": "z", "": "no id"}, [("a", "p", 1)])
    found = ingested(rows, entry, check=False)
    assert found.report["reject_reasons"]["query"] == {"no_label": 2}
    with pytest.raises(SourceError, match="no query is left of 2 read"):
        ingested(rows, entry)
