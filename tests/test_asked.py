"""Tests of embedder.asked."""

import numpy as np
import pytest

from embedder import asked as asking
from tests.to_judge import Pair, pairs, scores, two_queries


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
    assert pairs(asking.select(two_queries(), top)) == expected


def test_each_row_knows_its_pair() -> None:
    """Every row of the three tables that stands for a pair points at it, whatever table brought it."""
    given_tables = two_queries()
    asked = asking.select(given_tables, 1)
    known = pairs(asked)
    for table, places in (
        (given_tables.candidates, asked.candidates),
        (given_tables.judged, asked.judged),
        (given_tables.sample, asked.sample),
    ):
        ids = zip(table["query_id"].to_pylist(), table["passage_id"].to_pylist(), strict=True)
        assert [known[at] if at >= 0 else None for at in places] == [pair if pair in known else None for pair in ids]


@pytest.mark.parametrize("top", [None, 0, 1])
def test_known_pairs_are_asked_about_where_they_are_kept(top: int | None) -> None:
    """Beside what is chosen anyway; not judged negatives, refused or unknown ones, nor positives of their queries."""
    known = [("q2", "a"), ("q1", "e"), ("q1", "b"), ("q1", "d"), ("q2", "f"), ("q9", "a"), ("q1", "a")]
    found = asking.select(two_queries(), top, known)
    without = pairs(asking.select(two_queries(), top))
    assert pairs(found) == sorted({*without, ("q1", "e"), ("q2", "a")})
    assert [pairs(found)[at] for at in found.candidates[[4, 7]]] == [("q1", "e"), ("q2", "a")]


def test_positives_calibrate() -> None:
    """The scores of all known positives that were asked about and answered, and of nothing else."""
    asked = asking.select(two_queries(), None)
    known = {("q1", "a"): 2.0, ("q1", "c"): 1.0, ("q1", "f"): 0.9, ("q1", "e"): 0.1, ("q2", "c"): 3.0}
    assert sorted(asking.of_positives(two_queries(), asked, scores(asked, known)).tolist()) == [2.0, 3.0]


def test_a_place_of_minus_one_has_no_score() -> None:
    """-1 stands for rows that were not asked about."""
    found = asking.take(np.array([0.5, 0.25], np.float32), np.array([1, -1, 0]))
    np.testing.assert_array_equal(found, np.array([0.25, np.nan, 0.5], np.float32))
