"""Paired bootstrap (Efron and Tibshirani 1993): how sure a difference between two models is."""

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from embedder import metrics

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Statistic = Callable[[Ints, np.random.Generator | None], Floats]
"""Draws [samples, n] of indices of n units -> the figure [samples] of each draw.

The generator draws whatever else was left to chance; None takes everything as observed.
"""
Outcome = Literal["better", "not better", "not resolvable here"]

_POWER = 0.8
_DRAWS = 2_000_000


@dataclass(frozen=True)
class Sampled:
    """A figure of several models on the same units, as observed and in every bootstrap sample.

    Attributes:
        units: how many queries, pairs or documents were drawn from.
        observed: [models].
        resampled: [models, samples]; one column is one draw, the same for all models.
    """

    units: int
    observed: Floats
    resampled: Floats


@dataclass(frozen=True)
class Comparison:
    """A difference, second model less first, and what can be said of it.

    Attributes:
        difference: as observed.
        low: the lower end of its percentile interval.
        high: the upper end.
        outcome: "better" where the interval lies above 0, "not better" where it does not reach above 0.
        resolvable: the smallest true difference that as many units would show with 80 % power.
        needed: how many units would show the observed difference with 80 % power; None where it is 0.
    """

    difference: float
    low: float
    high: float
    outcome: Outcome
    resolvable: float
    needed: int | None


def mean_of(values: Floats) -> Statistic:
    """The mean of per-unit values [n]."""
    return lambda draws, _: np.asarray(values[draws].mean(axis=1), dtype=np.float64)


def spearman_of(left: Floats, right: Floats) -> Statistic:
    """Spearman's correlation of pairs: left [n] and right [n] are drawn together and ranked anew."""
    return lambda draws, _: metrics.spearman(left[draws], right[draws])


def v_measure_of(labels: Ints, clusterings: Ints, scopes: Ints) -> Statistic:
    """The mean V-measure of clusterings that differ by chance, within each scope, weighted by its documents.

    Documents are drawn with the clusters they have, and the clusterings are drawn too.

    Args:
        labels: [n] codes from 0.
        clusterings: [runs, n] codes from 0.
        scopes: [n] codes.
    """

    def statistic(draws: Ints, generator: np.random.Generator | None) -> Floats:
        figures = np.stack([_v_measures(labels, clusters, scopes, draws) for clusters in clusterings], axis=1)
        if generator is not None:
            figures = np.take_along_axis(figures, generator.integers(len(clusterings), size=figures.shape), axis=1)
        return np.asarray(figures.mean(axis=1), dtype=np.float64)

    return statistic


def sample(statistics: Sequence[Statistic], units: int, samples: int, seed: tuple[int, str]) -> Sampled:
    """Draw `samples` times `units` of the units with replacement; every model is measured on the same draws.

    Args:
        statistics: one figure for each model.
        units: how many units there are, at least 1.
        samples: how many draws.
        seed: the seed and the name of what is drawn, so that a dataset's draws do not depend on other datasets.
    """
    generator = np.random.default_rng((seed[0], zlib.crc32(seed[1].encode())))
    step = max(1, _DRAWS // units)
    parts = []
    for start in range(0, samples, step):
        draws = generator.integers(units, size=(min(step, samples - start), units))
        chances = generator.spawn(len(statistics))
        parts.append(
            np.stack([statistic(draws, chance) for statistic, chance in zip(statistics, chances, strict=True)])
        )
    observed = np.array([observe(statistic, units) for statistic in statistics])
    return Sampled(units, observed, np.concatenate(parts, axis=1))


def observe(statistic: Statistic, units: int) -> float:
    """Return the figure of all units, each once."""
    return float(statistic(np.arange(units, dtype=np.int64)[None], None)[0])


def average(parts: Sequence[Sampled]) -> Sampled:
    """The plain mean of figures that were drawn independently."""
    return Sampled(
        sum(part.units for part in parts),
        np.mean([part.observed for part in parts], axis=0),
        np.mean([part.resampled for part in parts], axis=0),
    )


def compare(sampled: Sampled, first: int, second: int, confidence: float) -> Comparison:
    """Compare model `second` with model `first`.

    The spread s of the difference over the draws stands for its standard error; for a mean, s * sqrt(units) is the
    standard deviation of the paired differences. With z the normal quantiles of (1 + confidence) / 2 and of 80 %,
    summed, a paired test shows a difference of z * s with 80 % power, and one of size d with units * (z * s / d)^2.
    """
    difference = float(sampled.observed[second] - sampled.observed[first])
    spread = sampled.resampled[second] - sampled.resampled[first]
    low, high = (float(end) for end in np.quantile(spread, [(1 - confidence) / 2, (1 + confidence) / 2]))
    quantiles = NormalDist().inv_cdf((1 + confidence) / 2) + NormalDist().inv_cdf(_POWER)
    resolvable = float(quantiles * spread.std(ddof=1))
    needed = math.ceil(sampled.units * (resolvable / difference) ** 2) if difference else None
    return Comparison(difference, low, high, _outcome(low, high), resolvable, needed)


def _outcome(low: float, high: float) -> Outcome:
    if low > 0:
        return "better"
    return "not better" if high <= 0 else "not resolvable here"


def _v_measures(labels: Ints, clusters: Ints, scopes: Ints, draws: Ints) -> Floats:
    high, wide = int(labels.max()) + 1, int(clusters.max()) + 1
    total = np.zeros(len(draws))
    for scope in np.unique(scopes):
        # Documents of other scopes fall into one cell more, which is cut off.
        cells = np.where(scopes == scope, labels * wide + clusters, high * wide)
        counts = _count(cells[draws], high * wide + 1)[:, :-1]
        total += metrics.v_measure(counts.reshape(-1, high, wide)) * counts.sum(axis=1)
    return np.asarray(total / draws.shape[1], dtype=np.float64)


def _count(cells: Ints, width: int) -> Ints:
    """Count every row's cells: [samples, n] with values below `width` -> [samples, width]."""
    offset = np.arange(len(cells), dtype=np.int64)[:, None] * width
    return np.bincount((cells + offset).ravel(), minlength=len(cells) * width).reshape(len(cells), width)
