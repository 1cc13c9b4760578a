"""Tests of embedder.row_groups."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embedder import row_groups, schemas
from embedder.errors import TableError

ROWS = 3000


def _rows(start: int, end: int, text: str = "x") -> pa.RecordBatch:
    names = [f"p{i:05}" for i in range(start, end)]
    return pa.record_batch({"passage_id": names, "title": [""] * len(names), "text": [text] * len(names)})


@pytest.mark.parametrize("size", [1, 700, 1024, 2999])
def test_bytes_do_not_depend_on_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    """However the rows are cut into batches, the file is the same, in row groups of at most MAX_ROWS."""
    monkeypatch.setattr(row_groups, "MAX_ROWS", 2048)
    row_groups.write(tmp_path / "whole", schemas.CORPUS, [_rows(0, ROWS)], {"teacher": "t"})
    row_groups.write(
        tmp_path / "cut",
        schemas.CORPUS,
        (_rows(i, min(i + size, ROWS)) for i in range(0, ROWS, size)),
        {"teacher": "t"},
    )
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "cut").read_bytes()
    file = pq.ParquetFile(tmp_path / "cut")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [2048, 952]
    assert schemas.metadata(schemas.read(tmp_path / "cut", schemas.CORPUS)) == {"teacher": "t"}


def test_row_groups_are_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Long texts make smaller row groups: what is held in memory is counted in bytes too."""
    monkeypatch.setattr(row_groups, "MAX_BYTES", 100_000)
    row_groups.write(tmp_path / "long", schemas.CORPUS, [_rows(0, ROWS, "y" * 200)])
    assert pq.ParquetFile(tmp_path / "long").num_row_groups == 3


def test_no_rows_are_an_empty_table(tmp_path: Path) -> None:
    """Without any batch the file has the declared columns and no rows."""
    row_groups.write(tmp_path / "none", schemas.CORPUS, [])
    assert schemas.read(tmp_path / "none", schemas.CORPUS).num_rows == 0


def test_what_breaks_the_schema_is_not_written(tmp_path: Path) -> None:
    """A null where none may be leaves no file behind."""
    broken = pa.record_batch({"passage_id": ["a"], "title": [""], "text": pa.array([None], pa.string())})
    with pytest.raises(TableError, match="'text' has 1 nulls"):
        row_groups.write(tmp_path / "broken", schemas.CORPUS, [broken])
    assert not list(tmp_path.iterdir())
