"""Tests of embedder.ingestion.splits."""

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.loaders import Source
from embedder.records import Passage, Qrel, Query, Record
from tests import tables
from tests.sources import Written, ingested, labelled, records

MANY = 400


def _splits(found: Written) -> dict[str, str]:
    return dict(zip(found.column("queries", "query_id"), found.column("queries", "split"), strict=True))


def test_the_source_keeps_its_splits() -> None:
    """Without a share the source's splits stay, and a query without a group is one by itself."""
    found = ingested(records({"a": "x", "b": "y"}, {"p": "z"}, [("a", "p", 1), ("b", "p", 1)], dev=["b"]))
    assert _splits(found) == {"a": "train", "b": "dev"}
    assert found.column("queries", "group_id") == ["a", "b"]


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_share_of_the_groups_is_dev(share: float) -> None:
    """With a share the splits are made anew, whatever the source says, and about that share of groups is dev."""
    names = [f"q{i}" for i in range(MANY)]
    rows = records(
        dict(zip(names, names, strict=True)),
        {f"p{i}": f"t{i}" for i in range(MANY)},
        [(f"q{i}", f"p{i}", 1) for i in range(MANY)],
        dev=names,
    )
    found = list(_splits(ingested(Source(rows, dev_share=share))).values()).count("dev")
    assert abs(found / MANY - share) < 0.08


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), min_size=1, max_size=14),
    st.sampled_from(["retrieval", "sts"]),
)
def test_no_passage_answers_both_sides(pairs: list[tuple[int, int]], task: str) -> None:
    """Queries that share a positive, directly or through others, are one group, called by its smallest query id."""
    rows = records(
        {f"q{q}": f"q{q}" for q, _ in pairs},
        {f"p{p}": f"p{p}" for _, p in pairs},
        {(f"q{q}", f"p{p}", 1.0) for q, p in pairs},
    )
    found = ingested(Source(rows, dev_share=0.5), tables.entry(task))
    splits, groups = (
        _splits(found),
        dict(zip(found.column("queries", "query_id"), found.column("queries", "group_id"), strict=True)),
    )
    sides = defaultdict(set)
    for row in found.rows("qrels"):
        sides[row["passage_id"]].add((splits[row["query_id"]], groups[row["query_id"]]))
    assert all(len(side) == 1 for side in sides.values())
    assert all(group == min(q for q in groups if groups[q] == group) for group in groups.values())


def test_passages_that_are_no_positives_link_nothing() -> None:
    """A judged negative is shared by many queries and keeps nobody together."""
    rows = records(
        {"a": "x", "b": "y"},
        {"p": "z", "r": "w", "n": "v"},
        [("a", "p", 1), ("b", "r", 1), ("a", "n", 0), ("b", "n", 0)],
    )
    assert ingested(Source(rows, dev_share=0.5)).column("queries", "group_id") == ["a", "b"]


def test_groups_of_the_source_stay_together() -> None:
    """What the source calls a group is on one side, and equal texts of two groups make one of both."""
    queries = [Query(f"q{i}", f"text {i if i != 7 else 2}", "train", f"g{i % 3}", None) for i in range(9)]
    passages = [Passage(f"p{i}", "", f"z{i}") for i in range(9)]
    rows: list[Record] = [*queries, *passages, *(Qrel(f"q{i}", f"p{i}", 1.0) for i in range(9))]
    found = ingested(Source(rows, dev_share=0.5))
    assert dict(zip(found.column("queries", "query_id"), found.column("queries", "group_id"), strict=True)) == {
        "q0": "q0", "q3": "q0", "q6": "q0", "q1": "q1", "q4": "q1", "q2": "q1", "q5": "q1", "q8": "q1",
    }  # fmt: skip


def test_labelled_texts_are_groups_by_themselves() -> None:
    """Texts of one label are not linked by it."""
    rows = labelled(*((f"q{i}", f"text {i}", "train", ["l"]) for i in range(40)))
    found = ingested(Source(rows, dev_share=0.5), tables.entry("classification"))
    assert found.column("queries", "group_id") == found.column("queries", "query_id")
    assert set(_splits(found).values()) == {"train", "dev"}


def test_splits_do_not_depend_on_other_queries() -> None:
    """A query keeps its side when others come and go: its side is the hash of its group."""
    rows: list[Record] = [Query(f"q{i}", f"text {i}", "train", None, None) for i in range(60)]
    passages: list[Record] = [Passage(f"p{i}", "", f"z{i}") for i in range(60)]
    qrels: list[Record] = [Qrel(f"q{i}", f"p{i}", 1.0) for i in range(60)]
    every = _splits(ingested(Source([*rows, *passages, *qrels], dev_share=0.3)))
    some = _splits(ingested(Source([*rows[::2], *passages, *qrels], dev_share=0.3)))
    assert some == {name: split for name, split in every.items() if name in some}


def test_groups_and_positives_both_keep_together() -> None:
    """Where some queries have a group, the others are still kept together by their positives."""
    queries = [Query("a", "x", "train", "g", None), *(Query(name, name, "train", None, None) for name in "bc")]
    rows: list[Record] = [*queries, Passage("p", "", "z"), Passage("r", "", "w")]
    rows += [Qrel("a", "r", 1.0), Qrel("b", "p", 1.0), Qrel("c", "p", 1.0)]
    found = ingested(Source(rows, dev_share=0.5))
    assert found.column("queries", "group_id") == ["a", "b", "b"]


def test_a_sentence_on_either_side_of_a_pair_links() -> None:
    """A sentence that is first in one pair and second in another keeps both pairs on one side."""
    rows = records(
        {"a": "one", "b": "two", "c": "four"},
        {"p": "TWO", "r": "three", "s": "five"},
        [("a", "p", 5), ("b", "r", 0), ("c", "s", 5)],
    )
    assert ingested(Source(rows, dev_share=0.5), tables.entry("sts")).column("queries", "group_id") == ["a", "a", "c"]


@pytest.mark.parametrize("mode", ["label", "example"])
@pytest.mark.parametrize("split", ["train", "dev"])
def test_labels_become_passages_after_the_split(mode: str, split: str) -> None:
    """With a new split no dev text is an example, and no label of dev texts alone is a passage, whatever the source said."""
    rows = labelled(*((f"q{i:03}", f"text {i}", split, [f"l{i % 40}"]) for i in range(120)))
    found = ingested(Source(rows, dev_share=0.4), tables.entry("classification", label_mode=mode))
    train = {row["query_id"] for row in found.rows("queries") if row["split"] == "train"}
    labels = {label for row in found.rows("queries") if row["split"] == "train" for label in row["labels"]}
    assert 0 < len(train) < 120
    assert set(found.column("corpus", "passage_id")) == (labels if mode == "label" else train)
