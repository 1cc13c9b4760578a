"""One line a query: how many candidates and positives it has, and how close the closest kept candidate comes."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from embedder.filters import BIT

_NAMES = {
    "query_id": "query_id",
    "kept_count": "found",
    "kept_sum": "kept",
    "copy_sum": "copies",
    "margin_min": "margin",
    "judge_score_max": "judge",
    "passage_id_count": "positives",
    "rank_min": "best",
}

Summary = dict[str, float | None]


def of_candidates(rows: pa.Table) -> dict[str, Summary]:
    """Count each query's candidates: `found`, `kept`, near `copies` refused; of the kept, least `margin`, most `judge`."""
    refused_by = rows["refused_by"].to_numpy()
    kept = pa.array(refused_by == 0)
    columns = {
        "query_id": rows["query_id"],
        "kept": kept.cast(pa.int64()),
        "copy": pa.array((refused_by & BIT["duplicates_positive"]) != 0).cast(pa.int64()),
        "margin": pc.if_else(kept, rows["margin"], None),
        "judge_score": pc.if_else(kept, rows["judge_score"], None),
    }
    wanted = [("kept", "count"), ("kept", "sum"), ("copy", "sum"), ("margin", "min"), ("judge_score", "max")]
    return _of_query(pa.table(columns).group_by("query_id", use_threads=False).aggregate(wanted))


def of_positives(rows: pa.Table) -> dict[str, Summary]:
    """Count each query's `positives`, and give the `best` rank of any of them."""
    wanted = [("passage_id", "count"), ("rank", "min")]
    return _of_query(rows.group_by("query_id", use_threads=False).aggregate(wanted))


def _of_query(table: pa.Table) -> dict[str, Summary]:
    return {str(row["query_id"]): _named(row) for row in table.to_pylist()}


def _named(row: Mapping[str, float | None]) -> Summary:
    return {_NAMES[key]: value for key, value in row.items() if key != "query_id"}
