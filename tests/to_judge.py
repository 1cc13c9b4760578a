"""Made-up tables for a judge, and its scores of pairs."""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from embedder import schemas
from embedder.asked import Asked, Tables
from embedder.filters import BIT, KEEP
from tests import tables

Pair = tuple[str, str]


def candidates(rows: list[tuple[str, int, str, float | None, str]]) -> pa.Table:
    """Return candidates of (query_id, rank, passage_id, relevance, verdict)."""
    columns: dict[str, list[object]] = {name: [] for name in schemas.CANDIDATES.schema.names}
    for query, rank, passage, relevance, verdict in rows:
        refused_by = 0 if verdict == KEEP else BIT[verdict]
        for name, value in zip(
            columns, (query, rank, passage, 9.0 - rank, relevance, 5.0, 1.0, verdict, refused_by), strict=True
        ):
            columns[name].append(value)
    return schemas.build(schemas.CANDIDATES, columns, tables.MADE_BY)


def sample(rows: list[tuple[str, str, str]]) -> pa.Table:
    """Return a sample of (query_id, passage_id, kind)."""
    return schemas.from_rows(schemas.SAMPLE, [(query, passage, kind, kind, 2.0) for query, passage, kind in rows])


def two_queries() -> Tables:
    """Two queries: q1 has two positives and four kept candidates, one a judged negative; q2 one positive and one kept."""
    rows = candidates(
        [
            ("q1", 1, "a", 1.0, "is_positive"),
            ("q1", 2, "b", None, "duplicates_positive"),
            ("q1", 3, "c", None, KEEP),
            ("q1", 4, "d", 0.0, KEEP),
            ("q1", 5, "e", None, KEEP),
            ("q1", 6, "f", 0.5, KEEP),
            ("q2", 1, "c", 1.0, "is_positive"),
            ("q2", 2, "a", None, KEEP),
        ]
    )
    judged = tables.judged(
        [
            ("q1", "a", 1.0, 8.0, 1),
            ("q1", "d", 0.0, 5.0, 4),
            ("q1", "f", 0.5, 3.0, 6),
            ("q1", "z", 2.0, None, None),
            ("q2", "c", 1.0, 8.0, 1),
        ]
    )
    drawn = sample([("q1", "f", "kept"), ("q2", "c", "positive"), ("q2", "e", "random")])
    return Tables(rows, judged, drawn, 1.0, 0.0)


def pairs(asked: Asked) -> list[Pair]:
    """Return query_id and passage_id of what is asked about."""
    return list(zip(asked.pairs["query_id"].to_pylist(), asked.pairs["passage_id"].to_pylist(), strict=True))


def scores(asked: Asked, known: Mapping[Pair, float]) -> NDArray[np.float32]:
    """Return the scores of what is asked about, NaN where none is known."""
    return np.array([known.get(pair, np.nan) for pair in pairs(asked)], np.float32)
