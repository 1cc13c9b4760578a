"""A setting to take: the hardest negatives under a stated rate, chosen on half of the queries.

The rate is what training feels: how often a known positive, left out, would be stored and drawn as a negative. A narrow
window lets fewer pass, and draws the more often those that do.

The best of many settings looks better than it is on the queries it was chosen on, so the other half says how good it is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from embedder.leak.kept import Bools, take
from embedder.leak.left_out import LeftOut
from embedder.leak.pass_through import Meter
from embedder.leak.resampling import effective, wilson
from embedder.leak.rows import Row
from embedder.leak.settings import Setting
from embedder.leak.stored import Part, known_scores
from embedder.leak.strata import ALL
from embedder.params.models import Leak, Materialize
from embedder.seeds import rng

Sampling = Literal["top", "random", "score-weighted"]


@dataclass(frozen=True)
class Suggestion:
    """What was chosen, and what there was to choose from.

    Attributes:
        chosen: None where no setting is under the rate.
        row: the chosen setting on the queries that it was not chosen on.
        current: the setting in force on the same.
        chosen_on: how many queries it was chosen on.
        tried: how many settings.
        not_identifiable: how many of them no positive could be asked about: margins, where each query has one positive.
        short: how many of the others leave too many queries with too few candidates.
        nearest: of what leaves enough, the row with the lowest upper end, on the queries that choose.
        least: the upper end of the interval, had nothing passed: above the rate where positives are too few.
    """

    chosen: Setting | None
    row: Row | None
    current: Row | None
    chosen_on: int
    tried: int
    not_identifiable: int
    short: int
    nearest: Row | None
    least: float


def suggest(
    parts: Iterable[Part],
    query_ids: Sequence[str],
    left: LeftOut,
    settings: Sequence[Setting],
    leak: Leak,
    needed: Materialize,
    rate: float,
) -> Suggestion:
    """Choose the setting with the hardest negatives that surely draws known positives less often than `rate`.

    Drawn as `needed.sampling` does it; score-weighted draws are taken for random ones. Surely: the upper end of its interval is no higher. It must also leave `needed.min_negatives` candidates of all but
    `needed.max_dropped_share` of the queries. The half that chooses has percentiles of its own, so that nothing of the
    other half is in the choice.

    Args:
        parts: the dataset, block by block.
        query_ids: the mined queries, sorted.
        left: all positives of the dataset.
        settings: the current one first.
        leak: draws, and how intervals are made.
        needed: what materialize needs and stores of a query.
        rate: the highest share of known positives that may be drawn.
    """
    half = halves(query_ids, leak.seed)
    choosing, reporting = (Meter(settings, leak, needed.num_negatives, query_ids, None) for _ in range(2))
    scale = known_scores(left.take(half[left.query]))
    for part in parts:
        chosen = of_queries(part, half)
        choosing.add(chosen.of, replace(chosen.candidates, scale=scale), chosen.left)
        rest = of_queries(part, ~half)
        reporting.add(rest.of, rest.candidates, rest.left)
    rows, report = all_positives(choosing), all_positives(reporting)
    enough = choosing.at_least(needed.min_negatives) >= 1 - needed.max_dropped_share
    best = choose(rows, enough, rate, needed.sampling)
    asked = [row for row, one in zip(rows, enough, strict=False) if one and row.high is not None]
    identifiable = sum(row.high is not None for row in rows)
    return Suggestion(
        chosen=None if best is None else settings[best],
        row=None if best is None or not report else report[best],
        current=report[0] if report else None,
        chosen_on=int(half.sum()),
        tried=len(settings),
        not_identifiable=len(rows) - identifiable,
        short=identifiable - len(asked),
        nearest=min(asked, key=lambda row: drawn(row, needed.sampling)[2] or 0.0, default=None),
        least=_least(left.take(half[left.query]), leak.confidence),
    )


def drawn(row: Row, sampling: Sampling) -> tuple[float | None, float | None, float | None]:
    """Return how often a known positive is drawn, and the interval of it."""
    if sampling == "top":
        return row.drawn_top, row.drawn_top_low, row.drawn_top_high
    return row.drawn_random, row.drawn_random_low, row.drawn_random_high


def choose(rows: Sequence[Row], enough: Bools, rate: float, sampling: Sampling) -> int | None:
    """Return which setting is hardest of those under the rate, the first of equals; None: none is.

    Args:
        rows: one a setting, of all positives.
        enough: [settings] whether each leaves enough candidates.
        rate: the highest upper end.
        sampling: how negatives are drawn.
    """

    def merit(i: int) -> tuple[float, float]:
        hardness = rows[i].hardness_top if sampling == "top" else rows[i].hardness
        return -(hardness or 0.0), drawn(rows[i], sampling)[0] or 0.0

    ends = [drawn(row, sampling)[2] for row in rows]
    under = [i for i, high in enumerate(ends) if enough[i] and high is not None and high <= rate]
    return min(under, key=merit, default=None)


def halves(query_ids: Sequence[str], seed: int) -> Bools:
    """Say which queries choose; a query's half depends on its id and the seed alone."""
    return np.array([rng(seed, "suggestion", query_id).integers(2) == 1 for query_id in query_ids], dtype=bool)


def of_queries(part: Part, chosen: Bools) -> Part:
    """Return what a part has of the chosen queries: [queries of the dataset]."""
    rows = chosen[part.of]
    left = part.left.take(chosen[part.left.query])
    return Part(part.of[rows], take(part.candidates, rows), part.refused_by[rows], left)


def all_positives(meter: Meter) -> list[Row]:
    """Return one row a setting; none of no positive."""
    return [row for row in meter.rows() if row.stratum == ALL]


def _least(left: LeftOut, confidence: float) -> float:
    """Return where an interval would end, had none of these positives passed."""
    counts = np.bincount(left.query).astype(np.float64)
    trials = effective(counts.sum(keepdims=True), np.square(counts).sum(keepdims=True))
    _, high = wilson(np.zeros(1), np.maximum(trials, 1.0), confidence)
    return float(high[0])
