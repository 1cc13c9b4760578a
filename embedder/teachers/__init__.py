"""Teachers score passages for queries. Adding one: one module with `Options` and `build`, one line below."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from embedder.params.base import Model, module

TEACHERS = {
    "bm25": "embedder.teachers.bm25",
    "bm25-reference": "embedder.teachers.bm25_reference",
    "given": "embedder.teachers.given",
}


@dataclass(frozen=True)
class Queries:
    """What is asked, one entry a query."""

    ids: Sequence[str]
    texts: Sequence[str]


@dataclass(frozen=True)
class Corpus:
    """What is ranked, one entry a passage, sorted by id.

    Attributes:
        ids: the passage_ids.
        texts: the joined texts.
        language: ISO 639 code; None: words between blanks, as they are.
        given: the table of the run that came with the source, None where none did.
    """

    ids: Sequence[str]
    texts: Sequence[str]
    language: str | None
    given: Path | None


@dataclass(frozen=True)
class Block:
    """The scores of consecutive queries, in CSR form: a passage that is not stored is not retrieved.

    Attributes:
        indptr: [queries + 1] where each query's passages start.
        passages: [n] indices into the corpus.
        scores: [n] float32, larger is better.
        floor: [queries] the score of a passage that is not stored; -inf where nobody knows it.
    """

    indptr: NDArray[np.int64]
    passages: NDArray[np.int32]
    scores: NDArray[np.float32]
    floor: NDArray[np.float32]


class Teacher(Protocol):
    """A scorer of one corpus."""

    revision: str
    """What fixes its scores: a commit or a content hash."""

    def score(self, queries: Queries) -> Iterator[Block]:
        """Yield the scores of all `queries` in order, block by block."""
        ...


class TeacherModule(Protocol):
    """What a teacher's module has."""

    Options: type[Model]

    @staticmethod
    def build(options: Model, corpus: Corpus) -> Teacher:
        """Index `corpus`.

        Raises:
            TeacherError: the corpus cannot be indexed, or an engine is not installed.
        """
        ...


def build(options: Model, corpus: Corpus) -> Teacher:
    """Index `corpus` with the teacher that `options` describe.

    Raises:
        TeacherError: the corpus cannot be indexed, or an engine is not installed.
    """
    chosen = cast("TeacherModule", module(TEACHERS, "kind", str(getattr(options, "kind", ""))))
    return chosen.build(options, corpus)
