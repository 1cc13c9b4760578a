"""Tests of embedder.leak.resampling."""

import numpy as np
import pytest

from embedder.leak.resampling import exact, frequencies, shares, wilson


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
    ends = wilson(np.array([share]), np.array([trials]), 0.95)
    assert [float(end[0]) for end in ends] == pytest.approx([low, high], abs=5e-5)


def test_a_share_without_spread_has_wilsons_interval() -> None:
    """Of 0 in 20 queries every sample is 0, which says nothing: the interval reaches 16 %."""
    drawn = frequencies([str(i) for i in range(20)], 200, 1)
    found = shares(drawn.T @ np.zeros((20, 1)), drawn.T @ np.ones((20, 1)), np.array([20]), 0.95)
    assert found[:, 0].tolist() == pytest.approx([0, 0, 0.1611], abs=5e-5)


def test_a_share_of_nothing_is_not_known() -> None:
    """Where the whole is 0 there is neither share nor interval, beside one that there is."""
    drawn = frequencies([str(i) for i in range(50)], 200, 1)
    wholes = np.stack([np.zeros(50), np.ones(50)], axis=1)
    parts = np.stack([np.zeros(50), np.arange(50.0) % 2], axis=1)
    found = shares(drawn.T @ parts, drawn.T @ wholes, np.array([0, 50]), 0.95)
    assert np.isnan(found[:, 0]).all()
    assert found[0, 1] == 0.5
    assert found[1:, 1].tolist() == pytest.approx([0.36, 0.64], abs=0.06)


def test_intervals_cover_as_often_as_they_say() -> None:
    """Of 200 draws of 150 queries with up to three positives each, about 95 % of the intervals hold the truth."""
    generator = np.random.default_rng(5)
    drawn = frequencies([str(i) for i in range(150)], 300, 1)
    covered = 0
    for _ in range(200):
        counts = generator.integers(1, 4, 150)
        # Positives of a query pass together: they are no independent trials.
        passed = counts * (generator.random(150) < 0.2)
        found = shares(drawn.T @ passed[:, None], drawn.T @ counts[:, None].astype(float), np.array([150]), 0.95)
        covered += bool(found[1, 0] <= 0.2 <= found[2, 0])
    assert covered / 200 == pytest.approx(0.95, abs=0.05)
