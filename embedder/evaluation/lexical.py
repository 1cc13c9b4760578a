"""The lexical row: BM25 on the same queries, a yardstick that no training moves."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from embedder import teachers
from embedder.evaluation.dev import DevSet, Ints, Scores
from embedder.evaluation.measuring import RANKED
from embedder.params.base import Model
from embedder.ranking import Scored, scored_queries
from embedder.teachers import Corpus, Queries, Teacher


def measure_lexical(data: DevSet, options: Model) -> Scores:
    """Measure a BM25 on a dataset of a task in `RANKED`."""
    return RANKED[data.task](data, Lexical(partial(teachers.build, options)))


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
