"""A teacher whose scores are written down, as a registered kind; and the corpus and queries that go with it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from pydantic import Field

from embedder.params.base import Model
from embedder.params.runtime import Runtime
from embedder.teachers import Block, Corpus, Queries

RUNTIME = Runtime(device="cpu", threads=1)
ALIVE: set[str] = set()
"""Names of the teachers that are built and not yet gone."""
MOST_ALIVE: list[int] = []
"""How many there were whenever one was asked."""


class Options(Model):
    """Scores of each query for each passage, None where a passage is not retrieved.

    Attributes:
        ranked: whether blocks hold the best alone, with their ranks, as a dense teacher's do.
    """

    kind: Literal["table"]
    name: str = "table"
    scores: list[list[float | None]]
    block: Annotated[int, Field(ge=1)] = 2
    ranked: bool = False


class Table:
    """The teacher."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.revision = f"revision of {options.name}"
        ALIVE.add(options.name)

    def __del__(self) -> None:
        ALIVE.discard(self._options.name)

    def score(self, queries: Queries) -> Iterator[Block]:
        """Yield what is written down."""
        MOST_ALIVE.append(len(ALIVE))
        for start in range(0, len(queries.ids), self._options.block):
            end = min(start + self._options.block, len(queries.ids))
            yield self._block([self._row(queries, query) for query in range(start, end)])

    def report(self) -> Mapping[str, object]:
        """Return its name."""
        return {"name": self._options.name}

    def _row(self, queries: Queries, query: int) -> list[tuple[int, float, int]]:
        order = ordered(self._options.scores[query])
        rows = [(passage, score, rank) for rank, (passage, score) in enumerate(order, 1)]
        if not self._options.ranked:
            return sorted(rows)
        most, judged = int(queries.most[query]), set(judged_at(queries, query))
        best = [row for row in rows if row[2] <= most]
        beyond = [(p, s, r if queries.deep else 0) for p, s, r in rows if r > most and p in judged]
        return [*reversed(best), *beyond]

    def _block(self, rows: Sequence[list[tuple[int, float, int]]]) -> Block:
        every = [one for row in rows for one in row]
        return Block(
            np.cumsum([0, *map(len, rows)]),
            np.array([passage for passage, _, _ in every], np.int32),
            np.array([score for _, score, _ in every], np.float32),
            np.full(len(rows), -np.inf, np.float32),
            np.array([rank for _, _, rank in every], np.int64) if self._options.ranked else None,
        )


def build(options: Model, corpus: Corpus, runtime: Runtime) -> Table:
    """Return the teacher."""
    del corpus, runtime
    assert isinstance(options, Options)
    return Table(options)


def ordered(scores: Sequence[float | None]) -> list[tuple[int, float]]:
    """Return (passage, score), best first, ties by index."""
    found = [(passage, score) for passage, score in enumerate(scores) if score is not None]
    return sorted(found, key=lambda one: (-one[1], one[0]))


def table(scores: Sequence[Sequence[float | None]], **changes: object) -> dict[str, Any]:
    """Return a table's entry."""
    return {"kind": "table", "scores": [list(row) for row in scores], **changes}


def corpus(texts: Sequence[str]) -> Corpus:
    """Return a corpus of texts that can be iterated and not indexed, as one on the disk is."""
    return Corpus([f"p{i:03}" for i in range(len(texts))], dict.fromkeys(texts), instruction="Find it.")


def queries(
    texts: Sequence[str], most: int | Sequence[int], judged: Sequence[Sequence[int]] = (), *, deep: bool = False
) -> Queries:
    """Return queries that want `most` passages each."""
    wanted = np.broadcast_to(np.asarray(most, np.int64), len(texts))
    known = [np.array(sorted(one), np.int64) for one in judged]
    return Queries([f"q{i:03}" for i in range(len(texts))], list(texts), wanted, known, deep)


def judged_at(asked: Queries, query: int) -> list[int]:
    """Return the judged passages of a query."""
    return [int(one) for one in asked.judged[query]] if len(asked.judged) else []


Row = dict[int, tuple[float, int]]


class Scorer(Protocol):
    """What is asked of a teacher here."""

    def score(self, queries: Queries) -> Iterator[Block]:
        """Yield the scores of `queries`."""
        ...


def rows(teacher: Scorer, asked: Queries) -> list[Row]:
    """Return (score, rank) by passage, for each query; each block's parts must agree in size."""
    found: list[Row] = []
    for block in teacher.score(asked):
        assert block.ranks is not None
        assert len(block.passages) == len(block.scores) == len(block.ranks) == block.indptr[-1]
        for start, end in zip(block.indptr[:-1], block.indptr[1:], strict=True):
            parts: list[Any] = [block.passages[start:end], block.scores[start:end], block.ranks[start:end]]
            found.append({int(p): (float(s), int(r)) for p, s, r in zip(*parts, strict=True)})
    assert len(found) == len(asked.ids)
    return found
