"""Known false negatives: how often positives that are known would have been drawn, had nobody judged them.

Known positives are an optimistic stand-in for the unknown ones: what was judged is easier to tell apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

WINDOWS = ((1, 10), (1, 100), (30, 100))


@dataclass(frozen=True)
class Window:
    """A rank window, both ends included, and what it lets through.

    Attributes:
        min_rank: the first rank.
        max_rank: the last rank.
        draws: how many candidates a row draws.
        rows: training rows, one per (query, positive).
        share: the expected share of rows with another known positive of the query among the draws.
    """

    min_rank: int
    max_rank: int
    draws: int
    rows: int
    share: float


def known_false_negatives(
    query: NDArray[np.int64],
    rank: NDArray[np.int64],
    run_length: NDArray[np.int64],
    windows: Sequence[tuple[int, int]],
    draws: int,
) -> list[Window]:
    """Return for each window the expected share of rows that would hold a known false negative.

    Each positive in turn is taken for the only judged one; ranks are then counted without it, the query's other
    positives stand in the run like any candidate, and `draws` of the window's candidates are drawn at random.

    Args:
        query: [positives] the query of each positive, as an index into `run_length`, ascending.
        rank: [positives] its rank in the run; 0 beyond the run's depth.
        run_length: [queries] how many rows the query's run has.
        windows: first and last rank of each window.
        draws: how many candidates a row draws.
    """
    return [Window(*window, draws, len(query), _share(query, rank, run_length, window, draws)) for window in windows]


def _share(
    query: NDArray[np.int64],
    rank: NDArray[np.int64],
    run_length: NDArray[np.int64],
    window: tuple[int, int],
    draws: int,
) -> float:
    if not len(query):
        return 0.0
    expected = np.zeros(len(query))
    starts = np.flatnonzero(np.diff(query, prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(query)], strict=True):
        if end - start > 1:
            expected[start:end] = _of_query(rank[start:end], int(run_length[query[start]]), window, draws)
    return float(expected.mean())


def _of_query(ranks: NDArray[np.int64], length: int, window: tuple[int, int], draws: int) -> NDArray[np.float64]:
    """Return for each positive of one query the chance that the draws hold another of them."""
    (first, last), own, other = window, ranks[:, None], ranks[None, :]
    counted = other - ((own > 0) & (own < other))
    inside = (other > 0) & (counted >= first) & (counted <= last) & ~np.eye(len(ranks), dtype=bool)
    twins = inside.sum(axis=1)
    width = np.minimum(length - (ranks > 0), last) - first + 1
    drawn = np.arange(draws)[None, :]
    # Drawn without replacement: no draw hits with chance C(width - twins, draws) / C(width, draws).
    left = np.clip(width[:, None] - twins[:, None] - drawn, 0, None) / np.clip(width[:, None] - drawn, 1, None)
    missed = np.where(width[:, None] > drawn, left, 1.0).prod(axis=1)
    return np.where(twins > 0, 1.0 - missed, 0.0)
