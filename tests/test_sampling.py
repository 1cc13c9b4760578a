"""Tests of embedder.sampling."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder.sampling import draw


def _flags(*judged: int, of: int) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    return np.isin(np.arange(of), judged)


def test_top_takes_the_best_ranks() -> None:
    """`top` takes the first candidates."""
    assert draw(_flags(of=9), 4, "top", 1, "q").tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("how", "seed"), [("top", 0), ("random", 0), ("random", 1)])
def test_judged_negatives_come_first(how: str, seed: int) -> None:
    """Judged negatives are drawn before any other, whatever their rank, and indices ascend."""
    drawn = draw(_flags(5, 8, of=9), 4, how, seed, "q").tolist()  # type: ignore[arg-type]
    assert {5, 8} <= set(drawn)
    assert drawn == sorted(drawn)
    assert draw(_flags(5, 8, of=9), 1, how, seed, "q").tolist()[0] in (5, 8)  # type: ignore[arg-type]


@given(st.integers(0, 12), st.integers(1, 8), st.sampled_from(["top", "random"]), st.integers(0, 99), st.data())
def test_a_draw_is_a_set_of_candidates(kept: int, most: int, how: str, seed: int, data: st.DataObject) -> None:
    """A draw holds min(kept, most) distinct candidates and as many judged ones as fit; seed and query fix it."""
    judged = np.array(data.draw(st.lists(st.booleans(), min_size=kept, max_size=kept)), dtype=bool)
    drawn = draw(judged, most, how, seed, "q")  # type: ignore[arg-type]
    assert len(set(drawn.tolist())) == len(drawn) == min(kept, most)
    assert judged[drawn].sum() == min(judged.sum(), most)
    assert (drawn == draw(judged, most, how, seed, "q")).all()  # type: ignore[arg-type]


def test_a_draw_stays_what_it_was() -> None:
    """The stream of a seed is part of the format: the same negatives on every machine."""
    assert draw(_flags(of=20), 5, "random", 17, "query").tolist() == [3, 6, 13, 15, 19]


def test_random_draws_are_uniform() -> None:
    """Over many queries every candidate is drawn about equally often (chi-square, 9 degrees of freedom)."""
    counts = np.zeros(10)
    for i in range(2000):
        counts[draw(_flags(of=10), 3, "random", 1, f"q{i}")] += 1
    expected = 2000 * 3 / 10
    assert ((counts - expected) ** 2 / expected).sum() < 27.9  # 0.999 quantile


def test_seed_and_query_change_a_draw() -> None:
    """Other seeds and other queries draw others."""
    drawn = {tuple(draw(_flags(of=50), 5, "random", seed, query).tolist()) for seed in (1, 2) for query in ("a", "b")}
    assert len(drawn) == 4
