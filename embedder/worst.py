"""The kept candidates that are most likely false negatives: those nobody looked at first, the closest to a positive first."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder.filters import KEEP, percentile

COLUMNS = ("query_id", "rank", "passage_id", "score", "relevance", "positive_score", "verdict")
JUDGE = "judge_score"
# Worst first: what stands near its positive; what has no positive that the teacher knows; what a judge called not relevant.
_CLOSE, _UNKNOWN, _JUDGED = 0, 1, 2
# A positive among the lowest tenth was not found by the teacher: to stand near it says nothing.
_FOUND_FROM = 0.1
_FOUND = pa.schema(
    [
        ("query_id", pa.string()),
        ("rank", pa.int32()),
        ("passage_id", pa.string()),
        ("order", pa.int8()),
        ("value", pa.float64()),
    ]
)
_ORDER = [("order", "ascending"), ("value", "descending"), ("query_id", "ascending"), ("passage_id", "ascending")]


def worst(
    batches: Iterable[pa.RecordBatch], scale: NDArray[np.float64], most: int, *, final: bool = False
) -> list[tuple[str, int]]:
    """Find the kept candidates that are most likely relevant, one a query; passages that somebody graded are left out.

    First come those that no judge scored, by how near they are to their query's lowest positive on the scale of the
    dataset: percentile of the candidate less percentile of the positive, highest first; then those whose positive has no
    score, or one among the lowest tenth of all positives', by their own percentile. Last come those that a judge scored, which was below its threshold, as they are kept:
    the highest score first. Ties go by ids.

    Args:
        batches: rows of table `candidates` with COLUMNS, and with JUDGE where a judge has run; at no time more than a
            batch and `most` rows are held.
        scale: the scores of the dataset's positives, ascending.
        most: how many are wanted.
        final: whether the judge is not doubted, as a person is not: what it scored is left out.

    Returns:
        query_id and rank of each.
    """
    found = _FOUND.empty_table()
    for batch in batches:
        found = pa.concat_tables([found, _measured(pa.Table.from_batches([batch]), scale, final=final)])
        found = _first_of_each(found.take(pc.sort_indices(found, _ORDER))).slice(0, most)
    return list(zip(found["query_id"].to_pylist(), found["rank"].to_pylist(), strict=True))


def _measured(rows: pa.Table, scale: NDArray[np.float64], *, final: bool) -> pa.Table:
    rows = rows.filter(pc.and_(pc.equal(rows["verdict"], KEEP), pc.is_null(rows["relevance"])))
    if final and JUDGE in rows.column_names:
        rows = rows.filter(pc.is_null(rows[JUDGE]))
    asked = _floats(rows[JUDGE]) if JUDGE in rows.column_names else np.full(rows.num_rows, np.nan)
    positive, near = _floats(rows["positive_score"]), percentile(_floats(rows["score"]), scale)
    reached = percentile(positive, scale)
    unknown = np.isnan(positive) | (reached <= _FOUND_FROM)
    near -= np.where(unknown, 0.0, reached)
    judged = ~np.isnan(asked)
    order = np.where(judged, _JUDGED, np.where(unknown, _UNKNOWN, _CLOSE))
    columns = [rows[name] for name in _FOUND.names[:3]]
    return pa.table([*columns, order, np.where(judged, asked, near)], schema=_FOUND)


def _first_of_each(found: pa.Table) -> pa.Table:
    """Keep the first row of each query: a positive that scores badly has everything near it, and would fill the list."""
    codes = found["query_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    return found.take(pa.array(np.sort(np.unique(codes, return_index=True)[1])))


def _floats(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.asarray(pc.fill_null(column, np.nan).to_numpy(), dtype=np.float64)
