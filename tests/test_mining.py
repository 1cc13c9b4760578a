"""Tests of embedder.mining against a ranking by brute force."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder import schemas
from embedder.mining import judgements_of, minable, mine
from embedder.ranking import Always
from embedder.teachers import Block, Queries
from tests import tables

Rows = list[tuple[str, int, str, float]]


@dataclass
class Made:
    """A teacher whose scores are made up: all passages of each query, or only those above its floor."""

    scores: Sequence[Sequence[float]]
    floors: Sequence[float]
    block: int = 2
    revision: str = "0" * 40

    def report(self) -> Mapping[str, object]:
        """Say nothing."""
        return {}

    def score(self, queries: Queries) -> Iterator[Block]:
        """Yield blocks of `block` queries; passages are stored in descending order, to be sorted by who reads them."""
        assert len(queries.ids) == len(queries.texts) == len(self.scores)
        for start in range(0, len(self.scores), self.block):
            part = range(start, min(start + self.block, len(self.scores)))
            stored = [
                [p for p in reversed(range(len(self.scores[q]))) if self.scores[q][p] > self.floors[q] or p % 2]
                for q in part
            ]
            yield Block(
                np.cumsum([0, *map(len, stored)]),
                np.array([p for row in stored for p in row], dtype=np.int32),
                np.array(
                    [self.scores[q][p] for q, row in zip(part, stored, strict=True) for p in row], dtype=np.float32
                ),
                np.array([self.floors[q] for q in part], dtype=np.float32),
            )


@dataclass(frozen=True)
class Case:
    """Scores at or above a floor for every (query, passage), the judged passages with their grades, and a depth."""

    scores: list[list[float]]
    floors: list[float]
    grades: list[dict[int, float]]
    depth: int

    @property
    def passage_ids(self) -> list[str]:
        """Ids that sort as the indices do."""
        return [f"p{i:02}" for i in range(len(self.scores[0]))]

    @property
    def query_ids(self) -> list[str]:
        """As above."""
        return [f"q{i:02}" for i in range(len(self.scores))]


@st.composite
def _cases(draw: st.DrawFn) -> Case:
    queries, passages = draw(st.integers(1, 4)), draw(st.integers(1, 9))
    floors = draw(st.lists(st.sampled_from([0.0, -1.0, 1.0]), min_size=queries, max_size=queries))
    above = st.lists(st.sampled_from([0.0, 0.0, 0.5, 1.0, 2.0]), min_size=passages, max_size=passages)
    graded = st.dictionaries(st.integers(0, passages - 1), st.sampled_from([0.0, 0.5, 1.0, 2.0]))
    return Case(
        [[floor + score for score in draw(above)] for floor in floors],
        floors,
        [draw(graded) for _ in floors],
        draw(st.integers(1, 6)),
    )


def _mined(case: Case, always: Always) -> tuple[Rows, dict[tuple[str, str], tuple[float, float, int | None]]]:
    qrels = tables.qrels(
        (case.query_ids[q], case.passage_ids[p], grade) for q, row in enumerate(case.grades) for p, grade in row.items()
    )
    mined = mine(
        Made(case.scores, case.floors),
        tables.queries(dict.fromkeys(case.query_ids, "text")),
        case.passage_ids,
        qrels,
        tables.entry(_TASKS[always]),
        case.depth,
        "made-up",
        "mine",
    )
    run, judged = mined.run, mined.judged
    assert mined.members is None
    assert (
        mined.short
        == sum(
            sum(
                case.grades[q].get(p, 0.0) < 1.0
                for p in map(
                    case.passage_ids.index, run.filter(pc.equal(run["query_id"], query))["passage_id"].to_pylist()
                )
            )
            < case.depth
            for q, query in enumerate(case.query_ids)
        )
        or always == "judged"
    )
    assert schemas.metadata(run) == schemas.metadata(judged) == tables.MADE_BY | {"depth": str(case.depth)}
    rows = [(r["query_id"], r["rank"], r["passage_id"], r["score"]) for r in run.to_pylist()]
    facts = {(r["query_id"], r["passage_id"]): (r["relevance"], r["score"], r["rank"]) for r in judged.to_pylist()}
    return rows, facts


_TASKS: dict[Always, str] = {"nothing": "retrieval", "judged": "reranking", "everything": "classification"}


def _ranking(case: Case, query: int) -> list[int]:
    scores = case.scores[query]
    return sorted(range(len(scores)), key=lambda p: (-scores[p], p))


def _expected(case: Case, query: int, always: Always) -> list[tuple[int, int]]:
    """Return (rank, passage) of the run: walk down the ranking until `depth` non-positives are in."""
    everything = _ranking(case, query)
    grades, floor, kept, others = case.grades[query], case.floors[query], [], 0
    for rank, passage in enumerate(everything, 1):
        retrieved = case.scores[query][passage] > floor or always == "everything"
        if retrieved and (others < case.depth or always == "everything"):
            others += grades.get(passage, 0.0) < 1.0
            kept.append((rank, passage))
        elif always == "judged" and passage in grades:
            kept.append((rank, passage))
    return kept


@settings(max_examples=150, deadline=None)
@given(_cases(), st.sampled_from(["nothing", "judged", "everything"]))
def test_a_run_is_that_of_brute_force(case: Case, always: Always) -> None:
    """Best score first, ties by passage_id, to the depth in non-positives; judged passages or all where that is asked."""
    rows, _ = _mined(case, always)
    expected = [
        (case.query_ids[q], rank, case.passage_ids[p], case.scores[q][p])
        for q in range(len(case.scores))
        for rank, p in _expected(case, q, always)
    ]
    assert rows == expected


@settings(max_examples=100, deadline=None)
@given(_cases())
def test_a_run_holds_the_positives_above_its_last_row_alone(case: Case) -> None:
    """A run that reaches its depth ends with a non-positive and holds every positive above it, and none below."""
    rows, _ = _mined(case, "nothing")
    for q, query in enumerate(case.query_ids):
        found = [int(passage[1:]) for row_query, _, passage, _ in rows if row_query == query]
        positives = {p for p, grade in case.grades[q].items() if grade >= 1.0}
        others = [p for p in found if p not in positives]
        assert len(others) <= case.depth
        if len(others) == case.depth:
            assert found[-1] == others[-1]
            above = _ranking(case, q)[: _ranking(case, q).index(others[-1])]
            assert positives & set(found) == positives & set(above)


@settings(max_examples=100, deadline=None)
@given(_cases(), st.sampled_from(["nothing", "judged", "everything"]))
def test_judged_scores_and_ranks_are_true(case: Case, always: Always) -> None:
    """Every judged passage is listed with its grade, its score, and its rank, which is null beyond the run's depth."""
    rows, facts = _mined(case, always)
    depth_ranks = {(query, passage): rank for query, rank, passage, _ in _mined(case, "nothing")[0]}
    expected = {}
    for q, grades in enumerate(case.grades):
        for p, grade in grades.items():
            pair = case.query_ids[q], case.passage_ids[p]
            rank = _ranking(case, q).index(p) + 1 if always == "everything" else depth_ranks.get(pair)
            expected[pair] = (grade, case.scores[q][p], rank)
    assert facts == expected
    assert always == "nothing" or facts.keys() <= {(query, passage) for query, _, passage, _ in rows}


def test_a_corpus_smaller_than_the_depth_is_ranked_whole() -> None:
    """A depth beyond the corpus keeps every retrieved passage."""
    rows, _ = _mined(Case([[1.0, 3.0, 2.0, 0.0]], [0.0], [{0: 1.0}], 100), "nothing")
    assert [(rank, passage) for _, rank, passage, _ in rows] == [(1, "p01"), (2, "p02"), (3, "p00")]


def test_a_query_that_retrieves_nothing_has_no_run_and_is_judged_all_the_same() -> None:
    """A query that shares no word with any passage has no candidates; its positive has the floor's score, no rank."""
    rows, facts = _mined(Case([[0.0, 0.0]], [0.0], [{1: 1.0}], 3), "nothing")
    assert rows == []
    assert facts == {("q00", "p01"): (1.0, 0.0, None)}


def test_no_queries_give_empty_tables() -> None:
    """Without queries the tables are empty, and still have their columns."""
    found = mine(
        Made([], []),
        tables.queries({}),
        ["p"],
        tables.qrels([]),
        tables.entry(),
        3,
        "made-up",
        "mine",
    )
    assert [found.run.num_rows, found.judged.num_rows] == [0, 0]


def test_a_teacher_that_skips_a_query_is_a_bug() -> None:
    """A teacher that yields fewer queries than it was asked can't shift its scores to the next ones."""

    class Skipping(Made):
        def score(self, queries: Queries) -> Iterator[Block]:
            return super().score(Queries(queries.ids[:1], queries.texts[:1]))

    with pytest.raises(ValueError, match="is longer"):
        mine(
            Skipping([[1.0]], [0.0]),
            tables.queries({"q": "x", "r": "y"}),
            ["p"],
            tables.qrels([("q", "p", 1.0), ("r", "p", 1.0)]),
            tables.entry(),
            3,
            "made-up",
            "mine",
        )


def test_judgements_are_sorted_and_of_mined_queries_only() -> None:
    """Judgements come in the order of the queries asked for, passages ascending, others left out."""
    qrels = tables.qrels([("q2", "b", 1), ("q2", "a", 0.7), ("dev", "a", 1)])
    first, second = judgements_of(["q1", "q2"], ["a", "b"], qrels)
    assert (first.passages.tolist(), second.passages.tolist()) == ([], [0, 1])
    assert second.positives(0.7).tolist() == [0, 1]


def test_train_queries_with_a_positive_are_minable() -> None:
    """Dev queries are never mined, and train queries without a positive cannot be."""
    queries = tables.queries({"a": "x", "b": "y"}, {"c": "z"})
    qrels = tables.qrels([("a", "p", 1.0), ("b", "p", 0.0), ("c", "p", 1.0)])
    assert minable(queries, qrels, 1.0)["query_id"].to_pylist() == ["a"]
