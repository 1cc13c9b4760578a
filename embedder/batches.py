"""Shards to batches: the texts of a planned batch, each once, and which passage counts for which query."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder import schemas
from embedder.errors import StudentError
from embedder.plans import Batch, Rows
from embedder.texts import normalise

# Elsewhere another row's positive is as likely right as wrong: two queries of one label.
IN_BATCH = frozenset({"retrieval", "reranking", "sts"})


@dataclass(frozen=True)
class TrainingSet:
    """The rows of one dataset's shards and what their metadata say of it."""

    name: str
    task: str
    weight: float
    instruction: str
    instruct_passages: bool
    rows: pa.Table

    def outline(self) -> Rows:
        """What a plan must know of it."""
        stored = pc.list_value_length(self.rows.column("negative_ids")).to_pylist()
        return Rows(self.weight, self.rows.column("query_id").to_pylist(), stored)


@dataclass(frozen=True)
class Texts:
    """One batch, ready to be encoded.

    Attributes:
        queries: [rows] one a row.
        passages: [passages] distinct, positives and negatives of all rows, sorted by id.
        targets: [rows] the column of each row's positive.
        allowed: [rows, passages] whether the passage counts for the query.
    """

    queries: list[str]
    passages: list[str]
    targets: NDArray[np.int64]
    allowed: NDArray[np.bool_]


def read_shards(folder: Path) -> list[TrainingSet]:
    """Read every dataset that has shards in `folder`, sorted by name.

    Raises:
        StudentError: there are no shards, or shards of one dataset disagree on what it is.
        TableError: a shard is not what its schema says.
    """
    paths = sorted(folder.glob("*.parquet"))
    if not paths:
        raise StudentError(f"{folder}: no shards to train on; run `python -m stages.materialize`")
    found: dict[str, list[pa.Table]] = {}
    for path in paths:
        table = schemas.read(path, schemas.SHARD)
        found.setdefault(schemas.metadata(table).get("dataset", path.stem), []).append(table)
    return [_training_set(name, tables, folder) for name, tables in sorted(found.items())]


def compose(training_set: TrainingSet, batch: Batch) -> Texts:
    """Look up the texts of a planned batch; passages are distinct by id, which within a dataset is by text."""
    rows = training_set.rows.take(pa.array(batch.rows)).to_pylist()
    passages = _passages(rows, batch.negatives)
    column = {passage_id: index for index, passage_id in enumerate(passages)}
    allowed = _in_batch(rows, passages) if training_set.task in IN_BATCH else np.zeros((len(rows), len(passages)), bool)
    for index, (row, chosen) in enumerate(zip(rows, batch.negatives, strict=True)):
        if training_set.task not in IN_BATCH:
            allowed[index, [column[row["negative_ids"][i]] for i in chosen]] = True
        masked = [column[one] for one in {*row["positive_ids"], *row["masked_ids"]} if one in column]
        allowed[index, masked] = False
        allowed[index, column[row["positive_id"]]] = True
    targets = np.array([column[row["positive_id"]] for row in rows], dtype=np.int64)
    return Texts([row["query"] for row in rows], list(passages.values()), targets, allowed)


def _in_batch(rows: Sequence[Mapping[str, Any]], passages: Mapping[str, str]) -> NDArray[np.bool_]:
    """Every passage but one that says the query itself: where queries are passages too, another row may bring it."""
    queries = np.array([normalise(row["query"]) for row in rows], dtype=object)
    texts = np.array([normalise(text) for text in passages.values()], dtype=object)
    different: NDArray[np.bool_] = queries[:, None] != texts[None, :]
    return different


def _passages(rows: Sequence[Mapping[str, Any]], negatives: Iterable[Sequence[int]]) -> dict[str, str]:
    found = {row["positive_id"]: row["positive"] for row in rows}
    for row, chosen in zip(rows, negatives, strict=True):
        found |= {row["negative_ids"][i]: row["negatives"][i] for i in chosen}
    return dict(sorted(found.items()))


def _training_set(name: str, tables: Sequence[pa.Table], folder: Path) -> TrainingSet:
    said = [schemas.metadata(table) for table in tables]
    keys = ("task", "weight", "instruction", "instruct_passages")
    for key in keys:
        if len({one.get(key) for one in said}) > 1 or key not in said[0]:
            raise StudentError(f"{folder}: the shards of '{name}' disagree on {key} or lack it; materialize them again")
    first = said[0]
    rows = pa.concat_tables([table.replace_schema_metadata(None) for table in tables])
    weight, passages = float(first["weight"]), first["instruct_passages"] == "true"
    return TrainingSet(name, first["task"], weight, first["instruction"], passages, rows)
