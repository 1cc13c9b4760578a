"""Made-up tables and params for tests: short to write, and in the declared schemas."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from embedder import schemas
from embedder.params.base import Model
from embedder.params.models import Dataset, Filter, Materialize

MADE_BY = {"teacher": "made-up", "revision": "0" * 40, "depth": "100"}

_FILTER: dict[str, Any] = {
    "min_rank": None,
    "max_rank": None,
    "counted": "without_positives",
    "max_score": None,
    "min_score": None,
    "max_score_percentile": None,
    "min_score_percentile": None,
    "absolute_margin": None,
    "relative_margin": None,
    "percentile_margin": None,
    "reference": "lowest",
    "near_copy_jaccard": None,
    "near_copy_size": 2,
    "near_copy_cosine": None,
}
_MATERIALIZE: dict[str, Any] = {
    "num_negatives": 4,
    "min_negatives": 1,
    "sampling": "top",
    "max_reuse": None,
    "positives_per_query": 4,
    "on_shortage": "drop",
    "max_dropped_share": 1.0,
    "decontaminate_jaccard": None,
    "shard_rows": 100,
    "seed": 1,
}
_ENTRY: dict[str, Any] = {
    "instruction": "Find it",
    "instruct_passages": False,
    "language": "en",
    "licence": "CC0-1.0",
    "path": "somewhere",
    "positive_at": 1.0,
    "negative_at": 0.0,
    "weight": 1.0,
    "ingest": {},
    "filter": {},
}


def rules(**changes: object) -> Filter:
    """Return a filter section with every rule off but those in `changes`."""
    return Filter.model_validate(_FILTER | changes)


def settings(**changes: object) -> Materialize:
    """Return a materialize section that takes the best four and drops nobody."""
    return Materialize.model_validate(_MATERIALIZE | changes)


def entry(task: str = "retrieval", **changes: object) -> Dataset:
    """Return a dataset's entry; a label task is in label mode."""
    mode = "label" if task in ("classification", "clustering") else None
    return Dataset.model_validate(_ENTRY | {"task": task, "label_mode": mode, "source": Model()} | changes)


def queries(
    train: Mapping[str, str], dev: Mapping[str, str] | None = None, labels: Mapping[str, list[str]] | None = None
) -> pa.Table:
    """Return the table `queries` of query_id -> text."""
    texts = {**train, **(dev or {})}
    columns = {
        "query_id": list(texts),
        "text": list(texts.values()),
        "split": ["train"] * len(train) + ["dev"] * len(dev or {}),
        "group_id": list(texts),
        "labels": [labels.get(query) for query in texts] if labels else [None] * len(texts),
    }
    return schemas.build(schemas.QUERIES, columns)


def corpus(texts: Mapping[str, str]) -> pa.Table:
    """Return the table `corpus` of passage_id -> text, without titles."""
    columns = {"passage_id": list(texts), "title": [""] * len(texts), "text": list(texts.values())}
    return schemas.build(schemas.CORPUS, columns)


def qrels(rows: Iterable[tuple[str, str, float]]) -> pa.Table:
    """Return the table `qrels` of (query_id, passage_id, relevance)."""
    return schemas.build(schemas.QRELS, _columns(schemas.QRELS, list(rows)))


def run(rows: Iterable[tuple[str, int, str, float]]) -> pa.Table:
    """Return the table `run` of (query_id, rank, passage_id, score)."""
    return schemas.build(schemas.RUN, _columns(schemas.RUN, list(rows)), MADE_BY)


def judged(rows: Iterable[tuple[str, str, float, float | None, int | None]]) -> pa.Table:
    """Return the table `judged` of (query_id, passage_id, relevance, score, rank)."""
    return schemas.build(schemas.JUDGED, _columns(schemas.JUDGED, list(rows)), MADE_BY)


def judgements(
    judged: pa.Table, relabelled: Iterable[tuple[str, str]] = (), scores: Mapping[tuple[str, str], float] | None = None
) -> pa.Table:
    """Return the table `judged` as the judge stage hands it on: pairs it relabelled, and its scores by pair."""
    pairs = list(zip(*judged.select(["query_id", "passage_id"]).to_pydict().values(), strict=True))
    made, known = set(relabelled), scores or {}
    columns = {name: judged[name] for name in judged.column_names}
    columns |= {
        "judge_score": pa.array([known.get(pair) for pair in pairs], pa.float32()),
        "relabelled": pa.array([pair in made for pair in pairs], pa.bool_()),
    }
    return schemas.build(schemas.JUDGEMENTS, columns, schemas.metadata(judged))


def passed_on(candidates: pa.Table) -> pa.Table:
    """Return the filter's candidates as the judge stage hands them on without a judge."""
    unasked = pa.nulls(candidates.num_rows, pa.float32())
    columns = {name: candidates[name] for name in candidates.column_names}
    columns |= {"judge_score": unasked, "positive_judge_score": unasked}
    return schemas.build(schemas.JUDGED_CANDIDATES, columns, schemas.metadata(candidates))


def ints(*values: int) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """Return an array of int64."""
    return np.array(values, dtype=np.int64)


def _columns(table: schemas.Table, rows: Sequence[tuple[object, ...]]) -> dict[str, list[object]]:
    return {name: [row[i] for row in rows] for i, name in enumerate(table.schema.names)}
