"""The rules that refuse candidates: each a pure function of all candidates of a dataset; nothing is deleted.

A rank window and margins intersect: a candidate is kept when every rule lets it pass. Judged negatives need no guess
whether they are false, so they skip the window, the scores and the margins.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from embedder.errors import TableError
from embedder.params.models import Filter

Bools = NDArray[np.bool_]
KEEP = "keep"


@dataclass(frozen=True)
class Candidates:
    """The run of a dataset, one entry a row, queries in order, ranks ascending within a query.

    Attributes:
        rank: the rank in the run, positives included; 1 is best.
        score: the teacher's score.
        positive_score: the lowest score of the query's positives; NaN where one has none: then no margin refuses.
        highest_score: the highest score of the query's positives; NaN likewise.
        positives_above: how many positives of the query rank above.
        is_positive: judged relevant.
        is_negative: judged not relevant.
        same_text: the passage is the query's text.
        held_out: the passage is a positive of a dev query.
        near_copy: the passage is a near copy of a positive of the query.
        scale: the scores of all positives of the dataset, ascending: what percentiles are of.
    """

    rank: NDArray[np.int64]
    score: NDArray[np.float64]
    positive_score: NDArray[np.float64]
    highest_score: NDArray[np.float64]
    positives_above: NDArray[np.int64]
    is_positive: Bools
    is_negative: Bools
    same_text: Bools
    held_out: Bools
    near_copy: Bools
    scale: NDArray[np.float64]

    @property
    def margin(self) -> NDArray[np.float64]:
        """How far the score lies below the lowest positive's."""
        return self.positive_score - self.score

    def counted_rank(self, rules: Filter) -> NDArray[np.int64]:
        """The rank that the window is about."""
        return self.rank - (self.positives_above if rules.counted == "without_positives" else 0)


MARGINS = ("absolute_margin", "relative_margin", "percentile_margin")
# The rules that say something of scores.
ON_SCORES = ("max_score", "min_score", "max_score_percentile", "min_score_percentile", *MARGINS)

Rule = Callable[[Candidates, Filter], Bools]


def _before_window(c: Candidates, rules: Filter) -> Bools:
    return _unjudged(c, rules.min_rank, lambda least: c.counted_rank(rules) < least)


def _after_window(c: Candidates, rules: Filter) -> Bools:
    return _unjudged(c, rules.max_rank, lambda most: c.counted_rank(rules) > most)


def _too_high(c: Candidates, rules: Filter) -> Bools:
    return _unjudged(c, score_bounds(rules, c.scale)[0], lambda most: c.score > most)


def _too_low(c: Candidates, rules: Filter) -> Bools:
    return _unjudged(c, score_bounds(rules, c.scale)[1], lambda least: c.score < least)


def _margin(c: Candidates, rules: Filter) -> Bools:
    # With the own positive of each row as reference, a candidate is refused here when no row could have it.
    reference = c.highest_score if rules.reference == "own" else c.positive_score
    return within_margin(c.score, reference, c.scale, rules) & ~c.is_negative


def within_margin(
    score: NDArray[np.float64], positive: NDArray[np.float64], scale: NDArray[np.float64], rules: Filter
) -> Bools:
    """Say which scores any margin refuses as too close to that of a positive; NaN refuses nothing.

    Args:
        score: [n] of candidates.
        positive: [n] of the positive each is compared with.
        scale: the scores of all positives of the dataset, ascending.
        rules: the margins.
    """
    refused = np.zeros(len(score), dtype=bool)
    if rules.absolute_margin is not None:
        refused |= score + rules.absolute_margin > positive
    if rules.relative_margin is not None:
        # |positive| as in sentence-transformers since 2026-06 (#3821): right for negative scores too.
        refused |= score > positive - np.abs(positive) * rules.relative_margin
    if rules.percentile_margin is not None:
        known = ~np.isnan(positive)
        most = percentile(positive, scale) * (1 - rules.percentile_margin)
        refused |= known & (percentile(score, scale) > most)
    return refused


def percentile(score: NDArray[np.float64], scale: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share, 0 to 1, of the ascending `scale` that is no higher than each score; 0 of an empty scale."""
    return np.searchsorted(scale, score, side="right") / max(len(scale), 1)


def score_bounds(rules: Filter, scale: NDArray[np.float64]) -> tuple[float | None, float | None]:
    """Return the highest and the lowest score that may be kept: the stricter of a score and a percentile of `scale`."""
    return (
        _bound(rules.max_score, rules.max_score_percentile, scale, min),
        _bound(rules.min_score, rules.min_score_percentile, scale, max),
    )


def _bound(
    score: float | None, share: float | None, scale: NDArray[np.float64], stricter: Callable[[float, float], float]
) -> float | None:
    if share is None or not len(scale):
        return score
    at = float(np.percentile(scale, share))
    return at if score is None else stricter(score, at)


def _unjudged(c: Candidates, bound: Any, refuses: Callable[[Any], Bools]) -> Bools:  # noqa: ANN401 - any number
    return np.zeros(len(c.rank), dtype=bool) if bound is None else refuses(bound) & ~c.is_negative


# In the order in which the first refusal is named. The judge's rule has its place; the judge stage decides it.
RULES: dict[str, Rule] = {
    "is_positive": lambda c, _: c.is_positive,
    "same_text_as_query": lambda c, _: c.same_text,
    "held_out": lambda c, _: c.held_out,
    "duplicates_positive": lambda c, _: c.near_copy,
    "before_rank_window": _before_window,
    "after_rank_window": _after_window,
    "score_too_high": _too_high,
    "score_too_low": _too_low,
    "margin_too_small": _margin,
    "judge_says_relevant": lambda c, _: np.zeros(len(c.rank), dtype=bool),
}
VERDICTS = (*RULES, KEEP)
BIT = {name: 1 << position for position, name in enumerate(RULES)}

# A refusal for one of these says that a passage is too far, not too close.
_TOO_FAR = BIT["after_rank_window"] | BIT["score_too_low"]


# What the window, the scores and the margins say changes with the settings; what the other rules say does not.
SETTINGS = ("before_rank_window", "after_rank_window", "score_too_high", "score_too_low", "margin_too_small")


def refusals(candidates: Candidates, rules: Filter, names: Iterable[str] = RULES) -> NDArray[np.int32]:
    """Return for each candidate the bit set of every rule, or of those named, that refuses it; bit i is the i-th of `RULES`."""
    refused = np.zeros(len(candidates.rank), dtype=np.int32)
    for name in names:
        refused |= np.where(RULES[name](candidates, rules), BIT[name], 0).astype(np.int32)
    return refused


def verdicts(refused_by: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return for each candidate the index into `VERDICTS` of the first rule that refuses it, or of `keep`."""
    lowest = refused_by & -refused_by
    return np.where(refused_by == 0, len(RULES), np.log2(np.maximum(lowest, 1)).astype(np.int64))


def too_close(refused_by: NDArray[np.int32]) -> Bools:
    """Say which candidates were refused as too close to the query to be its negatives, in a batch either."""
    return np.asarray((refused_by & ~_TOO_FAR) != 0)


def rules_of(made_by: Mapping[str, str], where: str) -> Filter:
    """Return the rules that made a table of candidates, from its metadata.

    Args:
        made_by: the metadata.
        where: the table, for the message.

    Raises:
        TableError: the table says nothing of them, or what this version cannot read.
    """
    try:
        return Filter.model_validate_json(made_by["rules"])
    except (KeyError, ValidationError) as error:
        raise TableError(
            f"{where}: does not say by which rules it was made, as tables of an older version don't; run filter and "
            "judge again (dvc repro)"
        ) from error
