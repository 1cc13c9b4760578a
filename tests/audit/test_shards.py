"""The audit of shards, as materialize calls it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embedder import layout
from embedder.audit.audit import Wanted, audit
from embedder.audit.forms import Asked
from embedder.audit.materialized import audit_shards
from embedder.errors import TableError
from embedder.shards import Texts, write_shards
from embedder.training_rows import Row
from tests import tables
from tests.audit import sources
from tests.tables import ints

LONG = sources.LONG


def written(folder: Path, task: str = "retrieval") -> Path:
    """Write shards with the product's own writer: two queries, the first with two positives."""
    passages = {
        "a": f"first {LONG}",
        "b": "second positive",
        "c": "a negative",
        "d": "another",
        "e": f"first {LONG} too",
    }
    judged = tables.judged([("q1", "a", 1.0, 9.0, 1), ("q1", "b", 1.0, 1.0, None), ("q2", "c", 1.0, 5.0, 2)])
    run = tables.run([("q1", 2, "c", 8.0), ("q1", 3, "e", 7.5), ("q2", 1, "a", 7.0), ("q2", 3, "d", 3.0)])
    run = run.append_column("judge_score", pa.nulls(run.num_rows, pa.float32()))
    queries = tables.queries({"q1": "one?", "q2": "two?"})
    texts = Texts(queries, tables.corpus(passages), run, tables.judgements(judged))
    rows = [
        Row("q1", 0, ints(0, 1), ints(), ints(0, 1)),
        Row("q1", 1, ints(0, 1), ints(), ints(0, 1)),
        Row("q2", 2, ints(2), ints(), ints(2, 3)),
    ]
    write_shards(folder / layout.SHARDS.name, "docs", tables.entry(task), rows, texts, tables.MADE_BY, 2)
    return folder / layout.SHARDS.name


def doctor(folder: Path, change: Callable[[list[dict[str, Any]]], None]) -> None:
    """Change the rows of the first shard."""
    path = folder / "docs-00000.parquet"
    data = pq.read_table(path)
    rows = data.to_pylist()
    change(rows)
    pq.write_table(type(data).from_pylist(rows, schema=data.schema), path)


def test_shards_that_were_just_written_pass(tmp_path: Path) -> None:
    """Rows of one query with several positives are no duplicates; the report counts rows and checks."""
    found = audit_shards(written(tmp_path))
    assert found.rows == found.audited == 3
    report = found.as_json()
    assert report["rows"] == {"read": 3, "audited": 3, "unreadable": 0}
    checks: Any = report["checks"]
    assert checks["above_positive"] == {"level": "warning", "count": 2}
    assert sum(check["count"] for check in checks.values()) == 2


def test_near_copies_are_the_filters_business(tmp_path: Path) -> None:
    """A near copy that the filter let through is no fault of the shards; `embedder audit` of them finds it."""
    folder = written(tmp_path)
    assert audit_shards(folder).faults() == []
    assert [one.check for one in audit(str(folder), Asked(), Wanted()).faults()] == ["near_copy"]


DOCTORED: dict[str, Callable[[list[dict[str, Any]]], None]] = {
    "positive_in_negatives": lambda rows: rows[0]["negatives"].__setitem__(0, rows[0]["positive"]),
    "query_in_negatives": lambda rows: rows[0]["negatives"].__setitem__(0, "One?"),
    "repeated_negative": lambda rows: rows[0]["negatives"].__setitem__(1, rows[0]["negatives"][0]),
    "duplicate_row": lambda rows: rows.__setitem__(1, rows[0]),
    "repeated_positive": lambda rows: rows[1].update(
        rows[0], negative_ids=["c", "d"], negatives=["a negative", "another"]
    ),
    "empty_text": lambda rows: rows[0].update(positive=" "),
    "score_not_finite": lambda rows: rows[0]["negative_scores"].__setitem__(0, float("nan")),
    "unreadable": lambda rows: rows[0]["negatives"].pop(),
}


@pytest.mark.parametrize("check", DOCTORED)
def test_a_doctored_shard_is_refused(check: str, tmp_path: Path) -> None:
    """A shard with a fault is refused; the message has the file, the row and the check."""
    folder = written(tmp_path)
    doctor(folder, DOCTORED[check])
    with pytest.raises(TableError, match=rf"docs-00000\.parquet:[12]: .*\({check}, 1 rows\)"):
        audit_shards(folder)


def test_a_known_positive_is_no_negative(tmp_path: Path) -> None:
    """A positive of the query that this row doesn't train on must not be its negative either."""
    folder = written(tmp_path)

    def change(rows: list[dict[str, Any]]) -> None:
        del rows[1:]
        rows[0]["negative_ids"][0], rows[0]["negatives"][0] = "b", "second positive"

    doctor(folder, change)
    with pytest.raises(TableError, match="positive_in_negatives"):
        audit_shards(folder)


def test_a_broken_shard_is_named(tmp_path: Path) -> None:
    """A file cut short is refused by name."""
    folder = written(tmp_path)
    path = folder / "docs-00001.parquet"
    content = path.read_bytes()
    path.write_bytes(content[:8] + b"\xff" * 40 + content[48:])
    with pytest.raises(TableError, match=r"docs-00001\.parquet"):
        audit_shards(folder)


def test_a_value_beyond_pythons_is_an_error_with_its_row(tmp_path: Path) -> None:
    """A shard whose query is a date after the year 9999 is refused with file and row."""
    folder = written(tmp_path)
    path = folder / "docs-00000.parquet"
    table = pq.read_table(path)
    when = pa.array([10**7] * table.num_rows, pa.int32()).cast(pa.date32())
    pq.write_table(table.set_column(table.schema.get_field_index("query"), "query", when), path)
    with pytest.raises(TableError, match=r"docs-00000\.parquet:1: not a readable shard"):
        audit_shards(folder)


def test_no_file_is_left(tmp_path: Path) -> None:
    """The audit writes nothing beside the shards."""
    folder = written(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    audit_shards(folder)
    assert sorted(tmp_path.rglob("*")) == before
