"""Tables larger than memory: a DuckDB database in a folder of its own, which spills to disk what does not fit."""

import os
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

MEMORY = "384MB"
"""What DuckDB may hold; batches of rows and Parquet's row groups come on top."""

_ROWS = 16_384
_CHARACTERS = 8 * 2**20
# Batches in a transaction: with one each, all is written twice; with all in one, memory grows with them.
_TRANSACTION = 16


class Store:
    """Tables that grow row by row and are queried with SQL.

    A thread of its own writes what was appended while the next rows are read, many batches in one transaction; a query
    first waits for it.

    Attributes:
        rows: how many rows were appended to each table.
    """

    def __init__(self, folder: Path, tables: Mapping[str, pa.Schema]) -> None:
        import duckdb

        config: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY,
            "threads": "2",
            "temp_directory": str(folder / "spill"),
        }
        self._connection: Any = duckdb.connect(str(folder / "store.duckdb"), config=config)
        self._writer = ThreadPoolExecutor(max_workers=1)
        self._writing: Future[None] | None = None
        self._batches = 0
        self._schemas = dict(tables)
        self._waiting: dict[str, list[tuple[Any, ...]]] = {name: [] for name in tables}
        self._characters = 0
        self.rows = dict.fromkeys(tables, 0)
        for name, schema in tables.items():
            self.put(name, schema.empty_table())

    def append(self, table: str, row: tuple[Any, ...], characters: int = 0) -> None:
        """Append a row; `characters` of text in it make the store write earlier."""
        waiting = self._waiting[table]
        waiting.append(row)
        self.rows[table] += 1
        self._characters += characters
        if len(waiting) >= _ROWS or self._characters >= _CHARACTERS:
            self.flush()

    def flush(self) -> None:
        """Hand over what waits, once what was handed over before is written: no more than two batches are held."""
        if self._writing is not None:
            self._writing.result()
        if self._batches == _TRANSACTION:
            self._commit()
        full = {name: rows for name, rows in self._waiting.items() if rows}
        self._waiting |= {name: [] for name in full}
        self._characters = 0
        if self._batches == 0:
            self._connection.execute("BEGIN")
        self._batches += 1
        self._writing = self._writer.submit(self._insert, full)

    def put(self, name: str, data: pa.Table) -> None:
        """Make a table of an Arrow table."""
        self._commit()
        self._connection.register("batch", data)
        self._connection.execute(f"CREATE OR REPLACE TABLE {name} AS SELECT * FROM batch")
        self._connection.unregister("batch")

    def run(self, sql: str, *values: object) -> None:
        """Execute a statement with `values` for its question marks."""
        self._commit()
        self._connection.execute(sql, list(values))

    def all(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Return every row of a query whose answer is small."""
        self._commit()
        found: list[tuple[Any, ...]] = self._connection.execute(sql, list(values)).fetchall()
        return found

    def one(self, sql: str, *values: object) -> Any:  # noqa: ANN401 - a value of the database
        """Return the first value of the first row."""
        return self.all(sql, *values)[0][0]

    def batches(self, sql: str, rows: int = 1024) -> Iterator[pa.RecordBatch]:
        """Yield the answer to a query in batches of about `rows`."""
        self._commit()
        yield from self._connection.sql(sql).to_arrow_reader(rows)

    def arrow(self, sql: str) -> pa.Table:
        """Return the answer to a query as one table in memory."""
        self._commit()
        return pa.Table.from_batches(*_read(self._connection.sql(sql).to_arrow_reader(_ROWS)))

    def close(self) -> None:
        """Close the database."""
        self._writer.shutdown()
        self._connection.close()

    def _commit(self) -> None:
        """Wait for what is being written; only then do rows have the numbers they keep."""
        if self._writing is not None:
            self._writing.result()
            self._connection.execute("COMMIT")
            self._writing, self._batches = None, 0

    def _insert(self, full: Mapping[str, list[tuple[Any, ...]]]) -> None:
        for name, rows in full.items():
            schema = self._schemas[name]
            columns = zip(zip(*rows, strict=True), schema.types, strict=True)
            data = pa.Table.from_arrays([pa.array(column, kind) for column, kind in columns], schema=schema)
            self._connection.register("batch", data)
            self._connection.execute(f"INSERT INTO {name} SELECT * FROM batch")
            self._connection.unregister("batch")


def _read(reader: pa.RecordBatchReader) -> tuple[list[pa.RecordBatch], pa.Schema]:
    return list(reader), reader.schema


@contextmanager
def opened(parent: Path, tables: Mapping[str, pa.Schema]) -> Iterator[Store]:
    """Open a store in a folder of its own below `parent`, and remove it at the end."""
    folder = parent / f".store.{os.getpid()}.tmp"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    store = Store(folder, tables)
    try:
        yield store
    finally:
        store.close()
        shutil.rmtree(folder, ignore_errors=True)
