"""Shares with intervals: a bootstrap of queries that sees each query once, whatever the blocks it comes in.

Every query draws how often it counts in each sample from a Poisson distribution of mean 1, with a generator of its own
(Hanley and MacGibbon 2006, "Creating non-parametric bootstrap samples using Poisson frequencies"): samples are sums, so
that nothing but sums is kept, and a query's draws depend on its id and the seed alone.
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


def shares(parts: Floats, wholes: Floats, queries: NDArray[np.int64], confidence: float) -> Floats:
    """Return shares, and the ends of their percentile intervals: [3, n], NaN where the whole is nothing.

    Where no sample differs from what was observed, as with a share of 0 or 1, samples say nothing; the interval is then
    Wilson's (1927, "Probable inference, the law of succession, and statistical inference") for as many trials as there
    are queries. An interval holds what was observed.

    Args:
        parts: [1 + samples, n] sums as observed and in every sample.
        wholes: [1 + samples, n] what they are parts of.
        queries: [n] how many queries the sums are of.
        confidence: of the intervals.
    """
    found = np.full((3, parts.shape[1]), np.nan)
    known = wholes[0] > 0
    if not known.any():
        return found
    whole = wholes[:, known]
    share = np.divide(parts[:, known], whole, out=np.full(whole.shape, np.nan), where=whole > 0)
    low, high = np.nanquantile(share[1:], [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    alike = low == high
    low[alike], high[alike] = wilson(share[0, alike], queries[known][alike], confidence)
    found[:, known] = share[0], np.minimum(low, share[0]), np.maximum(high, share[0])
    return found


def wilson(share: Floats, trials: NDArray[np.int64], confidence: float) -> tuple[Floats, Floats]:
    """Return the ends of the score interval of shares of independent trials."""
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    spread = z / trials * np.sqrt(share * (1 - share) * trials + z * z / 4)
    middle, scale = share + z * z / (2 * trials), 1 + z * z / trials
    return np.maximum((middle - spread) / scale, 0.0), np.minimum((middle + spread) / scale, 1.0)
