"""What ranks passages in evaluation: a model's vectors here, BM25 in `lexical`."""

from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from embedder import search
from embedder.evaluation.dev import DevSet, Ints

Vectors = NDArray[np.float32]
Side = Literal["query", "passage"]
Encoder = Callable[[Sequence[str], Side], Vectors]
"""Texts of one side of a dataset -> unit vectors [n, d] float32."""


class Ranker(Protocol):
    """Scores the passages of a dataset for its dev queries."""

    def top(self, dev: DevSet, k: int) -> Ints:
        """Return [queries, k] indices of the best passages, best first, ties by passage_id; -1 where there is none."""
        ...

    def pairs(self, dev: DevSet, rows: Ints, columns: Ints) -> NDArray[np.float32]:
        """Return the scores [n] of the pairs (dev query rows[i], passage columns[i])."""
        ...


class Dense:
    """Ranks by the cosine of a model's vectors."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder

    def top(self, dev: DevSet, k: int) -> Ints:
        """Search the whole corpus exactly."""
        queries, passages = self.encoder(dev.dev.texts, "query"), self.encoder(dev.passages, "passage")
        return search.exact_top_k(queries, passages, k)[0]

    def pairs(self, dev: DevSet, rows: Ints, columns: Ints) -> NDArray[np.float32]:
        """Encode only the texts that are paired."""
        queries, query_at = np.unique(rows, return_inverse=True)
        passages, passage_at = np.unique(columns, return_inverse=True)
        left = self.encoder([dev.dev.texts[i] for i in queries], "query")
        right = self.encoder([dev.passages[i] for i in passages], "passage")
        return search.pair_scores(left, right, query_at, passage_at)
