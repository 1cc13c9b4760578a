"""The Parquet tables stages hand to each other: one declared schema each, checked on write and on read."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from embedder import layout
from embedder.errors import TableError

_PREFIX = b"embedder."
_STRINGS = pa.list_(pa.string())


@dataclass(frozen=True)
class Table:
    """A table's columns and the key that its rows are sorted by and, where `unique`, no two rows share."""

    name: str
    key: tuple[str, ...]
    schema: pa.Schema
    unique: bool = True


def _table(name: str, key: str, *columns: tuple[str, pa.DataType] | pa.Field, unique: bool = True) -> Table:
    fields = [c if isinstance(c, pa.Field) else pa.field(*c, nullable=False) for c in columns]
    return Table(name, tuple(key.split()), pa.schema(fields), unique)


_ID = (("query_id", pa.string()), ("passage_id", pa.string()))
_RUN = (
    ("query_id", pa.string()),
    ("rank", pa.int32()),
    ("passage_id", pa.string()),
    ("score", pa.float32()),
)
_CANDIDATES = (
    *_RUN,
    pa.field("relevance", pa.float32()),
    # Null where a positive has no score: a run that came with the source need not hold it.
    pa.field("positive_score", pa.float32()),
    pa.field("margin", pa.float32()),
    ("verdict", pa.string()),
    ("refused_by", pa.int32()),
)

QUERIES = _table(
    "queries",
    "query_id",
    ("query_id", pa.string()),
    ("text", pa.string()),
    ("split", pa.string()),
    ("group_id", pa.string()),
    pa.field("labels", _STRINGS),
)
CORPUS = _table("corpus", "passage_id", ("passage_id", pa.string()), ("title", pa.string()), ("text", pa.string()))
QRELS = _table("qrels", "query_id passage_id", *_ID, ("relevance", pa.float32()))
ALIASES = _table("aliases", "kind id", ("kind", pa.string()), ("id", pa.string()), ("merged_into", pa.string()))
REJECTS = _table(
    "rejects",
    "kind id reason file row action",
    ("kind", pa.string()),
    ("id", pa.string()),
    ("reason", pa.string()),
    ("file", pa.string()),
    ("row", pa.int64()),
    # What became of it: refused, merged into an equal one, or repaired and kept.
    ("action", pa.string()),
    unique=False,
)
# Mined by somebody else; score is null where the source has none, metadata `scores` says `given` or `place`.
GIVEN = _table(
    "given",
    "query_id rank",
    ("query_id", pa.string()),
    ("rank", pa.int32()),
    ("passage_id", pa.string()),
    pa.field("score", pa.float32()),
)
RUN = _table("run", "query_id rank", *_RUN)
# Of a fusion: which teachers proposed each row of the run, and the rank and score each gave it.
MEMBERS = _table(
    "members",
    "query_id passage_id member",
    *_ID,
    ("member", pa.string()),
    ("rank", pa.int32()),
    ("score", pa.float32()),
)
JUDGED = _table(
    "judged",
    "query_id passage_id",
    *_ID,
    ("relevance", pa.float32()),
    pa.field("score", pa.float32()),
    pa.field("rank", pa.int32()),
)
CANDIDATES = _table("candidates", "query_id rank", *_CANDIDATES)
JUDGED_CANDIDATES = _table(
    "candidates",
    "query_id rank",
    *_CANDIDATES,
    pa.field("judge_score", pa.float32()),
    pa.field("positive_judge_score", pa.float32()),
)
SHARD = _table(
    "shard",
    "dataset query_id positive_id",
    ("dataset", pa.string()),
    ("query_id", pa.string()),
    ("positive_id", pa.string()),
    ("query", pa.string()),
    ("instruction", pa.string()),
    ("positive", pa.string()),
    ("positive_ids", _STRINGS),
    # Passages that must not count as in-batch negatives of this query although they are no positives of it:
    # near copies of one, and those the filter refused as too close to one.
    ("masked_ids", _STRINGS),
    pa.field("positive_score", pa.float32()),
    ("negative_ids", _STRINGS),
    ("negatives", _STRINGS),
    ("negative_ranks", pa.list_(pa.int32())),
    ("negative_scores", pa.list_(pa.float32())),
    ("task", pa.string()),
    ("teacher", pa.string()),
    ("teacher_revision", pa.string()),
)
DROPPED = _table(
    "dropped",
    "dataset query_id passage_id reason",
    ("dataset", pa.string()),
    *_ID,
    ("reason", pa.string()),
)
SCORES = _table(
    "queries",
    "dataset model query_id",
    ("dataset", pa.string()),
    ("model", pa.string()),
    ("query_id", pa.string()),
    ("value", pa.float32()),
    pa.field("gold_rank", pa.int32()),
    ("query_words", pa.int32()),
    ("gold_words", pa.int32()),
)


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


def read(path: Path, table: Table, expect: Mapping[str, str] | None = None) -> pa.Table:
    """Read a table back, checked against its schema and against the metadata it must carry.

    Raises:
        TableError: the file is missing or unreadable, breaks the schema, or was made by something else than `expect`.
    """
    try:
        data = pq.read_table(path)
    except FileNotFoundError as error:
        raise TableError(f"{path}: no such table; run the stage that writes it (dvc repro)") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise TableError(f"{path}: not a readable Parquet file ({error}); delete it and run its stage again") from error
    check(table, data, str(path))
    made = metadata(data)
    for key, value in (expect or {}).items():
        if made.get(key) != value:
            raise TableError(f"{path}: made with {key} {made.get(key)!r}, not {value!r}; run its stage again")
    return data


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


def check(table: Table, data: pa.Table, where: str) -> None:
    """Raise a TableError where `data` is not of the declared schema, or null where it may not be."""
    _check_names(table, data.column_names, where)
    for field in table.schema:
        column = data.column(field.name)
        if column.type != field.type:
            raise TableError(
                f"{where}: column '{field.name}' of table '{table.name}' is {column.type}, not {field.type}; "
                "run its stage again"
            )
        if column.null_count and not field.nullable:
            raise TableError(
                f"{where}: table '{table.name}', column '{field.name}' has {column.null_count} nulls and may have none"
            )


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
