"""Tests of embedder.leak.resampling."""

import numpy as np
import pytest
from scipy.stats import binom

from embedder.leak.resampling import effective, exact, frequencies, shares, wilson


def test_a_querys_draws_depend_on_its_id_alone() -> None:
    """Whatever the other queries are, and in whatever order; another seed draws otherwise."""
    both = frequencies(["a", "b"], 50, 3)
    assert np.array_equal(frequencies(["b"], 50, 3)[0], both[1])
    assert not np.array_equal(frequencies(["b"], 50, 4)[0], both[1])
    assert both[:, 0].tolist() == [1, 1]


def test_frequencies_are_poisson() -> None:
    """Mean and variance are 1."""
    drawn = frequencies([str(i) for i in range(200)], 500, 1)[:, 1:]
    assert drawn.mean() == pytest.approx(1, abs=0.02)
    assert drawn.var() == pytest.approx(1, abs=0.03)


def test_exact_sums_do_not_depend_on_their_order() -> None:
    """Shares that have no end in binary are rounded so that any order gives the same sum."""
    values = exact(1 / np.arange(1.0, 2000.0))
    assert abs(values - 1 / np.arange(1.0, 2000.0)).max() < 1e-7
    assert sum(values.tolist()) == sum(values[::-1].tolist())


@pytest.mark.parametrize(
    ("share", "trials", "low", "high"),
    # Of Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
    [
        (81 / 263, 263, 0.2553, 0.3662),
        (15 / 148, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1 / 29, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_is_that_of_the_books(share: float, trials: int, low: float, high: float) -> None:
    """The four examples by which intervals of a proportion are compared."""
    ends = wilson(np.array([share]), np.array([float(trials)]), 0.95)
    assert [float(end[0]) for end in ends] == pytest.approx([low, high], abs=5e-5)


def test_a_share_without_spread_has_wilsons_interval() -> None:
    """Of 0 in 20 queries every sample is 0, which says nothing: the interval reaches 16 %."""
    drawn = frequencies([str(i) for i in range(20)], 200, 1)
    found = shares(drawn.T @ np.zeros((20, 1)), drawn.T @ np.ones((20, 1)), np.array([20.0]), 0.95)
    assert found[:, 0].tolist() == pytest.approx([0, 0, 0.1611], abs=5e-5)


def test_a_share_of_nothing_is_not_known() -> None:
    """Where the whole is 0 there is neither share nor interval, beside one that there is."""
    drawn = frequencies([str(i) for i in range(50)], 200, 1)
    wholes = np.stack([np.zeros(50), np.ones(50)], axis=1)
    parts = np.stack([np.zeros(50), np.arange(50.0) % 2], axis=1)
    found = shares(drawn.T @ parts, drawn.T @ wholes, np.array([0.0, 50.0]), 0.95)
    assert np.isnan(found[:, 0]).all()
    assert found[0, 1] == 0.5
    assert found[1:, 1].tolist() == pytest.approx([0.36, 0.64], abs=0.06)


def _counting(queries: int, most: int, samples: int) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]]":
    """Return share and interval where none, one, two ... up to `most` of the queries' only positives pass."""
    drawn = frequencies([str(i) for i in range(queries)], samples, 1)
    passed = np.tri(most + 1, queries, -1).T
    return shares(drawn.T @ passed, drawn.T @ np.ones(passed.shape), np.full(most + 1, float(queries)), 0.95)


@pytest.mark.parametrize("samples", [100, 1000])
@pytest.mark.parametrize("queries", [20, 60, 400])
def test_more_that_pass_never_lower_an_end(queries: int, samples: int) -> None:
    """Of as many queries, one more that lets its positive through raises both ends or leaves them."""
    _, low, high = _counting(queries, min(queries, 60), samples)
    assert (np.diff(low) >= 0).all()
    assert (np.diff(high) >= 0).all()


def test_one_that_passes_says_more_than_none() -> None:
    """Of 60 queries: none reaches to 6.0 %, as for Wilson, and one to 8.9 %, where percentiles end at 5.7 %."""
    assert _counting(60, 1, 1000)[2].tolist() == pytest.approx([0.0602, 0.0886], abs=2e-3)


@pytest.mark.parametrize(
    ("queries", "share"), [(60, 0.058), (60, 0.1), (100, 0.035), (400, 0.009), (400, 0.02), (1000, 0.0035)]
)
def test_the_upper_end_of_a_rare_share_is_above_it(queries: int, share: float) -> None:
    """Over all numbers of queries that may let one through, weighed by their chance, it misses in less than 4 %."""
    most = min(queries, 40)
    high = _counting(queries, most, 400)[2]
    counts = np.arange(most + 1)
    assert binom.sf(most, queries, share) < 1e-6
    assert binom.pmf(counts, queries, share)[high < share].sum() < 0.04


@pytest.mark.parametrize(
    ("kind", "share"), [("alike", 0.2), ("alike", 0.02), ("geometric", 0.2), ("geometric", 0.02), ("heavy", 0.05)]
)
def test_intervals_cover_as_often_as_they_say(kind: str, share: float) -> None:
    """Positives of a query pass together, and some queries have many: of 400 draws, 95 % of the intervals hold the truth."""
    generator = np.random.default_rng(5)
    sizes = {
        "alike": generator.integers(1, 4, 150),
        "geometric": generator.geometric(0.3, 150),
        "heavy": np.minimum(generator.zipf(1.8, 150), 50),
    }
    counts = sizes[kind].astype(float)
    drawn = frequencies([str(i) for i in range(150)], 300, 1)
    passed = counts[:, None] * (generator.random((150, 400)) < share)
    trials = effective(counts.sum(keepdims=True), np.square(counts).sum(keepdims=True)).repeat(400)
    wholes = np.repeat(drawn.T @ counts[:, None], 400, axis=1)
    _, low, high = shares(drawn.T @ passed, wholes, trials, 0.95)
    assert np.mean((low <= share) & (share <= high)) > 0.93
    assert np.mean(share <= high) > 0.955


def test_queries_count_as_much_as_they_weigh() -> None:
    """Equal ones count in full, one that outweighs the others counts as little more than one; nothing counts as nothing."""
    weights = np.array([[2.0, 2.0, 2.0, 2.0], [100.0, 1.0, 1.0, 1.0], [0.0] * 4])
    found = effective(weights.sum(axis=1), np.square(weights).sum(axis=1))
    assert found.tolist() == pytest.approx([4, 1.0606, 0], abs=1e-4)
