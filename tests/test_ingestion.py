"""Tests of embedder.ingestion."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder import schemas
from embedder.errors import SourceError
from embedder.ingestion import Ingested, ingest
from embedder.loaders import Reject, Source

_LABELS = pa.list_(pa.string())


def _source(
    queries: Sequence[tuple[str, str, str, list[str] | None]],
    passages: Sequence[tuple[str, str]],
    qrels: Sequence[tuple[str, str, float]],
    rejects: Sequence[Reject] = (),
) -> Source:
    """Make a source of (id, text, split, labels), (id, text) and (query, passage, relevance)."""
    return Source(
        pa.table(
            {
                "query_id": pa.array([q[0] for q in queries], pa.string()),
                "text": pa.array([q[1] for q in queries], pa.string()),
                "split": pa.array([q[2] for q in queries], pa.string()),
                "group_id": pa.array([q[0] for q in queries], pa.string()),
                "labels": pa.array([q[3] for q in queries], _LABELS),
            }
        ),
        pa.table(
            {
                "passage_id": pa.array([p[0] for p in passages], pa.string()),
                "title": pa.array([""] * len(passages), pa.string()),
                "text": pa.array([p[1] for p in passages], pa.string()),
            }
        ),
        pa.table(
            {
                "query_id": pa.array([q[0] for q in qrels], pa.string()),
                "passage_id": pa.array([q[1] for q in qrels], pa.string()),
                "relevance": pa.array([q[2] for q in qrels], pa.float64()),
            }
        ),
        list(rejects),
        {"version": "1"},
    )


def _same(left: Ingested, right: Ingested) -> bool:
    names = ("queries", "corpus", "qrels", "aliases", "rejects")
    return all(getattr(left, name).equals(getattr(right, name)) for name in names) and left.report == right.report


def _counts(ingested: Ingested) -> dict[str, Any]:
    return {key: ingested.report[key] for key in ("read", "kept", "merged", "rejected", "reject_reasons")}


def test_merges_are_recorded_and_counted() -> None:
    """Merged ids stand in aliases with what they became, and read = kept + merged + rejected."""
    found = ingest(
        _source(
            [("b", "Q", "train", None), ("a", "q", "dev", None), ("c", "alone", "train", None)],
            [("p", "P"), ("r", "p")],
            [("b", "r", 1), ("a", "p", 0), ("c", "?", 1)],
            [Reject("query", "e", "no_text", "f.jsonl", 7)],
        ),
        "retrieval",
        1,
        None,
    )
    assert found.aliases.to_pylist() == [
        {"kind": "passage", "id": "r", "merged_into": "p"},
        {"kind": "query", "id": "b", "merged_into": "a"},
    ]
    assert found.qrels.to_pylist() == [{"query_id": "a", "passage_id": "p", "relevance": 1.0}]
    assert found.queries["split"].to_pylist() == ["dev"]
    assert _counts(found) == {
        "read": {"query": 4, "passage": 2, "qrel": 3},
        "kept": {"query": 1, "passage": 1, "qrel": 1},
        "merged": {"query": 1, "passage": 1, "qrel": 1},
        "rejected": {"query": 2, "passage": 0, "qrel": 1},
        "reject_reasons": {"query": {"no_positive": 1, "no_text": 1}, "qrel": {"unknown_passage": 1}},
    }
    assert {"kind": "query", "id": "e", "reason": "no_text", "file": "f.jsonl", "row": 7} in found.rejects.to_pylist()


def test_a_query_without_positives_is_refused_with_its_judgements() -> None:
    """A query whose passages are all below positive_at can't be mined nor measured: it's listed, and so are its qrels."""
    found = ingest(
        _source([("a", "x", "train", None), ("b", "y", "train", None)], [("p", "z")], [("a", "p", 2), ("b", "p", 1)]),
        "retrieval",
        2,
        None,
    )
    assert found.queries["query_id"].to_pylist() == ["a"]
    assert [(r["kind"], r["id"], r["reason"]) for r in found.rejects.to_pylist()] == [
        ("qrel", "b\tp", "query_refused"),
        ("query", "b", "no_positive"),
    ]


def test_a_grade_at_the_bound_is_a_positive() -> None:
    """A grade that a source stores as float32 reaches the bound written in params."""
    source = _source([("a", "x", "train", None)], [("p", "z")], [("a", "p", 0.7)])
    qrels = source.qrels.set_column(2, "relevance", pa.array([0.7], pa.float32()))
    assert ingest(Source(source.queries, source.corpus, qrels), "retrieval", 0.7, None).queries.num_rows == 1


def test_sts_keeps_pairs_of_every_grade() -> None:
    """For STS a low grade is a fact too; only a query that nobody judged is refused."""
    queries = [("a", "x", "dev", None), ("b", "y", "dev", None)]
    found = ingest(_source(queries, [("p", "z")], [("a", "p", 0)]), "sts", 4, None)
    assert found.queries["query_id"].to_pylist() == ["a"]
    assert found.report["reject_reasons"] == {"query": {"not_judged": 1}}


@pytest.mark.parametrize(("mode", "passages"), [("label", ["l", "m"]), ("example", ["a", "b", "c"])])
def test_label_tasks_make_their_own_passages(mode: str, passages: list[str]) -> None:
    """Labels or examples of training queries become the corpus; a query without a label is refused."""
    queries = [
        ("a", "x", "train", ["l"]),
        ("b", "y", "train", ["l"]),
        ("c", "z", "train", ["m"]),
        ("d", "w", "dev", ["m", "new"]),
        ("e", "v", "train", list[str]()),
    ]
    found = ingest(_source(queries, [], []), "classification", 1, mode)
    assert found.corpus["passage_id"].to_pylist() == passages
    assert found.queries["labels"].to_pylist() == [["l"], ["l"], ["m"], ["m", "new"]]
    assert found.report["reject_reasons"] == {"query": {"no_label": 1}}


@pytest.mark.parametrize(
    ("queries", "passages", "said"),
    [
        ([], [("p", "x")], "no query is left of 0 queries and 1 passages; refused: none"),
        ([("a", "x", "train", None)], [], "no query is left of 1 queries .* refused: {'unknown_passage': 1, 'no_pos"),
    ],
)
def test_an_empty_dataset_is_refused(queries: list[Any], passages: list[Any], said: str) -> None:
    """A source of which nothing is left is refused with the reasons that took it."""
    with pytest.raises(SourceError, match=said):
        ingest(_source(queries, passages, [("a", "p", 1)] if queries else []), "retrieval", 1, None)


_IDS = st.sampled_from("abcdef")
_QUERY = st.tuples(_IDS, st.sampled_from(["x", "X", "y", "z"]), st.sampled_from(["train", "dev"]))
_QRELS = st.lists(
    st.tuples(_IDS, st.sampled_from("pqrs?"), st.sampled_from([0.0, 0.5, 1.0, 2.0])),
    unique_by=lambda q: q[:2],
    max_size=12,
)
_PASSAGE = st.tuples(st.sampled_from("pqrs"), st.sampled_from(["t", "T", "u"]))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(_QUERY, unique_by=lambda q: q[0], max_size=6),
    st.lists(_PASSAGE, unique_by=lambda p: p[0], max_size=4),
    _QRELS,
    st.sampled_from(["retrieval", "sts", "reranking"]),
    st.randoms(use_true_random=False),
)
def test_counts_add_up_and_order_is_no_matter(
    queries: list[tuple[str, str, str]],
    passages: list[tuple[str, str]],
    qrels: list[tuple[str, str, float]],
    task: str,
    random: Any,  # noqa: ANN401 - hypothesis gives a random.Random
) -> None:
    """For any rows read = kept + merged + rejected per kind, and the tables don't depend on the order of rows."""
    rows = [(*query, None) for query in queries], list(passages), list(qrels)
    try:
        found = ingest(_source(*rows), task, 1, None)
    except SourceError:
        return
    read = {"query": len(queries), "passage": len(passages), "qrel": len(qrels)}
    assert found.report["read"] == read
    kept, merged, rejected = (_counts(found)[key] for key in ("kept", "merged", "rejected"))
    assert {kind: kept[kind] + merged[kind] + rejected[kind] for kind in read} == read
    assert kept == {"query": found.queries.num_rows, "passage": found.corpus.num_rows, "qrel": found.qrels.num_rows}
    assert merged["query"] + merged["passage"] == found.aliases.num_rows
    assert sum(rejected.values()) == found.rejects.num_rows
    for part in rows:
        random.shuffle(part)
    assert _same(found, ingest(_source(*rows), task, 1, None))
    assert all(
        schemas.build(t, d).equals(d) for t, d in ((schemas.QUERIES, found.queries), (schemas.QRELS, found.qrels))
    )
