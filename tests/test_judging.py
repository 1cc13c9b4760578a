"""Tests of embedder.judging."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder import asked as asking
from embedder import judging, schemas
from embedder.asked import Asked, Tables
from embedder.filters import BIT, KEEP
from embedder.judging import Said
from tests import tables, to_judge
from tests.to_judge import Pair, pairs, scores, two_queries

_RELEVANT, _COPY, _NEW = "judge_says_relevant", "duplicates_positive", "near_copies_of_relevant"
_NONE = np.empty(0, np.int64)


def _no_copies(given_tables: Tables) -> np.ndarray[Any, np.dtype[np.bool_]]:
    return np.zeros(len(given_tables.candidates), bool)


_KNOWN = {("q1", "a"): 2.0, ("q1", "z"): 1.5, ("q1", "c"): 1.0, ("q1", "f"): 0.9, ("q1", "e"): 0.1, ("q2", "c"): 3.0}


def _applied(threshold: float | None = 0.9, *, relabel: bool = False) -> judging.Judged:
    given_tables = two_queries()
    asked = asking.select(given_tables, None)
    said = Said(scores(asked, _KNOWN), np.array([pairs(asked).index(("q2", "a"))]), threshold)
    return judging.apply(given_tables, asked, said, _no_copies(given_tables), relabel=relabel, judge="someone")


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
        "not_asked": 0,
        "judged_negatives": 1,
        "relevant": 2,
        "near_copies_of_relevant": 0,
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
    given_tables = two_queries()
    asked = asking.select(given_tables, None)
    said = Said(scores(asked, {pair: score for pair, score in _KNOWN.items() if pair != ("q1", "z")}), _NONE, 0.9)
    found = judging.apply(given_tables, asked, said, _no_copies(given_tables), relabel=False, judge="j")
    assert found.candidates["positive_judge_score"].to_pylist() == [None] * 6 + [3.0] * 2


def test_dropping_adds_no_judgement() -> None:
    """The judged pairs stay as they were."""
    found = _applied().judged
    assert found.select(schemas.JUDGED.schema.names).to_pylist() == two_queries().judged.to_pylist()
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
    given_tables = two_queries()
    asked, said = asking.nothing(given_tables), Said(np.empty(0, np.float32), _NONE, None)
    found = judging.apply(given_tables, asked, said, _no_copies(given_tables), relabel=False, judge="none")
    assert len(pairs(asked)) == found.labels.num_rows == 0
    copied = found.candidates.select(schemas.CANDIDATES.schema.names)
    assert copied.to_pylist() == two_queries().candidates.to_pylist()
    assert found.candidates["judge_score"].null_count == found.candidates["positive_judge_score"].null_count == 8
    assert (found.counts["kept_after"], found.counts["not_asked"], found.counts["judged_negatives"]) == (5, 4, 1)


def test_a_judged_negative_stays_one() -> None:
    """What the source judged not relevant keeps its verdict, even if the sample has a judge look at it."""
    given_tables = replace(two_queries(), sample=to_judge.sample([("q1", "d", "kept")]))
    asked, said = asking.select(given_tables, 0), Said(np.ones(1, np.float32), _NONE, 0.5)
    found = judging.apply(given_tables, asked, said, _no_copies(given_tables), relabel=True, judge="j")
    assert found.candidates["verdict"].to_pylist() == given_tables.candidates["verdict"].to_pylist()
    assert found.candidates["judge_score"].to_pylist()[3] == 1.0
    assert not any(found.judged["relabelled"].to_pylist())
    assert (found.counts["judged"], found.counts["not_asked"], found.counts["judged_negatives"]) == (0, 4, 1)


def test_a_threshold_is_as_exact_as_a_score() -> None:
    """0.9 as float32 reaches a threshold of 0.9."""
    assert _applied(0.9).counts["relevant"] == 2
    assert _applied(float(np.nextafter(np.float32(0.9), np.float32(1.0)))).counts["relevant"] == 1


_TEXTS = {"a": "one two three four", "c": "one two three five", "d": "one two three", "e": "six", "f": "one"}
_RULES = tables.rules(near_copy_jaccard=0.6, near_copy_size=1)


def _texts(ids: Collection[str]) -> dict[str, str]:
    return {name: _TEXTS[name] for name in ids}


def _copies(relevant: str, **changes: object) -> list[str]:
    """Return the candidates that are near copies where `relevant` ones of q1 are refused."""
    given_tables = two_queries()
    names = given_tables.candidates["passage_id"].to_pylist()
    refused = np.array([name in relevant for name in names]) & (given_tables.candidates["query_id"].to_numpy() == "q1")
    found = judging.near_copies(given_tables, refused, _RULES.model_copy(update=changes), "word", _texts)
    return [name for name, copy in zip(names, found, strict=True) if copy]


def test_near_copies_of_the_relevant_are_found() -> None:
    """Among the kept of the same query, judged negatives too; not among those of another query, and not itself."""
    assert _copies("c") == ["d"]
    assert _copies("cd") == []
    assert _copies("f") == _copies("") == []
    assert _copies("c", near_copy_jaccard=0.8) == _copies("c", near_copy_jaccard=None) == []
    assert _copies("c", near_copy_jaccard=0.1) == ["d", "f"]


def test_only_texts_that_are_compared_are_read() -> None:
    """Of queries without a relevant candidate no text is asked for, nor of what the filter refused."""
    read: list[str] = []

    def texts(ids: Collection[str]) -> dict[str, str]:
        read.extend(ids)
        return _texts(ids)

    given_tables = two_queries()
    refused = np.arange(8) == 2
    judging.near_copies(given_tables, refused, _RULES, "word", texts)
    assert sorted(read) == ["c", "d", "e", "f"]
    judging.near_copies(given_tables, np.zeros(8, bool), _RULES, "word", texts)
    assert len(read) == 4


def test_a_near_copy_of_the_relevant_is_no_negative() -> None:
    """Its verdict and its only bit are those of a near copy, it makes no positive, and it is counted."""
    given_tables = two_queries()
    asked = asking.select(given_tables, None)
    said = Said(scores(asked, _KNOWN), _NONE, 0.9)
    found = judging.apply(given_tables, asked, said, np.arange(8) == 3, relabel=True, judge="j")
    row = found.candidates.to_pylist()[3]
    assert (row["passage_id"], row["verdict"], row["refused_by"]) == ("d", _COPY, BIT[_COPY])
    assert [row["passage_id"] for row in found.judged.to_pylist() if row["relabelled"]] == ["c", "f"]
    assert (found.counts["near_copies_of_relevant"], found.counts["kept_after"]) == (1, 2)


@dataclass(frozen=True)
class Case:
    """A made-up dataset, a judge's scores by pair, and how it is judged."""

    tables: Tables
    known: Mapping[Pair, float]
    failed: frozenset[Pair]
    top: int | None
    threshold: float
    relabel: bool
    texts: Mapping[str, str]

    def judged(self, given_tables: Tables | None = None) -> tuple[Asked, judging.Judged]:
        """Judge the tables."""
        given_tables = given_tables or self.tables
        asked = asking.select(given_tables, self.top)
        known = {pair: score for pair, score in self.known.items() if pair not in self.failed}
        failed = np.array([at for at, pair in enumerate(pairs(asked)) if pair in self.failed], np.int64)
        said = Said(scores(asked, known), failed, self.threshold)
        refused = judging.relevant(given_tables, asked, said)
        copies = judging.near_copies(given_tables, refused, _RULES, "word", self._texts)
        return asked, judging.apply(given_tables, asked, said, copies, relabel=self.relabel, judge="j")

    def _texts(self, ids: Collection[str]) -> dict[str, str]:
        return {name: self.texts[name] for name in ids}

    def similar(self, one: str, other: str) -> bool:
        """Whether two passages are near copies: the share of the words of either that both have."""
        words = set(self.texts[one].split()), set(self.texts[other].split())
        return len(words[0] & words[1]) / len(words[0] | words[1]) >= 0.6


@st.composite
def _cases(draw: st.DrawFn) -> Case:
    queries, passages = ["q1", "q2", "q3"], [f"p{i}" for i in range(6)]
    words = st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4)
    case = Case(two_queries(), {}, frozenset(), None, 0, False, {p: " ".join(draw(words)) for p in passages})
    rows, judged = [], []
    for query in queries:
        grades = {p: draw(st.sampled_from([None, None, 0.0, 0.5, 1.0])) for p in passages}
        retrieved = draw(st.permutations(passages))[: draw(st.integers(0, 6))]
        for rank, passage in enumerate(retrieved, 1):
            positives = [one for one, grade in grades.items() if (grade or 0.0) >= 1]
            verdict = draw(st.sampled_from([KEEP, KEEP, "before_rank_window"]))
            # As the filter leaves it: positives and near copies of them are refused.
            verdict = _COPY if any(case.similar(passage, one) for one in positives) else verdict
            verdict = "is_positive" if passage in positives else verdict
            rows.append((query, rank, passage, grades[passage], verdict))
        for passage, grade in grades.items():
            if grade is not None:
                place = retrieved.index(passage) + 1 if passage in retrieved else None
                judged.append((query, passage, grade, 1.0 if place else None, place))
    every = [(query, passage) for query in queries for passage in passages]
    sampled = draw(st.lists(st.sampled_from(every), unique=True, max_size=6))
    sample = to_judge.sample([(*pair, "kept") for pair in sampled])
    return Case(
        Tables(to_judge.candidates(rows), tables.judged(judged), sample, 1.0, 0.0),
        {pair: draw(st.sampled_from([0.0, 1.0, 2.0, 3.0])) for pair in every},
        frozenset(draw(st.lists(st.sampled_from(every), max_size=6))),
        draw(st.sampled_from([None, 0, 1, 2])),
        draw(st.sampled_from([1.0, 2.0])),
        draw(st.booleans()),
        case.texts,
    )


@settings(max_examples=150, deadline=None)
@given(_cases())
def test_counts_add_up(case: Case) -> None:
    """Kept before is judged, failed, not asked about, judged negative; and kept after, relevant, and near copies of it."""
    _, found = case.judged()
    counts = found.counts
    said, became = ("judged", "failed", "not_asked", "judged_negatives"), ("kept_after", "relevant", _NEW)
    assert counts["kept_before"] == sum(counts[name] for name in said) == sum(counts[name] for name in became)
    verdicts = found.candidates["verdict"].to_pylist()
    copies = verdicts.count(_COPY) - case.tables.candidates["verdict"].to_pylist().count(_COPY)
    assert (verdicts.count(KEEP), verdicts.count(_RELEVANT), copies) == tuple(counts[name] for name in became)
    assert counts["candidates"] == len(verdicts) == case.tables.candidates.num_rows
    assert counts["relabelled"] == (counts["relevant"] if case.relabel else 0)
    assert found.labels.num_rows == case.tables.sample.num_rows


@settings(max_examples=150, deadline=None)
@given(_cases())
def test_every_verdict_has_its_reason(case: Case) -> None:
    """What is refused as relevant was kept, did not fail, and has a score from the threshold on; a new copy is one of it."""
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
        elif row["verdict"] == _COPY != before[row["query_id"], row["rank"]]:
            assert before[row["query_id"], row["rank"]] == KEEP
            refused = [
                one["passage_id"]
                for one in found.candidates.to_pylist()
                if one["verdict"] == _RELEVANT and one["query_id"] == row["query_id"]
            ]
            assert any(case.similar(row["passage_id"], one) for one in refused)
        else:
            assert row["verdict"] == before[row["query_id"], row["rank"]]
        if row["judge_score"] is not None:
            assert row["judge_score"] == case.known[pair]


@settings(max_examples=300, deadline=None)
@given(_cases())
def test_nothing_kept_is_a_near_copy_of_a_positive(case: Case) -> None:
    """Whether known before or relabelled, and of what is dropped as relevant neither; grades in between aside."""
    _, found = case.judged()
    close = {(row["query_id"], row["passage_id"]) for row in found.judged.to_pylist() if row["relevance"] >= 1}
    rows = found.candidates.to_pylist()
    close |= {(row["query_id"], row["passage_id"]) for row in rows if row["verdict"] == _RELEVANT}
    for row in rows:
        if row["verdict"] == KEEP:
            assert not any(case.similar(row["passage_id"], one) for query, one in close if query == row["query_id"])


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
    assert pairs(asked) == pairs(other_asked)
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
            candidates=case.tables.candidates.filter(pc.equal(case.tables.candidates["query_id"], query)),
            judged=case.tables.judged.filter(pc.equal(case.tables.judged["query_id"], query)),
            sample=case.tables.sample.filter(pc.equal(case.tables.sample["query_id"], query)),
        )
        _, one = case.judged(alone)
        rows = found.candidates.filter(pc.equal(found.candidates["query_id"], query))
        assert one.candidates.to_pylist() == rows.to_pylist()
