"""Tests of embedder.store."""

from pathlib import Path

import pyarrow as pa
import pytest

from embedder.store import _ROWS, opened

TABLE = {"numbers": pa.schema([("name", pa.string()), ("value", pa.int64()), ("names", pa.list_(pa.string()))])}


def test_rows_come_back_in_the_order_they_went_in(tmp_path: Path) -> None:
    """What is appended over several batches is numbered as it came, nulls and lists included."""
    with opened(tmp_path, TABLE) as store:
        for i in range(_ROWS + 10):
            store.append("numbers", (f"n{i}", i, None if i % 2 else [str(i)]))
        store.flush()
        assert store.rows == {"numbers": _ROWS + 10}
        assert store.one("SELECT bool_and(rowid = value) FROM numbers")
        assert store.all("SELECT * FROM numbers WHERE value IN (?, ?) ORDER BY value", 2, 3) == [
            ("n2", 2, ["2"]),
            ("n3", 3, None),
        ]
        assert store.arrow("SELECT value FROM numbers WHERE value < 3 ORDER BY value")["value"].to_pylist() == [0, 1, 2]
        assert [b.num_rows for b in store.batches("SELECT * FROM numbers WHERE value < 5 ORDER BY value", 2048)] == [5]


def test_long_texts_are_written_early(tmp_path: Path) -> None:
    """Text in waiting rows is bounded: rows are written once there is much of it."""
    with opened(tmp_path, TABLE) as store:
        store.append("numbers", ("x", 1, None), characters=2**24)
        assert store.one("SELECT count(*) FROM numbers") == 1


def test_a_table_can_be_put(tmp_path: Path) -> None:
    """An Arrow table becomes a table, in the place of one of its name."""
    with opened(tmp_path, TABLE) as store:
        store.put("other", pa.table({"a": [1, 2]}))
        store.put("other", pa.table({"a": [3]}))
        assert store.all("FROM other") == [(3,)]


def test_nothing_is_left(tmp_path: Path) -> None:
    """The database and what it spilled are gone at the end, also when the work fails."""

    def work() -> None:
        with opened(tmp_path, TABLE) as store:
            store.append("numbers", ("x", 1, None))
            store.flush()
            assert list(tmp_path.glob(".store.*.tmp"))
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        work()
    assert not list(tmp_path.iterdir())
