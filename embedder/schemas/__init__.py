"""The Parquet tables stages hand to each other: one declared schema each, checked on write and on read."""

import os
from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from embedder import layout
from embedder.errors import TableError
from embedder.schemas.declared import (
    ALIASES,
    CANDIDATES,
    CORPUS,
    COSINES,
    DROPPED,
    GIVEN,
    JUDGED,
    JUDGED_CANDIDATES,
    JUDGEMENTS,
    LABELS,
    LEFT_OUT,
    MEMBERS,
    PLAN,
    QRELS,
    QUERIES,
    REJECTS,
    RUN,
    SAMPLE,
    SCORES,
    SHARD,
    Table,
)

__all__ = [
    "ALIASES",
    "CANDIDATES",
    "CORPUS",
    "COSINES",
    "DROPPED",
    "GIVEN",
    "JUDGED",
    "JUDGED_CANDIDATES",
    "JUDGEMENTS",
    "LABELS",
    "LEFT_OUT",
    "MEMBERS",
    "PLAN",
    "QRELS",
    "QUERIES",
    "REJECTS",
    "RUN",
    "SAMPLE",
    "SCORES",
    "SHARD",
    "Table",
    "build",
    "check",
    "conform",
    "from_rows",
    "metadata",
    "peek",
    "positives",
    "read",
    "read_ingested",
    "stored",
    "write",
]

_PREFIX = b"embedder."


def build(
    table: Table, columns: Mapping[str, object] | pa.Table, metadata: Mapping[str, str] | None = None
) -> pa.Table:
    """Make a checked, sorted Arrow table of `columns`, with `metadata` in its schema.

    Raises:
        TableError: a column is missing, unknown, of another type, or null where it may not be; or a key repeats.
    """
    data = conform(table, columns)
    data = data.take(pc.sort_indices(data, [(name, "ascending") for name in table.key]))
    _check_key(table, data)
    return data.replace_schema_metadata(stored(metadata))


def stored(metadata: Mapping[str, str] | None) -> dict[bytes, bytes]:
    """Return what a table is to say of itself as Arrow stores it; `metadata` reads it back."""
    return {_PREFIX + k.encode(): v.encode() for k, v in sorted((metadata or {}).items())}


def from_rows(table: Table, rows: Sequence[tuple[object, ...]]) -> pa.Table:
    """Make what `build` makes, of rows in the order of the declared columns."""
    columns = list(zip(*rows, strict=True)) or [()] * len(table.schema)
    return build(table, dict(zip(table.schema.names, map(list, columns), strict=True)))


def conform(table: Table, columns: Mapping[str, object] | pa.Table) -> pa.Table:
    """Make an Arrow table of `columns` in the declared types, in their order.

    Raises:
        TableError: a column is missing, unknown, of another type, or null where it may not be.
    """
    if isinstance(columns, pa.Table):
        columns = {name: columns.column(name) for name in columns.column_names}
    _check_names(table, list(columns), "the table to write")
    arrays = [_column(table, field, columns[field.name]) for field in table.schema]
    data = pa.Table.from_arrays(arrays, schema=table.schema)
    check(table, data, "the table to write")
    return data


def write(path: Path, table: Table, data: pa.Table) -> None:
    """Write what `build` made, whole or not at all, in bytes that depend on nothing but rows and metadata."""
    check(table, data, str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        pq.write_table(data, draft, compression="zstd")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def read(path: Path, table: Table, expect: Mapping[str, str] | None = None, encoded: Sequence[str] = ()) -> pa.Table:
    """Read a table back, checked against its schema and against the metadata it must carry.

    Args:
        path: the file.
        table: what it must be.
        expect: what its metadata must say.
        encoded: paths of text columns (`query`, `negatives.list.element`) that stay dictionary-encoded: where texts
            repeat, it takes a fraction of the memory.

    Raises:
        TableError: the file is missing or unreadable, breaks the schema, or was made by something else than `expect`.
    """
    try:
        data = pq.read_table(path, read_dictionary=list(encoded))
    except FileNotFoundError as error:
        raise TableError(f"{path}: no such table; run the stage that writes it (dvc repro)") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"{path}: not a readable Parquet file ({error}); delete it and run its stage again") from error
    check(table, data, str(path), {one.partition(".")[0] for one in encoded})
    made = metadata(data)
    for key, value in (expect or {}).items():
        if made.get(key) != value:
            raise TableError(f"{path}: made with {key} {made.get(key)!r}, not {value!r}; run its stage again")
    return data


def peek(path: Path, table: Table) -> pa.Table:
    """Return a table without its rows, checked against its schema: for what its metadata says.

    Raises:
        TableError: the file is missing or unreadable, or breaks the schema.
    """
    try:
        empty = pq.read_schema(path).empty_table()
    except FileNotFoundError as error:
        raise TableError(f"{path}: no such table; run the stage that writes it (dvc repro)") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"{path}: not a readable Parquet file ({error}); delete it and run its stage again") from error
    check(table, empty, str(path))
    return empty


def read_ingested(dataset: str) -> tuple[pa.Table, pa.Table, pa.Table]:
    """Read queries, corpus and qrels of a dataset, the three tables most stages start from."""
    return (
        read(layout.table("ingest", dataset, "queries"), QUERIES),
        read(layout.table("ingest", dataset, "corpus"), CORPUS),
        read(layout.table("ingest", dataset, "qrels"), QRELS),
    )


def positives(judged: pa.Table, positive_at: float) -> pa.Table:
    """Return the judgements that make a passage a positive; relevance is float32, so its bound is too."""
    return judged.filter(pc.greater_equal(judged["relevance"], pa.scalar(positive_at, pa.float32())))


def metadata(data: pa.Table) -> dict[str, str]:
    """Return what a table says of how it was made: teacher, revision, depth, window."""
    stored = data.schema.metadata or {}
    return {k.removeprefix(_PREFIX).decode(): v.decode() for k, v in stored.items() if k.startswith(_PREFIX)}


def _column(table: Table, field: pa.Field, values: object) -> pa.ChunkedArray:
    where = f"table '{table.name}', column '{field.name}'"
    given = values.type if isinstance(values, pa.Array | pa.ChunkedArray) else None
    if given is not None and _family(given) not in ("null", _family(field.type)):
        raise TableError(f"{where}: is {given}, not {field.type}")
    try:
        column = values if given is not None else pa.array(values, type=field.type, from_pandas=False)
        return (column if isinstance(column, pa.ChunkedArray) else pa.chunked_array([column])).cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError, UnicodeEncodeError) as error:
        raise TableError(f"{where}: {error}") from error


def _family(kind: pa.DataType) -> str:
    """The kinds of values among which a cast changes the width and nothing else."""
    if pa.types.is_dictionary(kind):
        return _family(kind.value_type)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"list of {_family(kind.value_type)}"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return "text"
    return "number" if pa.types.is_integer(kind) or pa.types.is_floating(kind) else str(kind)


def check(table: Table, data: pa.Table, where: str, encoded: Collection[str] = ()) -> None:
    """Raise a TableError where `data` is not of the declared schema, or null where it may not be.

    Columns in `encoded` may be dictionary-encoded.
    """
    _check_names(table, data.column_names, where)
    for field in table.schema:
        column = data.column(field.name)
        if (_decoded(column.type) if field.name in encoded else column.type) != field.type:
            raise TableError(
                f"{where}: column '{field.name}' of table '{table.name}' is {column.type}, not {field.type}; "
                "run its stage again"
            )
        if column.null_count and not field.nullable:
            raise TableError(
                f"{where}: table '{table.name}', column '{field.name}' has {column.null_count} nulls and may have none"
            )


def _decoded(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_list(kind):
        return pa.list_(_decoded(kind.value_type))
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _check_names(table: Table, names: list[str], where: str) -> None:
    missing = [name for name in table.schema.names if name not in names]
    extra = [name for name in names if name not in table.schema.names]
    if missing or extra:
        raise TableError(f"{where}: table '{table.name}' lacks columns {missing} and has unknown columns {extra}")


def _check_key(table: Table, data: pa.Table) -> None:
    """Rows are sorted by the key, so keys that repeat are neighbours."""
    if not table.unique or data.num_rows < 2:  # noqa: PLR2004 - one row repeats nothing
        return
    equal = [pc.equal(data[name].slice(1), data[name].slice(0, data.num_rows - 1)) for name in table.key]
    twice = pc.indices_nonzero(reduce(pc.and_, equal))
    if len(twice):
        first = data.select(table.key).slice(twice[0].as_py(), 1).to_pylist()[0]
        raise TableError(f"table '{table.name}': {len(twice)} keys repeat, one is {first}")
