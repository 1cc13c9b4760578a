"""Made-up runs: a few queries with candidates of every kind, as arrays and one query at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from embedder import layout, schemas
from embedder.filters import BIT, VERDICTS, Candidates, refusals, verdicts
from embedder.leak.left_out import LeftOut, left_out
from embedder.leak.stored import Part
from embedder.params.models import Filter, Leak

KINDS = ("plain", "positive", "negative", "same_text", "held_out", "near_copy")
# What may refuse a positive, had nobody judged it.
REFUSED = (0, 0, 0, BIT["held_out"], BIT["duplicates_positive"])


@dataclass(frozen=True)
class Query:
    """One query: its run, and positives beyond it.

    Attributes:
        kinds: of each row, by rank.
        scores: of each row, descending.
        refused: of each row the bits that would refuse it if it were a positive left out.
        beyond: the scores of positives beyond the run's depth; None where the teacher gave none.
    """

    kinds: tuple[str, ...]
    scores: tuple[float, ...]
    refused: tuple[int, ...]
    beyond: tuple[float | None, ...]

    @property
    def positives(self) -> list[tuple[int, float, int]]:
        """The rank, 0 beyond depth, the score, NaN for none, and the bits of each positive."""
        rows = zip(self.kinds, self.scores, self.refused, strict=True)
        inside = [(rank, score, bits) for rank, (kind, score, bits) in enumerate(rows, 1) if kind == "positive"]
        return inside + [(0, np.nan if score is None else score, 0) for score in self.beyond]


@st.composite
def _query(draw: st.DrawFn) -> Query:
    kinds = draw(
        st.lists(st.sampled_from(KINDS), max_size=9) | st.lists(st.sampled_from(KINDS[:2]), min_size=5, max_size=9)
    )
    scores = sorted((draw(_SCORES) for _ in kinds), reverse=True)
    refused = [draw(st.sampled_from(REFUSED)) for _ in kinds]
    least = 0 if "positive" in kinds else 1
    beyond = draw(st.lists(st.none() | _SCORES, min_size=least, max_size=2))
    return Query(tuple(kinds), tuple(scores), tuple(refused), tuple(beyond))


# Of few values, so that scores tie; of both signs.
_SCORES = st.sampled_from([-2.0, -1.0, -0.5, 0.25, 1.0, 1.5, 2.0, 3.0])
QUERIES = st.lists(_query(), min_size=1, max_size=4)

MADE_BY = {"teacher": "made-up", "revision": "0" * 40, "depth": "12", "window": "none"}


def leak(draws: int = 2, samples: int = 100) -> Leak:
    """Return a section `leak`."""
    return Leak(draws=draws, sample=0, controls=0, bootstrap_samples=samples, confidence=0.95, seed=7)


def scale_of(queries: Sequence[Query]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Return the known scores of all positives, ascending."""
    scores = np.array([score for query in queries for _, score, _ in query.positives])
    return np.sort(scores[~np.isnan(scores)])


def candidates(query: Query, scale: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> Candidates:
    """Return a query's rows as the filter sees them."""
    kinds, rows = np.array(query.kinds, dtype=object), len(query.kinds)
    scores = np.array([score for _, score, _ in query.positives])
    lowest, highest = (scores.min(), scores.max()) if len(scores) else (np.nan, np.nan)
    is_positive = kinds == "positive"
    return Candidates(
        rank=np.arange(1, rows + 1),
        score=np.array(query.scores, dtype=np.float64),
        positive_score=np.full(rows, lowest),
        highest_score=np.full(rows, highest),
        positives_above=np.cumsum(is_positive) - is_positive,
        is_positive=is_positive,
        is_negative=kinds == "negative",
        same_text=kinds == "same_text",
        held_out=kinds == "held_out",
        near_copy=kinds == "near_copy",
        scale=scale,
    )


def joined(parts: Sequence[Candidates]) -> Candidates:
    """Return the rows of several queries."""
    names = [name for name in vars(parts[0]) if name != "scale"]
    return replace(parts[0], **{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})


def left_of(queries: Sequence[Query], numbers: Sequence[int]) -> LeftOut:
    """Return the positives of queries that are known by these numbers."""
    rows = [(number, *one) for number, query in zip(numbers, queries, strict=True) for one in query.positives]
    return left_out(
        np.array([row[0] for row in rows], dtype=np.int64),
        np.array([row[1] for row in rows], dtype=np.int64),
        np.array([row[2] for row in rows], dtype=np.float64),
        np.array([row[3] for row in rows], dtype=np.int32),
    )


def block(
    queries: Sequence[Query], numbers: Sequence[int], scale: "np.ndarray[tuple[int], np.dtype[np.float64]]"
) -> "tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Candidates, LeftOut]":
    """Return what `Meter.add` takes of some queries, known by `numbers`."""
    of = np.repeat(np.array(numbers, dtype=np.int64), [len(query.kinds) for query in queries])
    return of, joined([candidates(query, scale) for query in queries]), left_of(queries, numbers)


def ids_of(queries: Sequence[Query]) -> list[str]:
    """Return ids in the order of the queries."""
    return [f"q{i:04}" for i in range(len(queries))]


def parts_of(queries: Sequence[Query], rules: Filter) -> list[Part]:
    """Return what is read back of queries that were filtered, one query a part."""
    scale, found = scale_of(queries), []
    for number, query in enumerate(queries):
        of, asked, left = block([query], [number], scale)
        found.append(Part(of, asked, refusals(asked, rules), left))
    return found


def write(folder: Path, queries: Sequence[Query], rules: Filter) -> None:
    """Write what the filter would of these queries as dataset `docs`."""
    ids, grades = pa.array(ids_of(queries), pa.string()), {"positive": 1.0, "negative": 0.0}
    columns: dict[str, list[object]] = {name: [] for name in schemas.CANDIDATES.schema.names}
    for query_id, query, part in zip(ids.to_pylist(), queries, parts_of(queries, rules), strict=True):
        asked, named = part.candidates, [VERDICTS[i] for i in verdicts(part.refused_by)]
        for i, kind in enumerate(query.kinds):
            positive = None if np.isnan(asked.positive_score[i]) else asked.positive_score[i]
            row = (query_id, i + 1, f"{query_id}-{i:03}", asked.score[i], grades.get(kind), positive)
            margin = None if positive is None else positive - asked.score[i]
            for name, value in zip(columns, (*row, margin, named[i], part.refused_by[i]), strict=True):
                columns[name].append(value)
    made = MADE_BY | {"rules": rules.model_dump_json()}
    left = left_of(queries, range(len(queries)))
    passages = pa.array([f"{i:06}" for i in range(len(left.query))], pa.string())
    for table, data in (
        (schemas.CANDIDATES, schemas.build(schemas.CANDIDATES, columns, made)),
        (schemas.LEFT_OUT, schemas.build(schemas.LEFT_OUT, left.table(ids.take(pa.array(left.query)), passages), made)),
    ):
        schemas.write(folder / layout.table("filter", "docs", table.name), table, data)
