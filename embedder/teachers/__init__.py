"""Teachers score passages for queries. Adding one: one module with `Options` and `build`, one line below."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from embedder.params.base import Model, module
from embedder.params.runtime import Runtime

TEACHERS = {
    "bm25": "embedder.teachers.bm25",
    "bm25-reference": "embedder.teachers.bm25_reference",
    "cross-encoder": "embedder.teachers.cross_encoder",
    "endpoint": "embedder.teachers.endpoint",
    "fusion": "embedder.teachers.fusion",
    "dense": "embedder.teachers.dense",
    "given": "embedder.teachers.given",
    "multi-vector": "embedder.teachers.multi_vector",
    "sparse": "embedder.teachers.sparse",
}


@dataclass(frozen=True)
class Queries:
    """What is asked, one entry a query.

    Attributes:
        ids: the query_ids.
        texts: their texts.
        most: [queries] how many of the best passages are wanted of each; a teacher may give more.
        judged: the judged passages of each, ascending indices into the corpus, whose scores are wanted in any case.
        deep: whether the ranks of judged passages are wanted however deep they lie.
        everything: whether all passages are wanted, also those that a teacher does not retrieve: they are labels.
    """

    ids: Sequence[str]
    texts: Sequence[str]
    most: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    judged: Sequence[NDArray[np.int64]] = ()
    deep: bool = False
    everything: bool = False


@dataclass(frozen=True)
class Corpus:
    """What is ranked, one entry a passage, sorted by id, and what a teacher must know of its dataset.

    Attributes:
        ids: the passage_ids.
        texts: the joined texts; may be read more than once, and need not be in memory.
        language: ISO 639 code; None: words between blanks, as they are.
        given: the table of the run that came with the source, None where none did.
        instruction: the dataset's sentence.
        instruct_passages: whether passages are read with the instruction too.
    """

    ids: Sequence[str]
    texts: Collection[str]
    language: str | None = None
    given: Path | None = None
    instruction: str = ""
    instruct_passages: bool = False


@dataclass(frozen=True)
class Places:
    """Where one member of a fusion has each stored passage of a block.

    Attributes:
        ranks: [n] 1 is best, 0 where the member did not retrieve the passage.
        scores: [n] float32, the member's own; 0 where it did not retrieve it.
    """

    ranks: NDArray[np.int32]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class Block:
    """The scores of consecutive queries, in CSR form: a passage that is not stored is not retrieved.

    Attributes:
        indptr: [queries + 1] where each query's passages start.
        passages: [n] indices into the corpus.
        scores: [n] float32, larger is better.
        floor: [queries] the score of a passage that is not stored; -inf where nobody knows it.
        ranks: [n] the rank of each in the whole corpus, ties by index; 0 where it is not known (only of a judged
            passage that is not among the best). None where the stored passages and the floor tell it.
        members: of a fusion, where each teacher has the passages; empty else.
    """

    indptr: NDArray[np.int64]
    passages: NDArray[np.int32]
    scores: NDArray[np.float32]
    floor: NDArray[np.float32]
    ranks: NDArray[np.int64] | None = None
    members: Mapping[str, Places] = field(default_factory=dict)


class Teacher(Protocol):
    """A scorer of one corpus."""

    @property
    def revision(self) -> str:
        """What fixes its scores: a commit or a content hash."""
        ...

    def score(self, queries: Queries) -> Iterator[Block]:
        """Yield the scores of all `queries` in order, block by block."""
        ...

    def report(self) -> Mapping[str, object]:
        """Return what report.json should say of the scoring that is done: no clock, no host."""
        ...


Cosines = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.float32]]
"""left [n], right [n] indices into the corpus -> [n] the cosine of each pair of passages. Fewer distinct ones are right."""


@runtime_checkable
class ComparesPassages(Protocol):
    """A teacher that may have vectors of the passages."""

    def cosines(self) -> Mapping[str, Cosines]:
        """Return what compares passages, for each member of a fusion that has vectors; alone a teacher is called "".

        To be asked for when the scoring is done: vectors that are not stored then are not made.
        """
        ...


class TeacherModule(Protocol):
    """What a teacher's module has."""

    Options: type[Model]

    @staticmethod
    def build(options: Model, corpus: Corpus, runtime: Runtime) -> Teacher:
        """Index `corpus`.

        Raises:
            TeacherError: the corpus cannot be indexed, or an engine is not installed.
        """
        ...


def build(options: Model, corpus: Corpus, runtime: Runtime | None = None) -> Teacher:
    """Index `corpus` with the teacher that `options` describe.

    Raises:
        TeacherError: the corpus cannot be indexed, or an engine is not installed.
    """
    chosen = cast("TeacherModule", module(TEACHERS, "kind", str(getattr(options, "kind", ""))))
    return chosen.build(options, corpus, runtime or Runtime())


def cosines(teacher: Teacher) -> Mapping[str, Cosines]:
    """Return what compares passages by the vectors that a teacher, or each member of it, made of them: may be nothing."""
    return teacher.cosines() if isinstance(teacher, ComparesPassages) else {}
