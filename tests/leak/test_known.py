"""Tests of embedder.leak.known against an enumeration of all draws."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.leak.known import known_false_negatives
from tests.tables import ints


def _chance(ranks: list[int], own: int, length: int, first: int, last: int, draws: int) -> float:
    """Take all but `own` of a query's positives for unjudged and try every draw from the window."""
    others = {rank for i, rank in enumerate(ranks) if i != own and rank}
    run = [rank for rank in range(1, length + 1) if rank != ranks[own]]
    window = [rank for counted, rank in enumerate(run, 1) if first <= counted <= last]
    tried = list(combinations(window, min(draws, len(window))))
    return sum(bool(others & set(drawn)) for drawn in tried) / len(tried)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.sets(st.integers(1, 9), max_size=3), st.integers(0, 1)), min_size=1, max_size=3
    ),
    st.tuples(st.integers(1, 4), st.integers(1, 9)),
    st.integers(1, 4),
)
def test_shares_are_those_of_all_draws(
    queries: list[tuple[int, set[int], int]], window: tuple[int, int], draws: int
) -> None:
    """The closed form equals the mean over every possible draw, positives beyond the run's depth included."""
    lengths = [max(length, *ranks, 0) if ranks else length for length, ranks, _ in queries]
    positives = [[*sorted(ranks), *[0] * beyond] for _, ranks, beyond in queries]
    pairs = [(q, rank) for q, ranks in enumerate(positives) for rank in ranks]
    (found,) = known_false_negatives(
        ints(*(q for q, _ in pairs)), ints(*(rank for _, rank in pairs)), ints(*lengths), [window], draws
    )
    chances = [
        _chance(ranks, own, lengths[q], *window, draws)
        for q, ranks in enumerate(positives)
        for own in range(len(ranks))
    ]
    assert (found.min_rank, found.max_rank, found.draws, found.rows) == (*window, draws, len(pairs))
    assert found.share == pytest.approx(np.mean(chances) if chances else 0.0)


def test_a_query_with_one_positive_has_no_known_false_negative() -> None:
    """The share is over all rows, and a row without another known positive has none to draw."""
    (one,) = known_false_negatives(ints(0), ints(3), ints(50), [(1, 10)], 7)
    (both,) = known_false_negatives(ints(0, 1, 1), ints(3, 1, 2), ints(50, 7), [(1, 10)], 7)
    assert one.share == 0.0
    assert both.share == pytest.approx(2 / 3)


def test_no_positive_is_no_row() -> None:
    """Without rows the share is 0, not a division by zero."""
    (found,) = known_false_negatives(ints(), ints(), ints(), [(1, 10)], 7)
    assert (found.rows, found.share) == (0, 0.0)
