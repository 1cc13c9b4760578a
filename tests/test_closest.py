"""Tests of embedder.closest against plain Python, with cosines that are made up."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedder import closest, schemas
from embedder.closest import closest_positives
from embedder.ranking import Ints
from embedder.search.pairs import Vectors
from embedder.teachers import Block, Cosines, Queries
from tests import tables

PASSAGES = 8
IDS = [f"p{i}" for i in range(PASSAGES)]
# Few values, so that positives tie.
TABLES = {
    name: (np.round(2 * np.random.default_rng(seed).uniform(-1, 1, (PASSAGES, PASSAGES))) / 2).astype(np.float32)
    for seed, name in enumerate(["", "second"])
}


@dataclass
class Made:
    """A teacher whose cosines are written down, of the members it has; it never scores."""

    members: tuple[str, ...]
    revision: str = "0" * 40
    pairs: list[int] = field(default_factory=list)

    def score(self, queries: Queries) -> Iterator[Block]:
        """Raise: nothing is scored for cosines."""
        raise NotImplementedError

    def report(self) -> Mapping[str, object]:
        """Say nothing."""
        return {}

    def cosines(self) -> Mapping[str, Cosines]:
        """Return what looks up each member's table."""
        return {name: self._of(name) for name in self.members}

    def _of(self, name: str) -> Cosines:
        def look_up(left: Ints, right: Ints) -> Vectors:
            self.pairs.append(len(left))
            return np.asarray(TABLES[name][left, right])

        return look_up


class Silent:
    """A teacher without vectors."""

    revision = "0" * 40

    def score(self, queries: Queries) -> Iterator[Block]:
        """Raise: nothing is scored for cosines."""
        raise NotImplementedError

    def report(self) -> Mapping[str, object]:
        """Say nothing."""
        return {}


@dataclass(frozen=True)
class Case:
    """Of each query: the passages of its run, and its judgements."""

    runs: list[list[int]]
    grades: list[dict[int, float]]

    def run(self) -> pa.Table:
        """The run as a table."""
        rows = [(f"q{q}", i, IDS[p], -float(i)) for q, one in enumerate(self.runs) for i, p in enumerate(one, 1)]
        return tables.run(rows)

    def judged(self) -> pa.Table:
        """The judgements as a table."""
        return tables.judged(
            [(f"q{q}", IDS[p], g, 1.0, None) for q, one in enumerate(self.grades) for p, g in one.items()]
        )


@st.composite
def _cases(draw: st.DrawFn) -> Case:
    queries = draw(st.integers(1, 4))
    passages = st.integers(0, PASSAGES - 1)
    runs = [draw(st.lists(passages, unique=True, max_size=PASSAGES)) for _ in range(queries)]
    graded = st.dictionaries(passages, st.sampled_from([0.0, 0.5, 1.0, 2.0]))
    # A query is mined for a positive that it has.
    return Case(runs, [{draw(passages): 1.0} | draw(graded) | {draw(passages): 1.0} for _ in range(queries)])


def _plain(case: Case, member: str) -> dict[tuple[str, str, str], tuple[str, float]]:
    found = {}
    for query, (run, grades) in enumerate(zip(case.runs, case.grades, strict=True)):
        positives = sorted(p for p, grade in grades.items() if grade >= 1)
        for passage in run:
            others = [p for p in positives if p != passage]
            if not others:
                continue
            best = max(others, key=lambda p, q=passage: (TABLES[member][q, p], -p))  # type: ignore[misc]
            found[f"q{query}", IDS[passage], member] = (IDS[best], float(TABLES[member][passage, best]))
    return found


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=_cases(), most=st.sampled_from([1, 3, 1000]), members=st.sampled_from([("",), ("", "second")]))
def test_the_closest_positive_is_that_of_plain_python(
    case: Case, most: int, members: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each row and each member, never itself, ties by id, whatever the number of pairs at once."""
    monkeypatch.setattr(closest, "_PAIRS", most)
    teacher = Made(members)
    table = closest_positives(teacher, case.run(), case.judged(), IDS, tables.entry()).table
    assert table is not None
    schemas.check(schemas.COSINES, table, "here")
    found = {
        (row["query_id"], row["passage_id"], row["member"]): (row["positive_id"], row["cosine"])
        for row in table.to_pylist()
    }
    assert found == {key: value for member in members for key, value in _plain(case, member).items()}
    assert table.num_rows == len(found)
    assert schemas.metadata(table) == schemas.metadata(case.run())
    assert max(teacher.pairs, default=0) < most + PASSAGES


def test_without_vectors_the_report_says_why() -> None:
    """A teacher without vectors, one whose parts have none, and label tasks: null and a reason, no table."""
    case = Case([[0, 1]], [{0: 1.0}])
    for teacher, entry, reason in (
        (Silent(), tables.entry(), "the teacher makes no vectors of passages"),
        (Made(()), tables.entry(), "the teacher makes no vectors of passages"),
        (Made(("",)), tables.entry("clustering"), "labels and examples of labels have no near copies"),
    ):
        found = closest_positives(teacher, case.run(), case.judged(), IDS, entry)
        assert found.table is None
        assert found.report() == {"cosines": None, "no_cosines": reason}


def test_an_only_positive_has_no_other() -> None:
    """Of a query with one positive, which alone was found, there is nothing to compare; of two, each has the other."""
    case = Case([[0], [1, 2]], [{0: 1.0}, {1: 1.0, 2: 1.0}])
    table = closest_positives(Made(("",)), case.run(), case.judged(), IDS, tables.entry()).table
    assert table is not None
    assert table.select(["query_id", "passage_id", "positive_id"]).to_pylist() == [
        {"query_id": "q1", "passage_id": "p1", "positive_id": "p2"},
        {"query_id": "q1", "passage_id": "p2", "positive_id": "p1"},
    ]


def test_nothing_mined_has_an_empty_table() -> None:
    """A dataset without a mined query has no rows to compare, which is no error."""
    table = closest_positives(Made(("",)), tables.run([]), tables.judged([]), IDS, tables.entry()).table
    assert table is not None
    assert table.num_rows == 0
    assert closest.Closest().report() == {}
