"""Shares with intervals: a bootstrap of queries that sees each query once, whatever the blocks it comes in.

Every query draws how often it counts in each sample from a Poisson distribution of mean 1, with a generator of its own
(Hanley and MacGibbon 2006, "Creating non-parametric bootstrap samples using Poisson frequencies"): samples are sums, so
that nothing but sums is kept, and a query's draws depend on its id and the seed alone. Rare events need more than samples:
Wilson's interval (1927, "Probable inference, the law of succession, and statistical inference") with an effective number
of trials, as in surveys (Franco et al. 2019, "Comparative study of confidence intervals for proportions in complex sample
surveys", who recommend it and find that a variance reckoned from the sample alone is too small).
"""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from embedder.seeds import rng

Floats = NDArray[np.float64]

_STEP = 2.0**24


def exact(values: Floats) -> Floats:
    """Round to a multiple of 2^-24, so that sums of up to 2^29 have no rounding and don't depend on their order."""
    return np.asarray(np.round(values * _STEP) / _STEP)


def frequencies(query_ids: Sequence[str], samples: int, seed: int) -> Floats:
    """Return how often each query counts: [queries, 1 + samples], as observed (once) and in every sample."""
    drawn = np.ones((len(query_ids), 1 + samples))
    for row, query_id in zip(drawn, query_ids, strict=True):
        row[1:] = rng(seed, "leak", query_id).poisson(1.0, samples)
    return drawn


def effective(weights: Floats, squares: Floats) -> Floats:
    """Return how many queries of equal weight are worth as much: at most as many as there are; 0 of nothing.

    It is Kish's number (1965, "Survey Sampling", 8.2): (sum of weights)^2 / sum of squared weights.

    Args:
        weights: [n] sums over queries.
        squares: [n] sums over queries of the squares.
    """
    return np.divide(weights**2, squares, out=np.zeros(len(weights)), where=squares > 0)


def shares(parts: Floats, wholes: Floats, trials: Floats, confidence: float) -> Floats:
    """Return shares, and the ends of their intervals: [3, n], NaN where the whole is nothing.

    An interval is the envelope of two, and holds what was observed: of the percentiles of the samples, and Wilson's for
    share * (1 - share) / variance of the samples independent trials, but no more than `trials`. Where few queries hold
    what is counted, percentiles alone end too early: of 3.5 expected in 100 to 1000 queries the upper end is too low 10
    times in 100 where it should be 2.5 times, and lower for one query that counts than Wilson's for none. With both it
    is too low at most 2 times, and it never falls when more queries count (tests/leak/test_resampling.py). Parts that
    count by a chance below 1 vary less than trials would, so that of few their interval is wider than it need be.

    Args:
        parts: [1 + samples, n] sums as observed and in every sample.
        wholes: [1 + samples, n] what they are parts of.
        trials: [n] the effective number of queries. Where one of many positives weighs as much as a hundred others, the
            samples know of it only if it happens to count, so that their variance is not enough.
        confidence: of the intervals.
    """
    found = np.full((3, parts.shape[1]), np.nan)
    known = wholes[0] > 0
    if not known.any():
        return found
    whole = wholes[:, known]
    share = np.divide(parts[:, known], whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    low, high = np.nanquantile(share[1:], [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    least, most = wilson(share[0], _trials(share, trials[known]), confidence)
    found[:, known] = share[0], np.minimum.reduce([low, least, share[0]]), np.maximum.reduce([high, most, share[0]])
    return found


def _trials(share: Floats, most: Floats) -> Floats:
    """Return how many independent trials have the variance of the samples: at least 1; `most` where there is none."""
    variance = np.nanvar(share[1:], axis=0)
    alike = np.divide(share[0] * (1 - share[0]), variance, out=most.copy(), where=variance > 0)
    return np.asarray(np.clip(alike, 1.0, most))


def wilson(share: Floats, trials: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Return the ends of the score interval of shares of independent trials."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    spread = z / trials * np.sqrt(share * (1 - share) * trials + z * z / 4)
    middle, scale = share + z * z / (2 * trials), 1 + z * z / trials
    return np.maximum((middle - spread) / scale, 0.0), np.minimum((middle + spread) / scale, 1.0)
