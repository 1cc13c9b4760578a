"""The share of relevant candidates behind a judge's answers, with intervals that cover.

The judge calls a share q of the kept candidates relevant. With its sensitivity se and its specificity sp, q = p * se +
(1 - p) * (1 - sp), so p = (q + sp - 1) / (se + sp - 1) (Rogan and Gladen 1978). All three are counted in samples, and all
three are drawn anew, many times, for the interval.

Plain resampling says nothing of counts of 0, and its percentiles cover too little where shares are small. So each share is
drawn from its confidence distributions: x of n from Beta(x, n - x + 1) for the lower end, which is as low as the counts
allow, and from Beta(x + 1, n - x) for the upper one; the ends of p are percentiles of p reckoned from the draws of the
right side (melding: Fay, Proschan and Brittain 2015; of prevalence in surveys: Bayer, Fay and Graubard 2023). Alone, each
gives the exact interval of Clopper and Pearson, and of 0 in n the rule of three.

q is drawn stratum by stratum, with n - 1 for n labels as in the bootstrap of stratified samples (Rao and Wu 1988). The one
event that is put in is shared out among the strata, most of it where the sample says least, by W^2 / n (the stratum's share
squared over its labels): a whole one in each of 20 strata would add more than there is to find.

Pairs were drawn, not queries, and what is asked is the share of the pairs there are. That several pairs share a query
therefore changes nothing. Nothing is taken off for a sample that is a large part of them: the judge errs anew each time.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from embedder.contamination.shares import Interval, normal_quantile
from embedder.params.models import Leak
from embedder.seeds import rng

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Side = Literal["low", "high"]


@dataclass(frozen=True)
class Counts:
    """A judge's answers.

    Attributes:
        share: [strata] what share of the kept candidates each stratum is; sums to 1.
        answered: [strata] how many of it have an answer, at least 1.
        relevant: [strata] how many of these the judge calls relevant.
        right: of known positives and of random passages, how many the judge gets right.
        controls: how many of them have an answer.
    """

    share: Floats
    answered: Ints
    relevant: Ints
    right: tuple[int, int]
    controls: tuple[int, int]

    @property
    def observed(self) -> float:
        """The share of kept candidates that the judge calls relevant (Horvitz and Thompson 1952)."""
        return float(self.share @ (self.relevant / self.answered))

    @property
    def errors(self) -> tuple[float, float]:
        """Sensitivity and specificity as observed."""
        return self.right[0] / self.controls[0], self.right[1] / self.controls[1]

    @property
    def estimate(self) -> float:
        """Rogan and Gladen's estimate, within 0 and 1."""
        sensitivity, specificity = self.errors
        return float(np.clip((self.observed + specificity - 1) / (sensitivity + specificity - 1), 0, 1))

    def unseen(self, chance: float) -> float:
        """Return the largest share of which so many labels would hold none with `chance`; at 5 % about 3 / n."""
        return float(1 - chance ** np.sum(self.share**2 / self.answered))

    def resolves(self, confidence: float) -> float:
        """Return the smallest share that so many labels tell from 0: z standard errors of the estimate at 0."""
        sensitivity, specificity = (
            (right + 0.5) / (of + 1) for right, of in zip(self.right, self.controls, strict=True)
        )
        per_label = float(np.sum(self.share**2 / self.answered)) + 1 / self.controls[1]
        error = float(np.sqrt(specificity * (1 - specificity) * per_label))
        return normal_quantile(confidence) * error / (sensitivity + specificity - 1)


@dataclass(frozen=True)
class Share:
    """A share with its two-sided interval, and what it stays below with the same confidence."""

    interval: Interval
    upper: float


class Melded:
    """What may be true, given the answers, drawn many times for each end."""

    def __init__(self, counts: Counts, settings: Leak) -> None:
        self._counts, self._settings = counts, settings
        generator = rng(settings.seed, "contamination")
        self._sides = {side: _Drawn(counts, side, settings.bootstrap_samples, generator) for side in ("low", "high")}

    @property
    def blind(self) -> bool:
        """Whether the judge may be no better than chance."""
        tail = (1 - self._settings.confidence) / 2
        return any(np.mean(drawn.power <= 0) > tail for drawn in self._sides.values())

    def observed(self) -> Share:
        """Return the share that the judge calls relevant."""
        return self._share(self._counts.observed, {side: drawn.read for side, drawn in self._sides.items()}, 1.0)

    def contamination(self) -> Share:
        """Return the share that is relevant."""
        return self._share(self._counts.estimate, {side: drawn.corrected for side, drawn in self._sides.items()}, 1.0)

    def after_judge(self) -> Share:
        """Return the share that is relevant among what the judge does not call so: p (1 - se) / (1 - q)."""
        counts = self._counts
        estimate = _left(np.array(counts.estimate), np.array(counts.errors[0]), np.array(counts.observed))
        missed = float(np.quantile(self._sides["high"].missed, self._settings.confidence))
        return self._share(float(estimate), {side: drawn.left for side, drawn in self._sides.items()}, missed)

    def _share(self, estimate: float, draws: dict[str, Floats], part: float) -> Share:
        """Return the percentiles of both sides; `part`: of what no label may show, how much counts.

        A judge that by chance was wrong less often here than among the controls may leave nothing at all. But no sample
        can say less than that its labels might have held none: 3 / n.
        """
        confidence, unseen = self._settings.confidence, self._counts.unseen
        tail = (1 - confidence) / 2
        low, high = float(np.quantile(draws["low"], tail)), float(np.quantile(draws["high"], 1 - tail))
        upper = float(np.quantile(draws["high"], confidence))
        interval = Interval(estimate, min(low, estimate), max(high, estimate, part * unseen(tail)))
        return Share(interval, max(upper, estimate, part * unseen(1 - confidence)))


class _Drawn:
    """Draws for one end; for the lower one, of fewer relevant, more errors taken for relevant, and a sharper judge.

    Attributes:
        read: [draws] the share of kept candidates that the judge calls relevant.
        power: [draws] sensitivity + specificity - 1.
        corrected: [draws] the share that is relevant; all or nothing where the judge tells nothing apart.
        left: [draws] the same of what the judge does not call relevant.
        missed: [draws] the share of the relevant that the judge misses.
    """

    def __init__(self, counts: Counts, side: Side, draws: int, generator: np.random.Generator) -> None:
        more = 1.0 if side == "high" else 0.0
        self.read = _read(counts, more, draws, generator)
        (found, positives), (right, others) = zip(counts.right, counts.controls, strict=True)
        sensitivity = _beta(found + 1 - more, positives - found + more, (draws,), generator)
        specificity = _beta(right + more, others - right + 1 - more, (draws,), generator)
        self.power, self.missed = sensitivity + specificity - 1, 1 - sensitivity
        with np.errstate(divide="ignore", invalid="ignore"):
            corrected = np.clip((self.read + specificity - 1) / self.power, 0, 1)
        self.corrected = np.where(self.power > 0, corrected, more)
        self.left = _left(self.corrected, sensitivity, self.read)


def _read(counts: Counts, more: float, draws: int, generator: np.random.Generator) -> Floats:
    """Draw the share of kept candidates that the judge calls relevant, with `more` relevant and 1 - `more` others."""
    least = counts.share**2 / counts.answered
    event = least / least.sum()
    scale = (counts.answered - 1) / counts.answered
    relevant = counts.relevant * scale + event * more
    others = (counts.answered - counts.relevant) * scale + event * (1 - more)
    return np.asarray(_beta(relevant, others, (draws, len(event)), generator) @ counts.share, dtype=np.float64)


def _beta(of: Floats | float, against: Floats | float, size: tuple[int, ...], generator: np.random.Generator) -> Floats:
    """Draw from Beta(of, against); of nothing at all it is 0 or 1."""
    tiny = 1e-9
    return np.asarray(generator.beta(np.maximum(of, tiny), np.maximum(against, tiny), size=size), dtype=np.float64)


def _left(share: Floats, sensitivity: Floats, read: Floats) -> Floats:
    """Return the relevant share of what is not called relevant; 0 where nothing is left."""
    kept = np.maximum(1 - read, np.finfo(np.float64).tiny)
    return np.asarray(np.where(read < 1, np.minimum(share * (1 - sensitivity) / kept, 1.0), 0.0), dtype=np.float64)
