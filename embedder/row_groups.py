"""Parquet tables written and read in a stream: bounded memory, and bytes that don't depend on where batches end."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from embedder import schemas
from embedder.errors import TableError

STEP = 1024
MAX_ROWS = 64 * STEP
MAX_BYTES = 48 * 2**20


def write(
    path: Path, table: schemas.Table, batches: Iterable[pa.RecordBatch], metadata: Mapping[str, str] | None = None
) -> None:
    """Write batches that are sorted by the table's key, whole or not at all.

    Raises:
        TableError: a batch breaks the schema.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    schema = table.schema.with_metadata(schemas.stored(metadata))
    try:
        with pq.ParquetWriter(draft, schema, compression="zstd") as writer:
            for group in row_groups(table, batches):
                writer.write_table(group.replace_schema_metadata(schema.metadata))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def row_groups(table: schemas.Table, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Cut batches into tables of at most MAX_ROWS rows and about MAX_BYTES, at multiples of STEP rows."""
    waiting, taken = table.schema.empty_table(), 0
    for batch in batches:
        waiting = pa.concat_tables([waiting, schemas.conform(table, pa.Table.from_batches([batch]))])
        while waiting.num_rows - taken >= STEP:
            taken += STEP
            if taken >= MAX_ROWS or waiting.slice(0, taken).nbytes >= MAX_BYTES:
                yield waiting.slice(0, taken).combine_chunks()
                waiting, taken = waiting.slice(taken), 0
    if waiting.num_rows:
        yield waiting.combine_chunks()


def read(path: Path, table: schemas.Table, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Read some columns batch by batch, checked against the table's schema first.

    Raises:
        TableError: the file is missing or unreadable, or breaks the schema.
    """
    try:
        with pq.ParquetFile(path) as file:
            schemas.check(table, file.schema_arrow.empty_table(), str(path))
            yield from file.iter_batches(STEP, columns=list(columns))
    except FileNotFoundError as error:
        raise TableError(f"{path}: no such table; run the stage that writes it (dvc repro)") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"{path}: not a readable Parquet file ({error}); delete it and run its stage again") from error


def whole_queries(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Put batches that are sorted by query together, to tables of about `rows` rows that end with a query."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= rows:
            table = pa.Table.from_batches(waiting)
            cut = pc.index(table["query_id"], table["query_id"][-1]).as_py()
            if cut:
                yield table.slice(0, cut)
                waiting = table.slice(cut).to_batches()
    if sum(map(len, waiting)):
        yield pa.Table.from_batches(waiting)
