"""Tests of embedder.sampling."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from embedder.sampling import How, draw, standardised, weighted_order

HOW: list[How] = ["top", "random", "score-weighted"]
Floats = NDArray[np.float64]


def _flags(*judged: int, of: int) -> NDArray[np.bool_]:
    return np.isin(np.arange(of), judged)


def _falling(count: int) -> Floats:
    return np.linspace(1, 0, count)


def _scores(values: list[float]) -> Floats:
    """Return scores as stages store them."""
    return np.array(values, np.float32).astype(np.float64)


def test_top_takes_the_best_ranks() -> None:
    """`top` takes the first candidates."""
    assert draw(_flags(of=9), _falling(9), 4, "top", 1, "q").tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("how", "seed"), [("top", 0), ("random", 0), ("random", 1), ("score-weighted", 0), ("score-weighted", 1)]
)
def test_judged_negatives_come_first(how: How, seed: int) -> None:
    """Judged negatives are drawn before any other, whatever their rank, and indices ascend."""
    drawn = draw(_flags(5, 8, of=9), _falling(9), 4, how, seed, "q").tolist()
    assert {5, 8} <= set(drawn)
    assert drawn == sorted(drawn)
    assert draw(_flags(5, 8, of=9), _falling(9), 1, how, seed, "q").tolist()[0] in (5, 8)


@given(st.integers(0, 12), st.integers(1, 8), st.sampled_from(HOW), st.integers(0, 99), st.data())
def test_a_draw_is_a_set_of_candidates(kept: int, most: int, how: How, seed: int, data: st.DataObject) -> None:
    """A draw holds min(kept, most) distinct candidates and as many judged ones as fit; seed and query fix it."""
    judged = np.array(data.draw(st.lists(st.booleans(), min_size=kept, max_size=kept)), dtype=bool)
    scores = _scores(data.draw(st.lists(st.floats(-(2.0**99), 2.0**99, width=32), min_size=kept, max_size=kept)))
    drawn = draw(judged, scores, most, how, seed, "q")
    assert len(set(drawn.tolist())) == len(drawn) == min(kept, most)
    assert judged[drawn].sum() == min(judged.sum(), most)
    assert (drawn == draw(judged, scores, most, how, seed, "q")).all()


@pytest.mark.parametrize(("how", "drawn"), [("random", [3, 6, 13, 15, 19]), ("score-weighted", [0, 1, 2, 3, 10])])
def test_a_draw_stays_what_it_was(how: How, drawn: list[int]) -> None:
    """The stream of a seed is part of the format: the same negatives on every machine."""
    assert draw(_flags(of=20), _falling(20), 5, how, 17, "query").tolist() == drawn


def test_random_draws_are_uniform() -> None:
    """Over many queries every candidate is drawn about equally often (chi-square, 9 degrees of freedom)."""
    counts = np.zeros(10)
    for i in range(2000):
        counts[draw(_flags(of=10), _falling(10), 3, "random", 1, f"q{i}")] += 1
    expected = 2000 * 3 / 10
    assert ((counts - expected) ** 2 / expected).sum() < 27.9  # 0.999 quantile


@pytest.mark.parametrize("how", ["random", "score-weighted"])
def test_seed_and_names_change_a_draw(how: How) -> None:
    """Other seeds, other queries, and other positives of a query draw others."""
    names = [("a",), ("b",), ("a", "p"), ("a", "r")]
    drawn = {
        tuple(draw(_flags(of=50), _falling(50), 5, how, seed, *name).tolist()) for seed in (1, 2) for name in names
    }
    assert len(drawn) == 8


def _chances(logits: Floats, most: int) -> Floats:
    """Return the chance of each candidate to be among the first `most`, by going through every order there is."""
    weights, chances = np.exp(logits), np.zeros(len(logits))
    for order in itertools.permutations(range(len(logits)), most):
        chance, left = 1.0, weights.sum()
        for one in order:
            chance *= weights[one] / left
            left -= weights[one]
        chances[list(order)] += chance
    return chances


@pytest.mark.parametrize("most", [1, 2, 4])
def test_weighted_draws_have_their_chances(most: int) -> None:
    """Candidates are drawn without replacement in proportion to exp(z): frequencies match the exact chances."""
    scores, draws = np.array([9.0, 7.5, 7.0, 4.0, 1.0]), 4000
    chances = _chances(standardised(scores), most)
    counts = np.zeros(5)
    for i in range(draws):
        counts[draw(_flags(of=5), scores, most, "score-weighted", 3, f"q{i}")] += 1
    errors = np.abs(counts / draws - chances) / np.sqrt(chances * (1 - chances) / draws)
    assert errors.max() < 3.9  # standard errors: five in 0.0005
    assert chances[0] - chances[4] > 10 * np.sqrt(0.25 / draws)  # a uniform draw would be caught


@given(
    st.lists(st.integers(-50, 50), min_size=2, max_size=30),
    st.integers(1, 10),
    st.floats(1e-3, 1e3),
    st.floats(-1e3, 1e3),
    st.integers(0, 1000),
)
def test_weighted_draws_have_no_scale(values: list[int], most: int, factor: float, shift: float, seed: int) -> None:
    """A teacher whose scores are the same but for a positive factor and a constant draws the same negatives."""
    scores, judged = np.array(values, np.float64), _flags(of=len(values))
    moved = factor * scores + shift
    assert standardised(moved) == pytest.approx(standardised(scores), abs=1e-6)
    drawn = draw(judged, scores, most, "score-weighted", seed, "q")
    assert (draw(judged, moved, most, "score-weighted", seed, "q") == drawn).all()


@given(st.floats(-(2.0**99), 2.0**99, width=32), st.integers(1, 40))
def test_equal_scores_have_equal_chances(score: float, count: int) -> None:
    """Where all scores are the same none weighs more, whatever rounding says."""
    assert standardised(_scores([score] * count)).tolist() == [0.0] * count


def test_equal_keys_go_by_index() -> None:
    """A generator that repeats itself leaves candidates of equal weight in their order."""

    class Stuck(np.random.Generator):
        def random(self, size: int) -> Floats:  # type: ignore[override]  # one of the signatures is enough here
            return np.zeros(size)

    stuck = Stuck(np.random.PCG64(1))
    assert weighted_order(np.zeros(4), stuck).tolist() == [0, 1, 2, 3]
