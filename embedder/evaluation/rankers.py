"""What ranks passages in evaluation: a model's vectors, or BM25."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from embedder import search
from embedder.evaluation.dev import DevSet, Ints
from embedder.ranking import Scored, scored_queries
from embedder.teachers import Corpus, Queries, Teacher

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


class Lexical:
    """Ranks by a teacher that indexes a corpus, such as BM25; passages that share no word are not retrieved."""

    def __init__(self, build: Callable[[Corpus], Teacher]) -> None:
        self._build = build

    def top(self, dev: DevSet, k: int) -> Ints:
        """Rank what the teacher retrieves."""
        out = np.full((len(dev.dev.texts), k), -1, dtype=np.int64)
        for row, scored in enumerate(self._score(dev)):
            best = scored.best(k)[0][:k]
            out[row, : len(best)] = best
        return out

    def pairs(self, dev: DevSet, rows: Ints, columns: Ints) -> NDArray[np.float32]:
        """Look the pairs up; a passage that is not retrieved has the floor's score."""
        out = np.zeros(len(rows), dtype=np.float32)
        for row, scored in enumerate(self._score(dev)):
            here = rows == row
            out[here] = scored.of(columns[here])
        return out

    def _score(self, dev: DevSet) -> Iterator[Scored]:
        teacher = self._build(Corpus(dev.passage_ids, dev.passages, dev.language))
        for block in teacher.score(Queries(dev.dev.query_ids, dev.dev.texts)):
            yield from scored_queries(block, len(dev.passages))
