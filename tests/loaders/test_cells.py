"""Tests of embedder.loaders.cells."""

import csv
import json
import tracemalloc
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any, cast, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.errors import SourceError
from embedder.loaders import lines
from embedder.loaders.cells import Format, columns_of, format_of, read
from embedder.records import Reject


def _file(folder: Path, content: str | bytes, name: str = "file") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def _rows(path: Path, form: Format, **how: Any) -> list[tuple[int, Any]]:  # noqa: ANN401 - options of read
    return [(number, row.reason if isinstance(row, Reject) else dict(row)) for number, row in read(path, form, **how)]


def test_jsonl_rows_and_what_is_none(tmp_path: Path) -> None:
    """Every line is an object or a reason with its number; blank lines are no rows."""
    deep, huge = "[" * 100_000, '{"a": ' + "9" * 5000 + "}"
    path = _file(tmp_path, f'{{"a": 1}}\n\nno\n[1]\n{deep}\n{huge}\n{{"a": "x", "a": "y"}}\n"t"\n')
    assert _rows(path, "jsonl") == [
        (1, {"a": 1}), (3, "not_json"), (4, "not_an_object"), (5, "not_json"), (6, "not_json"), (7, {"a": "y"}),
        (8, "not_an_object"),
    ]  # fmt: skip


def test_quoted_csv(tmp_path: Path) -> None:
    """Cells may hold separators, quotes and line ends; a row is numbered by the line it starts in."""
    path = _file(tmp_path, 'text,label\r\n"a, ""b""\nc",x\r\n\r\nplain,y\r\n')
    assert _rows(path, "csv") == [(2, {"text": 'a, "b"\nc', "label": "x"}), (5, {"text": "plain", "label": "y"})]


def test_quotes_are_text_where_nothing_is_quoted(tmp_path: Path) -> None:
    """In a file without quoting a quotation mark is a character like any other, also an unclosed one."""
    path = _file(tmp_path, 'a\tb\n"He said\tx\n"yes"\ty\n')
    assert _rows(path, "tsv", quoting=False) == [(2, {"a": '"He said', "b": "x"}), (3, {"a": '"yes"', "b": "y"})]


def test_an_unclosed_quote_is_an_error_and_not_a_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quote that never closes would swallow the rest of the file: the error says where, and what to set."""
    monkeypatch.setattr("embedder.loaders.cells.MAX_LINE", 1000)
    path = _file(tmp_path, 'a,b\nx,y\n"open,' + "z,z\n" * 1000)
    with pytest.raises(
        SourceError, match=r"file:3: not a quoted CSV row .*if quotes are text in this file, set quoting: false"
    ):
        _rows(path, "csv")


def test_rows_without_a_header(tmp_path: Path) -> None:
    """Without a header columns are numbered from 1; extra cells of longer rows are left, short rows are refused."""
    path = _file(tmp_path, "a,b\nc,d,extra\ne\n")
    assert _rows(path, "csv", header=False) == [
        (1, {"1": "a", "2": "b"}), (2, {"1": "c", "2": "d"}), (3, "too_few_cells"),
    ]  # fmt: skip


def test_lines_beyond_the_cap_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line longer than any text is a refused row, in JSONL and in tables alike."""
    monkeypatch.setattr(lines, "MAX_LINE", 20)
    assert _rows(_file(tmp_path, '{"a": "' + "x" * 50 + '"}\n{"a": 1}\n'), "jsonl") == [
        (1, "line_too_long"),
        (2, {"a": 1}),
    ]
    path = _file(tmp_path, "a\tb\n" + "x" * 50 + "\ty\nc\td\n")
    assert _rows(path, "tsv", quoting=False) == [(2, "line_too_long"), (3, {"a": "c", "b": "d"})]


@pytest.mark.parametrize("content", ["x,y," + "z," * 1000, "a,b\n" + '"' + '\n","' * 500])
def test_a_csv_row_beyond_the_cap_is_an_error(tmp_path: Path, content: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row that never ends, on one line or on many, is refused before it is read whole: the error says where."""
    monkeypatch.setattr("embedder.loaders.cells.MAX_LINE", 1000)
    with pytest.raises(
        SourceError, match=r"file:[12]: not a quoted CSV row \(longer than 1,000 characters\); if quotes"
    ):
        _rows(_file(tmp_path, content), "csv")


def test_a_csv_row_beyond_the_cap_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader asks for no more of a line than the cap and one character."""
    monkeypatch.setattr("embedder.loaders.cells.MAX_LINE", 1000)
    tracemalloc.start()
    with pytest.raises(SourceError, match="longer than"):
        _rows(_file(tmp_path, b"a," * 2**23), "csv")
    assert tracemalloc.get_traced_memory()[1] < 2**25
    tracemalloc.stop()


@pytest.mark.parametrize(("form", "content"), [("csv", 'a,b\n,\n"",""\n\nx,y\n'), ("tsv", "a\tb\n\t\n\t\n\nx\ty\n")])
def test_a_row_of_empty_cells_is_a_row(tmp_path: Path, form: Format, content: str) -> None:
    """Only a line without any character is no row; one of empty cells is for ingestion to refuse and count."""
    empty = {"a": "", "b": ""}
    assert _rows(_file(tmp_path, content), form) == [(2, empty), (3, empty), (5, {"a": "x", "b": "y"})]


def test_rejects_carry_the_name_that_is_given(tmp_path: Path) -> None:
    """A broken row says the name by which the caller knows the file."""
    for form, content in (("jsonl", "no\n"), ("csv", "a,b\nc\n"), ("tsv", "a\tb\nc\n")):
        ((_, row),) = read(_file(tmp_path, content), cast("Format", form), name="folder/file")
        assert isinstance(row, Reject)
        assert row.file == "folder/file"


@pytest.mark.parametrize(("form", "content"), [("csv", ""), ("tsv", "\n\n"), ("jsonl", ""), ("jsonl", "\n \n")])
def test_an_empty_file_is_an_error(tmp_path: Path, form: Format, content: str) -> None:
    """A table without a row, not even a header, is an error that says so; a header alone is a table of no rows."""
    with pytest.raises(SourceError, match="file: is empty"):
        _rows(_file(tmp_path, content), form)
    assert _rows(_file(tmp_path, "a,b\n"), "csv") == []


def test_a_column_that_no_row_of_jsonl_has_is_an_error(tmp_path: Path) -> None:
    """Rows may leave keys out, but a key that all of them leave out is a wrong name; without any object nobody knows."""
    path = _file(tmp_path, '{"text": "x"}\nno\n{"topic": "y"}\n')
    assert len(_rows(path, "jsonl", columns=["text", "topic"])) == 3
    with pytest.raises(SourceError, match="file: unknown column 'topci'; did you mean 'topic'"):
        _rows(path, "jsonl", columns=["text", "topci"])
    assert _rows(_file(tmp_path, "no\n"), "jsonl", columns=["text"]) == [(1, "not_json")]


DATES = pa.array([0, 1, 10**7], pa.int32()).cast(pa.date32())
TIMES = pa.array([0, 1, 2**62]).cast(pa.timestamp("us"))


@pytest.mark.parametrize("column", [DATES, TIMES], ids=["date", "timestamp"])
def test_a_value_beyond_pythons_is_an_error_with_its_row(tmp_path: Path, column: pa.Array) -> None:
    """A date after the year 9999 is an error that names file and row, and none where its column is not needed."""
    path = tmp_path / "file.parquet"
    pq.write_table(pa.table({"a": ["x", "y", "z"], "when": column}), path)
    found = read(path, "parquet", columns=["a", "when"])
    assert [number for number, _ in islice(found, 2)] == [1, 2]
    with pytest.raises(SourceError, match=r"file\.parquet:3: not a readable row of Parquet"):
        next(found)
    assert len(_rows(path, "parquet", columns=["a"])) == 3


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_the_columns_of_a_file(tmp_path: Path, form: Format) -> None:
    """Columns are told by the header, the first rows or the schema."""
    path = tmp_path / "file"
    if form == "parquet":
        pq.write_table(pa.table({"a": ["x"], "b": ["y"]}), path)
    else:
        path.write_text({"csv": "a,b\nx,y\n", "jsonl": 'no\n{"a": "x"}\n{"b": "y"}\n'}[form])
    assert columns_of(path, form) == ["a", "b"]


def test_parquet_reads_only_what_is_needed(tmp_path: Path) -> None:
    """Of Parquet only the named columns are read, lists as lists."""
    path = tmp_path / "file.parquet"
    pq.write_table(pa.table({"a": [["x"], None], "b": ["y", "z"]}), path)
    assert _rows(path, "parquet", columns=["a"]) == [(1, {"a": ["x"]}), (2, {"a": None})]


@pytest.mark.parametrize(("form", "content"), [("csv", "text,label\na,b\n"), ("tsv", "text\tlabel\na\tb\n")])
def test_a_missing_column_is_named_with_the_close_one(tmp_path: Path, form: Format, content: str) -> None:
    """A column that is not there is an error that suggests the close one."""
    with pytest.raises(SourceError, match="unknown column 'labl'; did you mean 'label'"):
        _rows(_file(tmp_path, content), form, columns=["text", "labl"])


def test_a_broken_parquet_file_is_an_error(tmp_path: Path) -> None:
    """A file that is no Parquet, or is cut short, is an error that names it."""
    with pytest.raises(SourceError, match="not a readable Parquet file"):
        _rows(_file(tmp_path, b"PAR1 no"), "parquet")


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.jsonl", "jsonl"),
        ("a.csv.gz", "csv"),
        ("b.c.tsv", "tsv"),
        ("a.parquet", "parquet"),
        ("UP.CSV", "csv"),
        ("UP.TSV.GZ", "tsv"),
    ],
)
def test_the_ending_says_the_form(name: str, form: str) -> None:
    """A file's ending says what it is, packed or not."""
    assert format_of(Path(name)) == form


@pytest.mark.parametrize("name", ["a", "a.gz", "a.xlsx", "a.txt.gz"])
def test_an_unknown_ending_is_an_error(name: str) -> None:
    """A file without a known ending needs its form to be said."""
    with pytest.raises(SourceError, match=r"unknown ending; use one of \.jsonl"):
        format_of(Path(name))


_ANY = st.one_of(st.binary(max_size=120), st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))


@settings(max_examples=150)
@given(
    _ANY, st.sampled_from(get_args(Format)), st.fixed_dictionaries({"header": st.booleans(), "quoting": st.booleans()})
)
def test_any_bytes_are_rows_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, form: Format, how: dict[str, Any]
) -> None:
    """Whatever a file holds, every reader ends in rows, refused rows, or one error; never in a traceback."""
    path = _file(tmp_path_factory.mktemp("any"), content)
    try:
        for number, row in read(path, form, **how):
            assert number >= 1
            assert isinstance(row, Reject | Mapping)
    except SourceError:
        pass


_CELL = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12).filter(str.strip)


@settings(max_examples=60)
@given(st.lists(st.tuples(_CELL, _CELL), min_size=1, max_size=6))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    """Hostile texts come back from JSONL, quoted CSV and Parquet as they were written."""
    folder = tmp_path_factory.mktemp("round")
    with (folder / "a.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("a", "b"), *rows])
    (folder / "a.jsonl").write_text("".join(json.dumps(dict(zip("ab", row, strict=True))) + "\n" for row in rows))
    pq.write_table(pa.table({"a": [row[0] for row in rows], "b": [row[1] for row in rows]}), folder / "a.parquet")
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        found = [dict(row) for _, row in read(folder / name, format_of(Path(name))) if not isinstance(row, Reject)]
        assert [(row["a"], row["b"]) for row in found] == rows
