"""Tests of embedder.judging."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from embedder import judging, schemas
from embedder.filters import BIT, KEEP
from embedder.judging import Asked, Tables
from tests import tables

_RELEVANT = "judge_says_relevant"
Pair = tuple[str, str]


def _candidates(rows: list[tuple[str, int, str, float | None, str]]) -> pa.Table:
    """Return candidates of (query_id, rank, passage_id, relevance, verdict)."""
    columns: dict[str, list[object]] = {name: [] for name in schemas.CANDIDATES.schema.names}
    for query, rank, passage, relevance, verdict in rows:
        refused_by = 0 if verdict == KEEP else BIT[verdict]
        for name, value in zip(
            columns, (query, rank, passage, 9.0 - rank, relevance, 5.0, 1.0, verdict, refused_by), strict=True
        ):
            columns[name].append(value)
    return schemas.build(schemas.CANDIDATES, columns, tables.MADE_BY)


def _sample(rows: list[tuple[str, str, str]]) -> pa.Table:
    """Return a sample of (query_id, passage_id, kind)."""
    return schemas.from_rows(schemas.SAMPLE, [(query, passage, kind, kind, 2.0) for query, passage, kind in rows])


def _tables() -> Tables:
    """Two queries: q1 has two positives and four kept candidates, one a judged negative; q2 one positive and one kept."""
    candidates = _candidates(
        [
            ("q1", 1, "a", 1.0, "is_positive"),
            ("q1", 2, "b", None, "duplicates_positive"),
            ("q1", 3, "c", None, KEEP),
            ("q1", 4, "d", 0.0, KEEP),
            ("q1", 5, "e", None, KEEP),
            ("q1", 6, "f", 0.5, KEEP),
            ("q2", 1, "c", 1.0, "is_positive"),
            ("q2", 2, "a", None, KEEP),
        ]
    )
    judged = tables.judged(
        [
            ("q1", "a", 1.0, 8.0, 1),
            ("q1", "d", 0.0, 5.0, 4),
            ("q1", "f", 0.5, 3.0, 6),
            ("q1", "z", 2.0, None, None),
            ("q2", "c", 1.0, 8.0, 1),
        ]
    )
    sample = _sample([("q1", "f", "kept"), ("q2", "c", "positive"), ("q2", "e", "random")])
    return Tables(candidates, judged, sample, 1.0, 0.0)


def _pairs(asked: Asked) -> list[Pair]:
    return list(zip(asked.pairs["query_id"].to_pylist(), asked.pairs["passage_id"].to_pylist(), strict=True))


def _scores(asked: Asked, known: Mapping[Pair, float]) -> NDArray[np.float32]:
    return np.array([known.get(pair, np.nan) for pair in _pairs(asked)], np.float32)


_NONE = np.empty(0, np.int64)


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        (None, [("q1", p) for p in "acefz"] + [("q2", p) for p in "ace"]),
        (2, [("q1", p) for p in "acefz"] + [("q2", p) for p in "ace"]),
        (1, [("q1", p) for p in "acfz"] + [("q2", p) for p in "ace"]),
        (0, [("q1", "f"), ("q2", "c"), ("q2", "e")]),
    ],
)
def test_what_is_asked_about(top: int | None, expected: list[Pair]) -> None:
    """The best kept candidates, their queries' positives, and the sample; judged negatives not, and no pair twice."""
    assert _pairs(judging.select(_tables(), top)) == expected


def test_each_row_knows_its_pair() -> None:
    """Every row of the three tables that stands for a pair points at it, whatever table brought it."""
    given_tables = _tables()
    asked = judging.select(given_tables, 1)
    pairs = _pairs(asked)
    for table, places in (
        (given_tables.candidates, asked.candidates),
        (given_tables.judged, asked.judged),
        (given_tables.sample, asked.sample),
    ):
        ids = zip(table["query_id"].to_pylist(), table["passage_id"].to_pylist(), strict=True)
        assert [pairs[at] if at >= 0 else None for at in places] == [pair if pair in pairs else None for pair in ids]


_KNOWN = {("q1", "a"): 2.0, ("q1", "z"): 1.5, ("q1", "c"): 1.0, ("q1", "f"): 0.9, ("q1", "e"): 0.1, ("q2", "c"): 3.0}


def _applied(threshold: float | None = 0.9, *, relabel: bool = False) -> judging.Judged:
    asked = judging.select(_tables(), None)
    failed = np.array([_pairs(asked).index(("q2", "a"))])
    return judging.apply(_tables(), asked, _scores(asked, _KNOWN), failed, threshold, relabel=relabel, judge="someone")


def test_what_is_relevant_is_refused() -> None:
    """From the threshold on a kept candidate gets the verdict and its bit; what failed keeps its own; counts add up."""
    found = _applied()
    verdicts = found.candidates["verdict"].to_pylist()
    assert verdicts == ["is_positive", "duplicates_positive", _RELEVANT, KEEP, KEEP, _RELEVANT, "is_positive", KEEP]
    bits = found.candidates["refused_by"].to_pylist()
    assert [bits[2], bits[5], bits[7]] == [BIT[_RELEVANT], BIT[_RELEVANT], 0]
    assert found.counts == {
        "candidates": 8,
        "kept_before": 5,
        "judged": 3,
        "failed": 1,
        "not_asked": 1,
        "judged_negatives": 1,
        "relevant": 2,
        "kept_after": 3,
        "relabelled": 0,
    }
    assert schemas.metadata(found.candidates) == tables.MADE_BY | {"judge": "someone"}


def test_scores_stand_beside() -> None:
    """Judged rows have their score, and the lowest of the positives' where all of them have one."""
    found = _applied()
    scores = found.candidates["judge_score"].to_pylist()
    assert scores == [2.0, None, 1.0, None, pytest.approx(0.1), pytest.approx(0.9), 3.0, None]
    assert found.candidates["positive_judge_score"].to_pylist() == [1.5] * 6 + [3.0] * 2
    assert found.judged["judge_score"].to_pylist() == [2.0, None, pytest.approx(0.9), 1.5, 3.0]


def test_a_positive_without_a_score_may_be_the_lowest() -> None:
    """Then nobody knows the lowest."""
    asked = judging.select(_tables(), None)
    known = {pair: score for pair, score in _KNOWN.items() if pair != ("q1", "z")}
    found = judging.apply(_tables(), asked, _scores(asked, known), _NONE, 0.9, relabel=False, judge="j")
    assert found.candidates["positive_judge_score"].to_pylist() == [None] * 6 + [3.0] * 2


def test_dropping_adds_no_judgement() -> None:
    """The judged pairs stay as they were."""
    found = _applied().judged
    assert found.select(schemas.JUDGED.schema.names).to_pylist() == _tables().judged.to_pylist()
    assert found["relabelled"].to_pylist() == [False] * 5


def test_relabelling_makes_positives() -> None:
    """What is refused becomes a positive with its rank and score; a grade in between gives way."""
    found = _applied(relabel=True)
    rows = {(row["query_id"], row["passage_id"]): row for row in found.judged.to_pylist() if row["relabelled"]}
    assert rows == {
        ("q1", "c"): {
            "query_id": "q1",
            "passage_id": "c",
            "relevance": 1.0,
            "score": 6.0,
            "rank": 3,
            "judge_score": 1.0,
            "relabelled": True,
        },
        ("q1", "f"): {
            "query_id": "q1",
            "passage_id": "f",
            "relevance": 1.0,
            "score": 3.0,
            "rank": 6,
            "judge_score": pytest.approx(0.9),
            "relabelled": True,
        },
    }
    assert (found.judged.num_rows, found.counts["relabelled"]) == (6, 2)
    assert schemas.metadata(found.judged)["judge"] == "someone"


def test_labels_are_the_sample_with_answers() -> None:
    """Every sampled pair has its score and whether it is relevant; null where there is no answer."""
    found = _applied().labels.select(["passage_id", "judge_score", "relevant", "weight"]).to_pydict()
    assert found["passage_id"] == ["f", "c", "e"]
    assert found["relevant"] == [True, True, None]
    assert found["judge_score"] == [pytest.approx(0.9), 3.0, None]
    assert found["weight"] == [2.0] * 3


def test_nobody_asked_passes_everything_on() -> None:
    """Without a judge tables are copied, scores are null, and there are no labels."""
    asked = judging.nothing(_tables())
    found = judging.apply(_tables(), asked, np.empty(0, np.float32), _NONE, None, relabel=False, judge="none")
    assert len(_pairs(asked)) == found.labels.num_rows == 0
    copied = found.candidates.select(schemas.CANDIDATES.schema.names)
    assert copied.to_pylist() == _tables().candidates.to_pylist()
    assert found.candidates["judge_score"].null_count == found.candidates["positive_judge_score"].null_count == 8
    assert (found.counts["kept_after"], found.counts["not_asked"]) == (5, 5)


def test_a_judged_negative_stays_one() -> None:
    """What the source judged not relevant keeps its verdict, even if the sample has a judge look at it."""
    given_tables = replace(_tables(), sample=_sample([("q1", "d", "kept")]))
    asked = judging.select(given_tables, 0)
    found = judging.apply(given_tables, asked, np.ones(1, np.float32), _NONE, 0.5, relabel=True, judge="j")
    assert found.candidates["verdict"].to_pylist() == given_tables.candidates["verdict"].to_pylist()
    assert found.candidates["judge_score"].to_pylist()[3] == 1.0
    assert not any(found.judged["relabelled"].to_pylist())


def test_a_threshold_is_as_exact_as_a_score() -> None:
    """0.9 as float32 reaches a threshold of 0.9."""
    assert _applied(0.9).counts["relevant"] == 2
    assert _applied(float(np.nextafter(np.float32(0.9), np.float32(1.0)))).counts["relevant"] == 1


def test_positives_calibrate() -> None:
    """The scores of all known positives that were asked about and answered, and of nothing else."""
    asked = judging.select(_tables(), None)
    known = {pair: score for pair, score in _KNOWN.items() if pair != ("q1", "z")}
    assert sorted(judging.of_positives(_tables(), asked, _scores(asked, known)).tolist()) == [2.0, 3.0]


@dataclass(frozen=True)
class Case:
    """A made-up dataset, a judge's scores by pair, and how it is judged."""

    tables: Tables
    known: Mapping[Pair, float]
    failed: frozenset[Pair]
    top: int | None
    threshold: float
    relabel: bool

    def judged(self, given_tables: Tables | None = None) -> tuple[Asked, judging.Judged]:
        """Judge the tables."""
        given_tables = given_tables or self.tables
        asked = judging.select(given_tables, self.top)
        scores = _scores(asked, {pair: score for pair, score in self.known.items() if pair not in self.failed})
        failed = np.array([at for at, pair in enumerate(_pairs(asked)) if pair in self.failed], np.int64)
        return asked, judging.apply(
            given_tables, asked, scores, failed, self.threshold, relabel=self.relabel, judge="j"
        )


@st.composite
def _cases(draw: st.DrawFn) -> Case:
    queries, passages = ["q1", "q2", "q3"], [f"p{i}" for i in range(6)]
    rows, judged = [], []
    for query in queries:
        grades = {p: draw(st.sampled_from([None, None, 0.0, 0.5, 1.0])) for p in passages}
        retrieved = draw(st.permutations(passages))[: draw(st.integers(0, 6))]
        for rank, passage in enumerate(retrieved, 1):
            positive = (grades[passage] or 0.0) >= 1
            verdict = "is_positive" if positive else draw(st.sampled_from([KEEP, KEEP, "before_rank_window"]))
            rows.append((query, rank, passage, grades[passage], verdict))
        for passage, grade in grades.items():
            if grade is not None:
                place = retrieved.index(passage) + 1 if passage in retrieved else None
                judged.append((query, passage, grade, 1.0 if place else None, place))
    every = [(query, passage) for query in queries for passage in passages]
    sampled = draw(st.lists(st.sampled_from(every), unique=True, max_size=6))
    return Case(
        Tables(_candidates(rows), tables.judged(judged), _sample([(*pair, "kept") for pair in sampled]), 1.0, 0.0),
        {pair: draw(st.sampled_from([0.0, 1.0, 2.0, 3.0])) for pair in every},
        frozenset(draw(st.lists(st.sampled_from(every), max_size=6))),
        draw(st.sampled_from([None, 0, 1, 2])),
        draw(st.sampled_from([1.0, 2.0])),
        draw(st.booleans()),
    )


@settings(max_examples=150, deadline=None)
@given(_cases())
def test_counts_add_up(case: Case) -> None:
    """Kept before is judged, failed and not asked about; and it is kept after and relevant."""
    _, found = case.judged()
    counts = found.counts
    assert counts["kept_before"] == counts["judged"] + counts["failed"] + counts["not_asked"]
    assert counts["kept_before"] == counts["kept_after"] + counts["relevant"]
    verdicts = found.candidates["verdict"].to_pylist()
    assert (verdicts.count(KEEP), verdicts.count(_RELEVANT)) == (counts["kept_after"], counts["relevant"])
    assert counts["candidates"] == len(verdicts) == case.tables.candidates.num_rows
    assert counts["relabelled"] == (counts["relevant"] if case.relabel else 0)
    assert found.labels.num_rows == case.tables.sample.num_rows


@settings(max_examples=150, deadline=None)
@given(_cases())
def test_every_verdict_has_its_reason(case: Case) -> None:
    """What is kept has no bit; what is refused as relevant was kept, has a score from the threshold on, and did not fail."""
    _, found = case.judged()
    before = {(row["query_id"], row["rank"]): row["verdict"] for row in case.tables.candidates.to_pylist()}
    for row in found.candidates.to_pylist():
        pair = row["query_id"], row["passage_id"]
        assert (row["verdict"] == KEEP) == (row["refused_by"] == 0)
        if row["verdict"] == _RELEVANT:
            assert before[row["query_id"], row["rank"]] == KEEP
            assert row["judge_score"] >= case.threshold
            assert row["relevance"] is None or row["relevance"] > 0
            assert pair not in case.failed
        else:
            assert row["verdict"] == before[row["query_id"], row["rank"]]
        if row["judge_score"] is not None:
            assert row["judge_score"] == case.known[pair]


@settings(max_examples=150, deadline=None)
@given(_cases())
def test_what_is_relabelled_is_a_positive(case: Case) -> None:
    """The relabelled judgements are the refused candidates, and positives; the others stay as they were."""
    _, found = case.judged()
    refused = {
        (row["query_id"], row["passage_id"])
        for row in found.candidates.to_pylist()
        if row["verdict"] == _RELEVANT and case.relabel
    }
    rows = found.judged.to_pylist()
    new = {(row["query_id"], row["passage_id"]) for row in rows if row["relabelled"]}
    assert new == refused
    assert all(row["relevance"] == case.tables.positive_at for row in rows if row["relabelled"])
    old = {(row["query_id"], row["passage_id"]): row["relevance"] for row in case.tables.judged.to_pylist()}
    kept = {(row["query_id"], row["passage_id"]): row["relevance"] for row in rows if not row["relabelled"]}
    assert kept == {pair: grade for pair, grade in old.items() if pair not in new}


@settings(max_examples=100, deadline=None)
@given(_cases(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(case: Case, random: Any) -> None:  # noqa: ANN401 - hypothesis' random
    """Tables whose rows come in another order are judged to the same tables."""

    def shuffled(table: pa.Table) -> pa.Table:
        order = list(range(table.num_rows))
        random.shuffle(order)
        return table.take(pa.array(order, pa.int64()))

    mixed = replace(
        case.tables,
        candidates=shuffled(case.tables.candidates),
        judged=shuffled(case.tables.judged),
        sample=shuffled(case.tables.sample),
    )
    (asked, found), (other_asked, other) = case.judged(), case.judged(mixed)
    assert _pairs(asked) == _pairs(other_asked)
    assert found.counts == other.counts
    for name in ("candidates", "judged", "labels"):
        assert getattr(found, name).equals(getattr(other, name), check_metadata=True)


@settings(max_examples=100, deadline=None)
@given(_cases())
def test_a_querys_candidates_depend_on_its_own_alone(case: Case) -> None:
    """Judged without the other queries, a query's rows are the same, given the threshold."""
    _, found = case.judged()
    for query in ("q1", "q2", "q3"):
        alone = replace(
            case.tables,
            candidates=case.tables.candidates.filter(pa.compute.equal(case.tables.candidates["query_id"], query)),
            judged=case.tables.judged.filter(pa.compute.equal(case.tables.judged["query_id"], query)),
            sample=case.tables.sample.filter(pa.compute.equal(case.tables.sample["query_id"], query)),
        )
        _, one = case.judged(alone)
        rows = found.candidates.filter(pa.compute.equal(found.candidates["query_id"], query))
        assert one.candidates.to_pylist() == rows.to_pylist()
