"""Tests of embedder.schemas."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder import layout, schemas
from embedder.errors import TableError
from tests import tables

ROWS: dict[str, Any] = {"query_id": ["b", "a", "a"], "passage_id": ["p", "q", "p"], "relevance": [1.0, 0.0, 0.5]}


def _changed(**changes: object) -> dict[str, Any]:
    return {name: values for name, values in (ROWS | changes).items() if values is not None}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (_changed(relevance=None), r"lacks columns \['relevance'\]"),
        (_changed(grade=[1, 2, 3]), r"unknown columns \['grade'\]"),
        (_changed(relevance=["x", "y", "z"]), "column 'relevance'"),
        (_changed(relevance=pa.array(["1", "2", "3"])), "column 'relevance': is string, not float"),
        (_changed(relevance=pa.array([True, True, True])), "column 'relevance': is bool, not float"),
        (_changed(query_id=pa.array([1, 2, 3])), "column 'query_id': is int64, not string"),
        (_changed(query_id=["\ud800", "b", "c"]), "column 'query_id'.*surrogates"),
        (_changed(passage_id=["p", None, "q"]), "column 'passage_id' has 1 nulls"),
        (_changed(query_id=["a", "a", "a"]), "1 keys repeat, one is {'query_id': 'a', 'passage_id': 'p'}"),
    ],
)
def test_build_refuses_what_breaks_the_schema(columns: dict[str, Any], said: str) -> None:
    """A missing, extra, mistyped or null column and a repeated key are refused by name, with the table's name."""
    with pytest.raises(TableError, match=said) as raised:
        schemas.build(schemas.QRELS, columns)
    assert "table 'qrels'" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_build_takes_every_width_of_a_type() -> None:
    """Integers, doubles and dictionary-encoded strings become the declared type without a loss."""
    columns = ROWS | {"query_id": pa.array(ROWS["query_id"]).dictionary_encode(), "relevance": pa.array([1, 0, 2])}
    assert schemas.build(schemas.QRELS, columns).schema.types == [pa.string(), pa.string(), pa.float32()]


def test_a_lossy_number_is_refused() -> None:
    """A rank of 1.5 doesn't become 1."""
    columns = {"query_id": ["q"], "rank": pa.array([1.5]), "passage_id": ["p"], "score": [1.0]}
    with pytest.raises(TableError, match="column 'rank'"):
        schemas.build(schemas.RUN, columns)


def test_a_table_without_rows_is_a_table(tmp_path: Path) -> None:
    """An empty table is written and read with all its columns."""
    schemas.write(
        tmp_path / "t.parquet",
        schemas.REJECTS,
        schemas.build(schemas.REJECTS, {name: [] for name in schemas.REJECTS.schema.names}),
    )
    assert schemas.read(tmp_path / "t.parquet", schemas.REJECTS).num_rows == 0


def test_rows_are_sorted_by_the_key() -> None:
    """Rows come out in the order of the key, whatever order they came in."""
    built = schemas.build(schemas.QRELS, ROWS)
    assert list(zip(*built.select(["query_id", "passage_id"]).to_pydict().values(), strict=True)) == [
        ("a", "p"),
        ("a", "q"),
        ("b", "p"),
    ]


@settings(max_examples=25, deadline=None)
@given(
    rows=st.lists(st.tuples(st.text("ab", max_size=3), st.text("pq", max_size=3)), unique=True, max_size=8).flatmap(
        lambda rows: st.tuples(st.just(rows), st.permutations(rows))
    )
)
def test_bytes_depend_on_rows_alone(
    rows: tuple[list[tuple[str, str]], list[tuple[str, str]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The same rows in another order, with metadata in another order, are the same bytes."""
    folder = tmp_path_factory.mktemp("bytes")
    for name, order, made_by in (("a", rows[0], {"x": "1", "y": "2"}), ("b", rows[1], {"y": "2", "x": "1"})):
        data = tables.qrels((query, passage, 1.0) for query, passage in order)
        schemas.write(folder / name, schemas.QRELS, schemas.build(schemas.QRELS, data, made_by))
    assert (folder / "a").read_bytes() == (folder / "b").read_bytes()


def test_metadata_comes_back_and_is_checked(tmp_path: Path) -> None:
    """What a table says of how it was made is read back, and another expectation is refused with both values."""
    path = tmp_path / "run.parquet"
    schemas.write(path, schemas.QRELS, schemas.build(schemas.QRELS, ROWS, {"teacher": "bm25", "depth": "10"}))
    assert schemas.metadata(schemas.read(path, schemas.QRELS, {"depth": "10"})) == {"teacher": "bm25", "depth": "10"}
    with pytest.raises(TableError, match="made with depth '10', not '20'; run its stage again"):
        schemas.read(path, schemas.QRELS, {"depth": "20"})
    with pytest.raises(TableError, match="made with window None, not '1-2'"):
        schemas.read(path, schemas.QRELS, {"window": "1-2"})


def test_a_missing_file_says_what_to_run(tmp_path: Path) -> None:
    """A table nobody wrote is refused with its path and the command that writes it."""
    with pytest.raises(TableError, match=r"run\.parquet: no such table; .*dvc repro"):
        schemas.read(tmp_path / "run.parquet", schemas.RUN)


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    """A broken file is refused by its path."""
    (tmp_path / "run.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(TableError, match="not a readable Parquet file"):
        schemas.read(tmp_path / "run.parquet", schemas.RUN)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (pa.table({"query_id": ["q"], "passage_id": ["p"], "relevance": [1.0]}), "'relevance' .* is double, not float"),
        (pa.table({"query_id": ["q"], "passage_id": ["p"]}), r"lacks columns \['relevance'\]"),
        (
            pa.table({"query_id": pa.nulls(1, pa.string()), "passage_id": ["p"], "relevance": pa.array([1.0], "f4")}),
            "'query_id' has 1 nulls",
        ),
    ],
)
def test_read_and_write_check_the_schema(data: pa.Table, said: str, tmp_path: Path) -> None:
    """A table of another type is neither written nor read."""
    path = tmp_path / "t.parquet"
    with pytest.raises(TableError, match=said):
        schemas.write(path, schemas.QRELS, data)
    assert list(tmp_path.iterdir()) == []
    pq.write_table(data, path)
    with pytest.raises(TableError, match=said):
        schemas.read(path, schemas.QRELS)


def test_the_three_tables_of_ingest_are_read_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries, corpus and qrels of a dataset come back in this order."""
    monkeypatch.chdir(tmp_path)
    made = tables.queries({"q": "x"}), tables.corpus({"p": "y"}), tables.qrels([("q", "p", 1)])
    for name, table, data in zip(
        ("queries", "corpus", "qrels"), (schemas.QUERIES, schemas.CORPUS, schemas.QRELS), made, strict=True
    ):
        schemas.write(layout.table("ingest", "d", name), table, data)
    assert all(read.equals(data) for read, data in zip(schemas.read_ingested("d"), made, strict=True))


@pytest.mark.parametrize(("bound", "positives"), [(0.7, ["b", "c"]), (0.8, ["c"]), (0.0, ["a", "b", "c"])])
def test_a_grade_at_the_bound_is_a_positive(bound: float, positives: list[str]) -> None:
    """A relevance of 0.7 reaches a bound of 0.7 although one is stored as float32."""
    graded = tables.qrels([("a", "p", 0.0), ("b", "p", 0.7), ("c", "p", 0.8)])
    assert schemas.positives(graded, bound)["query_id"].to_pylist() == positives


def test_rows_make_the_same_table_as_columns() -> None:
    """A table of rows is sorted and checked like one of columns, also without any row."""
    rows = [("q2", "p", 1.0), ("q1", "p", 0.0)]
    columns = {"query_id": ["q1", "q2"], "passage_id": ["p", "p"], "relevance": [0.0, 1.0]}
    assert schemas.from_rows(schemas.QRELS, rows).equals(schemas.build(schemas.QRELS, columns))
    assert schemas.from_rows(schemas.QRELS, []).num_rows == 0


def test_texts_may_stay_encoded(tmp_path: Path) -> None:
    """Named text columns, lists of texts too, are read dictionary-encoded, and other columns as they are declared."""
    schemas.write(
        tmp_path / "queries.parquet",
        schemas.QUERIES,
        schemas.build(
            schemas.QUERIES,
            {
                "query_id": ["a", "b"],
                "text": ["x", "x"],
                "split": ["dev"] * 2,
                "group_id": ["g"] * 2,
                "labels": [["l"]] * 2,
            },
        ),
    )
    data = schemas.read(tmp_path / "queries.parquet", schemas.QUERIES, encoded=["text", "labels.list.element"])
    encoded = pa.dictionary(pa.int32(), pa.string())
    assert data.schema.types == [pa.string(), encoded, pa.string(), pa.string(), pa.list_(encoded)]
    assert len(data["labels"].chunk(0).values.dictionary) == 1
    with pytest.raises(TableError, match="table 'qrels' lacks columns"):
        schemas.read(tmp_path / "queries.parquet", schemas.QRELS, encoded=["text"])
