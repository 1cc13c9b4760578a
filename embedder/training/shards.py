"""Shards as training reads them: the rows of each dataset, and what their metadata say of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from embedder import schemas
from embedder.errors import StudentError
from embedder.params.recipe import Recipe
from embedder.training.plans import Rows


@dataclass(frozen=True)
class TrainingSet:
    """The rows of one dataset's shards and what their metadata say of it."""

    name: str
    task: str
    weight: float
    instruction: str
    instruct_passages: bool
    rows: pa.Table

    def outline(self, recipe: Recipe) -> Rows:
        """What a plan must know of it."""
        stored = pc.list_value_length(self.rows.column("negative_ids")).to_pylist()
        batch_size = recipe.of(self.name).batch_size or recipe.batch_size
        return Rows(self.weight, self.rows.column("query_id").to_pylist(), stored, batch_size)


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
