"""Contamination from what a judge said of a sample, corrected for what the judge gets wrong; see `melding`."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from embedder.contamination.melding import Counts, Melded, Share
from embedder.contamination.shares import Interval, exact
from embedder.params.models import Leak

KINDS = ("kept", "positive", "random")
WORDS = (
    "sensitivity is measured on judged positives, which are easier than unjudged ones: contamination may be higher",
    "specificity is measured on random passages, which are easier than mined ones: contamination may be lower",
    "pairs without an answer, as a judge fails or a person is unsure, are taken as missing at random within a stratum",
    "with threshold_percentile sensitivity is measured on the very positives that set the threshold",
)


_BLIND = "the judge cannot tell: it may be no better than chance"
# With fewer, nobody can be told from chance.
_CONTROLS = 10


@dataclass(frozen=True)
class Contamination:
    """The share of unjudged kept candidates that are relevant, as far as a judge's answers tell.

    Attributes:
        asked: of each of `KINDS`, how many pairs were to be labelled, and how many of them got no answer.
        unlabelled: the share of kept candidates in strata without any answer; the others are what is estimated.
        observed: the share that the judge calls relevant, uncorrected.
        sensitivity: P(judge says relevant | known positive).
        specificity: P(judge says not relevant | random passage).
        share: the corrected share, None where it cannot be told.
        resolves: the smallest share that so many labels tell from 0; None where `share` is.
        after_judge: the relevant share of what the judge does not call relevant; None where `share` is.
        cannot_tell: why there is no share; None where there is one.
    """

    asked: dict[str, dict[str, int]]
    unlabelled: float
    observed: Interval | None
    sensitivity: Interval | None
    specificity: Interval | None
    share: Share | None = None
    resolves: float | None = None
    after_judge: Share | None = None
    cannot_tell: str | None = None

    @property
    def upper_only(self) -> bool:
        """Whether no more may be claimed than that the share stays below `share.upper`."""
        if self.share is None or self.resolves is None:
            return False
        return self.share.interval.low <= 0 or self.share.interval.estimate < self.resolves

    @property
    def blind(self) -> bool:
        """Whether controls enough show that the judge may be no better than chance."""
        answered = [self.asked[kind]["labels"] - self.asked[kind]["failed"] for kind in ("positive", "random")]
        return self.cannot_tell == _BLIND and min(answered) >= _CONTROLS

    def as_json(self) -> dict[str, Any]:
        """What report.json says of it."""
        return {
            "asked": self.asked,
            "unlabelled_share": self.unlabelled,
            "observed": self.observed and self.observed.as_json(),
            "sensitivity": self.sensitivity and self.sensitivity.as_json(),
            "specificity": self.specificity and self.specificity.as_json(),
            "contamination": self.share and self.share.interval.as_json(),
            "upper": self.share and self.share.upper,
            "upper_only": self.upper_only,
            "resolves": self.resolves,
            "after_judge": self.after_judge
            and {**self.after_judge.interval.as_json(), "upper": self.after_judge.upper},
            "cannot_tell": self.cannot_tell,
            "words": list(WORDS),
        }


def estimate(labels: pa.Table, settings: Leak) -> Contamination:
    """Estimate contamination.

    Args:
        labels: table `labels`: the sample with the judge's answers. Pairs without one are left out and counted.
        settings: how many draws, at what confidence, by which seed.
    """
    of_kind = {kind: labels.filter(pc.equal(labels["kind"], kind)) for kind in KINDS}
    asked = {kind: {"labels": of.num_rows, "failed": of["relevant"].null_count} for kind, of in of_kind.items()}
    counts, unlabelled = counted(labels)
    errors = (_error(counts, 0, settings), _error(counts, 1, settings))
    found = asked, unlabelled
    if not len(counts.share):
        return Contamination(*found, None, *errors, cannot_tell="no unjudged kept candidate has an answer")
    if not all(counts.controls):
        why = "the judge's errors are not known: no known positive, or no random passage, is labelled"
        return Contamination(*found, None, *errors, cannot_tell=why)
    melded = Melded(counts, settings)
    observed = melded.observed().interval
    if melded.blind:
        return Contamination(*found, observed, *errors, cannot_tell=_BLIND)
    resolves = counts.resolves(settings.confidence)
    return Contamination(*found, observed, *errors, melded.contamination(), resolves, melded.after_judge())


def counted(labels: pa.Table) -> tuple[Counts, float]:
    """Count the answers of table `labels`; and say what share of kept candidates lies in strata without any."""
    answered = labels.filter(pc.is_valid(labels["relevant"]))
    weights, counts = _of_strata(labels, "sum"), _of_strata(answered, "count")
    relevant = _of_strata(answered.filter(answered["relevant"]), "count")
    share = np.array([weights[name] for name in counts])
    missing = sum(weight for name, weight in weights.items() if name not in counts)
    of = {kind: answered.filter(pc.equal(answered["kind"], kind))["relevant"].to_pylist() for kind in KINDS}
    found = Counts(
        share / share.sum() if len(share) else share,
        np.array(list(counts.values()), dtype=np.int64),
        np.array([relevant.get(name, 0) for name in counts], dtype=np.int64),
        (of["positive"].count(True), of["random"].count(False)),
        (len(of["positive"]), len(of["random"])),
    )
    return found, missing / max(sum(weights.values()), 1)


def _error(counts: Counts, which: int, settings: Leak) -> Interval | None:
    """Return sensitivity (0) or specificity (1); None without a label."""
    of = counts.controls[which]
    return exact(counts.right[which], of, settings.confidence) if of else None


def _of_strata(labels: pa.Table, how: str) -> dict[str, float]:
    """Return of each stratum of kept candidates, by name, the sum of the weights or the number of labels."""
    kept = labels.filter(pc.equal(labels["kind"], "kept"))
    grouped = kept.group_by("stratum").aggregate([("weight", how)]).sort_by("stratum")
    return dict(zip(grouped["stratum"].to_pylist(), grouped[f"weight_{how}"].to_pylist(), strict=True))
