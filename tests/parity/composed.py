"""One query's ranking as the rules see it, and parts of it."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedder.filters import Candidates, refusals
from embedder.params.models import Filter
from embedder.ranking import Scored

Ints = NDArray[np.int64]


def ranked(scores: NDArray[np.float32], positives: Sequence[int], depth: int) -> tuple[Ints, Candidates]:
    """Return the `depth` best passages of a query, and what the rules are asked of them.

    Args:
        scores: [passages] the query's.
        positives: its positives, indices.
        depth: positives included.
    """
    scored = Scored(np.arange(len(scores)), scores, np.float32(-np.inf), len(scores))
    best, ranks = (one[:depth] for one in scored.best(depth))
    known = np.sort(scores[list(positives)].astype(np.float64))
    is_positive, no = np.isin(best, positives), np.zeros(len(best), bool)
    return best, Candidates(
        rank=ranks,
        score=scored.of(best).astype(np.float64),
        positive_score=np.full(len(best), known[0]),
        highest_score=np.full(len(best), known[-1]),
        positives_above=np.cumsum(is_positive) - is_positive,
        is_positive=is_positive,
        is_negative=no,
        same_text=no,
        held_out=no,
        near_copy=no,
        scale=known,
    )


def passing(candidates: Candidates, rules: Filter, *names: str) -> Ints:
    """Return which candidates the named rules let pass, or all rules where none is named."""
    return np.flatnonzero(refusals(candidates, rules, *([names] if names else [])) == 0)


def ranked_anew(candidates: Candidates, rows: Ints) -> Candidates:
    """Return some candidates alone, ranked 1, 2, ... in their order."""
    rowwise: dict[str, Any] = {
        one.name: getattr(candidates, one.name)[rows] for one in fields(candidates) if one.name != "scale"
    }
    return Candidates(**(rowwise | {"rank": np.arange(1, len(rows) + 1), "scale": candidates.scale}))
