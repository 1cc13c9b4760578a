"""Facts about the paired bootstrap."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, spearmanr
from sklearn.metrics import v_measure_score

from embedder.bootstrap import Sampled, average, compare, mean_of, observe, sample, spearman_of, v_measure_of

SEED = (17, "faq")


def _pair(first: np.ndarray, second: np.ndarray, samples: int = 2000) -> Sampled:
    return sample([mean_of(first), mean_of(second)], len(first), samples, SEED)


def _noise(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(n)


def test_a_constant_gain_is_certain() -> None:
    """A gain of 0.1 on every query has the interval [0.1, 0.1], whatever the queries themselves get: it is paired."""
    base = _noise(50)
    found = compare(_pair(base, base + 0.1), 0, 1, 0.95)
    assert [found.low, found.high] == pytest.approx([0.1, 0.1])
    assert found.outcome == "better"


def test_the_interval_is_that_of_the_normal_approximation() -> None:
    """For 400 queries the percentile interval of a mean lies within a tenth of a width of mean +- 1.96 s / sqrt(n)."""
    base, gain = _noise(400), 0.1 + _noise(400, 1)
    found = compare(_pair(base, base + gain, 4000), 0, 1, 0.95)
    half = 1.96 * gain.std(ddof=1) / 20
    assert found.low == pytest.approx(gain.mean() - half, abs=0.1 * half)
    assert found.high == pytest.approx(gain.mean() + half, abs=0.1 * half)


@pytest.mark.parametrize(
    ("gain", "outcome"), [(0.5, "better"), (-0.5, "not better"), (0.0, "not better"), (0.02, "not resolvable here")]
)
def test_three_outcomes(gain: float, outcome: str) -> None:
    """Above 0 is better, at most 0 is not better (no change included), an interval that holds 0 is not resolvable."""
    base = _noise(100)
    spread = 0.0 if gain == 0 else 1.0
    assert compare(_pair(base, base + gain + spread * _noise(100, 4)), 0, 1, 0.95).outcome == outcome


def test_the_n_it_would_take_is_the_textbook_one() -> None:
    """`needed` is ((z_0.975 + z_0.8) s / d)^2 with s the standard deviation of the paired differences."""
    gain = 0.05 + _noise(400, 3)
    found = compare(_pair(_noise(400), _noise(400) + gain, 8000), 0, 1, 0.95)
    textbook = ((norm.ppf(0.975) + norm.ppf(0.8)) * gain.std(ddof=1) / gain.mean()) ** 2
    assert found.needed == pytest.approx(textbook, rel=0.05)
    assert found.resolvable == pytest.approx(abs(found.difference) * math.sqrt(textbook / 400), rel=0.05)


def test_no_difference_needs_no_n() -> None:
    """Two equal models differ by 0, which no number of queries would show."""
    base = _noise(10)
    assert compare(_pair(base, base), 0, 1, 0.95).needed is None


def test_spearman_ranks_every_draw_anew() -> None:
    """The figure of a draw is scipy's Spearman of the drawn pairs."""
    left, right = _noise(30), np.round(_noise(30, 1))
    draws = np.random.default_rng(2).integers(30, size=(5, 30))
    expected = [spearmanr(left[draw], right[draw]).statistic for draw in draws]
    np.testing.assert_allclose(spearman_of(left, right)(draws, None), expected)


def test_v_measure_weighs_scopes_by_the_documents_drawn() -> None:
    """The figure of a draw is the mean of sklearn's V-measure in each scope, weighted by its drawn documents."""
    generator = np.random.default_rng(5)
    labels, clusters, scopes = (generator.integers(n, size=80) for n in (4, 3, 2))
    draws = generator.integers(80, size=(6, 80))
    expected = []
    for draw in draws:
        inside = [draw[scopes[draw] == scope] for scope in (0, 1)]
        expected.append(sum(len(i) * v_measure_score(labels[i], clusters[i]) for i in inside) / 80)
    np.testing.assert_allclose(v_measure_of(labels, clusters[None], scopes)(draws, None), expected)


def test_clusterings_are_drawn_like_documents() -> None:
    """The observed figure is the mean over all clusterings; a sample's is the mean over as many drawn ones."""
    labels = np.array([0, 0, 1, 1])
    perfect, useless = [0, 0, 1, 1], [0, 1, 0, 1]
    statistic = v_measure_of(labels, np.array([perfect, useless]), np.zeros(4, np.int64))
    assert observe(statistic, 4) == pytest.approx(0.5)
    everything = np.tile(np.arange(4), (400, 1))
    drawn = statistic(everything, np.random.default_rng(1))
    assert {round(float(figure), 6) for figure in drawn} == {0.0, 0.5, 1.0}
    assert drawn.mean() == pytest.approx(0.5, abs=0.05)


def test_models_are_measured_on_the_same_draws() -> None:
    """The same values in two models give the same figure in every sample."""
    values = _noise(20)
    drawn = _pair(values, values.copy())
    np.testing.assert_array_equal(drawn.resampled[0], drawn.resampled[1])


def test_draws_depend_on_seed_and_name_alone() -> None:
    """The same seed and name give the same samples; another name gives others."""
    values = [mean_of(_noise(20))]
    once, again, other = (sample(values, 20, 100, (17, name)).resampled for name in ("faq", "faq", "code"))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, other)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 30), st.integers(0, 1000))
def test_the_interval_of_a_mean_holds_it(n: int, seed: int) -> None:
    """For any values the interval's ends are in order and lie within the smallest and largest difference."""
    base, tuned = _noise(n, seed), _noise(n, seed + 1)
    found = compare(_pair(base, tuned, 200), 0, 1, 0.95)
    differences = tuned - base
    assert differences.min() - 1e-9 <= found.low <= found.high <= differences.max() + 1e-9


def test_an_average_of_figures_is_narrower() -> None:
    """The plain mean of two independent figures has their mean difference, and a spread smaller by sqrt(2)."""
    base, gain = _noise(300), _noise(300, 1)
    parts = [sample([mean_of(base), mean_of(base + gain)], 300, 4000, (17, name)) for name in ("faq", "code")]
    alone, both = compare(parts[0], 0, 1, 0.95), compare(average(parts), 0, 1, 0.95)
    assert both.difference == pytest.approx(alone.difference)
    assert alone.resolvable / both.resolvable == pytest.approx(math.sqrt(2), rel=0.1)
