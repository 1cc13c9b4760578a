"""Intervals of shares, and how many labels they take."""

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A share as estimated, and the ends of its two-sided interval."""

    estimate: float
    low: float
    high: float

    def as_json(self) -> dict[str, float]:
        """The three numbers by name."""
        return dict(asdict(self))


def normal_quantile(confidence: float) -> float:
    """Return how many standard errors a two-sided interval reaches."""
    return float(NormalDist().inv_cdf((1 + confidence) / 2))


def wilson(share: float, count: float, confidence: float) -> tuple[float, float]:
    """Return the ends of the score interval (Wilson 1927) of a share of `count`."""
    z = normal_quantile(confidence)
    middle = (share + z * z / (2 * count)) / (1 + z * z / count)
    reach = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def envelope(share: float, sampled: Floats, queries: int, units: int, confidence: float) -> tuple[float, float]:
    """Return the ends of an interval of a share of units that lie in queries: the outer ends of three.

    Percentiles of samples of queries are too short where few queries have what is counted. Wilson's interval, of as many
    independent units as vary like the samples do (Kish 1965: the effective size), takes rare events as such. And one that
    was seen once may not be held for rarer than one that was never seen, of which no more than the number of queries is
    known.

    Args:
        share: as observed.
        sampled: [samples] the share in samples of queries.
        queries: how many there are.
        units: how many there are in all queries.
        confidence: of the interval.
    """
    tail = (1 - confidence) / 2
    spread = float(np.var(sampled))
    effective = min(share * (1 - share) / spread, units) if spread > 0 else queries
    ends = [
        wilson(share, effective, confidence),
        (float(wilson(1, queries, confidence)[0]), wilson(0, queries, confidence)[1]),
    ]
    ends.append((float(np.quantile(sampled, tail)), float(np.quantile(sampled, 1 - tail))))
    return min(low for low, _ in ends), max(high for _, high in ends)


def exact(right: int, count: int, confidence: float) -> Interval:
    """Return the share of `right` in `count` with the exact interval (Clopper and Pearson 1934)."""
    tail = (1 - confidence) / 2
    low = float(betaincinv(right, count - right + 1, tail)) if right else 0.0
    high = float(betaincinv(right + 1, count - right, 1 - tail)) if right < count else 1.0
    return Interval(right / count, low, high)


def needed(share: float, relative: float, confidence: float, sensitivity: float = 1.0, specificity: float = 1.0) -> int:
    """Return how many labels show a share to within plus or minus `relative` of itself.

    With q = share * sensitivity + (1 - share) * (1 - specificity) read by the judge, and z the normal quantile, it is
    z^2 q (1 - q) / (relative * share * (sensitivity + specificity - 1))^2. The judge's errors are taken as known:
    controls come on top.

    Raises:
        ValueError: the share is not above 0, or the judge tells nothing apart.
    """
    power = sensitivity + specificity - 1
    if share <= 0 or power <= 0:
        raise ValueError(f"no number of labels shows a share of {share} through a judge of power {power}")
    read = share * sensitivity + (1 - share) * (1 - specificity)
    return math.ceil(normal_quantile(confidence) ** 2 * read * (1 - read) / (relative * share * power) ** 2)
