"""Teachers score passages for queries. Adding one: one module with `Options` and `build`, one line below."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from embedder.params.base import Model, module

TEACHERS = {
    "bm25": "embedder.teachers.bm25",
    "bm25-reference": "embedder.teachers.bm25_reference",
}


@dataclass(frozen=True)
class Block:
    """The scores of consecutive queries, in CSR form: a passage that is not stored is not retrieved.

    Attributes:
        start: the index of the first query.
        indptr: [queries + 1] where each query's passages start.
        passages: [n] indices into the corpus.
        scores: [n] float32, larger is better.
        floor: [queries] the score of a passage that is not stored.
    """

    start: int
    indptr: NDArray[np.int64]
    passages: NDArray[np.int32]
    scores: NDArray[np.float32]
    floor: NDArray[np.float32]


class Teacher(Protocol):
    """A scorer of one corpus."""

    revision: str
    """What fixes its scores: a commit or a content hash."""

    def score(self, queries: Sequence[str]) -> Iterator[Block]:
        """Yield the scores of all `queries` in order, block by block."""
        ...


class TeacherModule(Protocol):
    """What a teacher's module has."""

    Options: type[Model]

    @staticmethod
    def build(options: Model, corpus: Sequence[str]) -> Teacher:
        """Index `corpus`, the joined texts of passages sorted by passage_id.

        Raises:
            TeacherError: the corpus cannot be indexed, or an engine is not installed.
        """
        ...


def build(options: Model, corpus: Sequence[str]) -> Teacher:
    """Index `corpus` with the teacher that `options` describe.

    Raises:
        TeacherError: the corpus cannot be indexed, or an engine is not installed.
    """
    chosen = cast("TeacherModule", module(TEACHERS, "kind", str(getattr(options, "kind", ""))))
    return chosen.build(options, corpus)
