"""Tests of embedder.loaders.table and of the column map it shares with hub."""

import json
import os
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from embedder.errors import SourceError
from embedder.loaders import load
from embedder.loaders.columns import Columns, number, text_id, text_of
from embedder.loaders.table import Options
from embedder.records import Passage, Qrel, Query, Record, Reject, Repair
from tests import tables
from tests.sources import by_kind, ingested


def _options(columns: dict[str, Any], **how: Any) -> Options:  # noqa: ANN401 - options
    return Options.model_validate({"loader": "table", "columns": columns, **how})


def _records(path: Path, columns: dict[str, Any], **how: Any) -> list[Record]:  # noqa: ANN401 - options
    return list(load(_options(columns, **how), path).records)


def _jsonl(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_pairs(tmp_path: Path) -> None:
    """A pair is a query, a passage and a judgement of 1; ids are made of the texts, titles belong to passages."""
    path = _jsonl(tmp_path, {"q": "What?", "a": "That.", "t": "About"})
    found = _records(path, {"query": "q", "positive": "a", "title": "t"})
    query, passage = text_id("q", "What?"), text_id("p", "About\nThat.")
    assert found == [
        Query(query, "What?", "train", None, None, "rows.jsonl", 1),
        Passage(passage, "About", "That.", "rows.jsonl", 1),
        Qrel(query, passage, 1.0, "rows.jsonl", 1),
    ]


def test_triplets_and_tuples(tmp_path: Path) -> None:
    """Negatives that people judged are judgements of 0, from one column, several, or lists."""
    path = _jsonl(tmp_path, {"q": "a", "p": ["b", "c"], "n1": "d", "n2": "e"})
    found = _records(path, {"query": "q", "positive": "p", "negative": ["n1", "n2"]})
    texts = {row.passage_id: row.text for row in by_kind(found, Passage)}
    assert {texts[row.passage_id]: row.relevance for row in by_kind(found, Qrel)} == {"b": 1, "c": 1, "d": 0, "e": 0}


def test_scored_pairs(tmp_path: Path) -> None:
    """The grade of a pair is the relevance of the second to the first; one that is no number is refused with its row."""
    path = tmp_path / "pairs.tsv"
    path.write_text('A "man\tB\t4.5\nA\tC\tnone\n')
    found = _records(path, {"query": "1", "passage": "2", "relevance": "3"}, header=False)
    assert [row.relevance for row in by_kind(found, Qrel)] == [4.5]
    assert by_kind(found, Query)[0].text == 'A "man'
    assert [(row.reason, row.file, row.row) for row in by_kind(found, Reject)] == [
        ("relevance_not_a_number", "pairs.tsv", 2)
    ]


def test_labelled_texts(tmp_path: Path) -> None:
    """A label is one label, and the source says so; numbers are labels too."""
    path = tmp_path / "texts.csv"
    path.write_text("text,label\nhello,greeting\nbye,7\n")
    source = load(_options({"query": "text", "label": "label"}), path)
    assert [row.labels for row in by_kind(source.records, Query)] == [("greeting",), ("7",)]
    assert source.one_label


@pytest.mark.parametrize(("cell", "separator"), [("a;b", ";"), (["a", "b"], None), ('["a"', None)])
def test_multi_labelled_texts(tmp_path: Path, cell: object, separator: str | None) -> None:
    """Labels are a list, or a text that a separator cuts; a text without separator is one label."""
    path = _jsonl(tmp_path, {"text": "x", "labels": cell})
    source = load(_options({"query": "text", "labels": "labels", "label_separator": separator}), path)
    assert by_kind(source.records, Query)[0].labels == (("a", "b") if cell != '["a"' else ('["a"',))
    assert not source.one_label


def test_splits_by_file(tmp_path: Path) -> None:
    """Each split names its files; facts count their rows."""
    for name in ("one", "two", "three"):
        (tmp_path / f"{name}.csv").write_text(f"q,p\n{name},x\n")
    source = load(
        _options({"query": "q", "positive": "p"}, files={"train": ["one.csv", "two.csv"], "dev": "three.csv"}), tmp_path
    )
    assert [(row.text, row.split) for row in by_kind(source.records, Query)] == [
        ("one", "train"),
        ("two", "train"),
        ("three", "dev"),
    ]
    assert source.facts == {f"{name}.csv": {"rows": 1} for name in ("one", "two", "three")}


def test_splits_by_column(tmp_path: Path) -> None:
    """A column says the split under the source's names; rows of other splits are left aside and counted."""
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"q": ["a", "b", "c"], "p": ["x"] * 3, "s": ["training", "validation", "test"]}), path)
    source = load(
        _options({"query": "q", "positive": "p", "split": "s"}, splits={"training": "train", "validation": "dev"}), path
    )
    assert [(row.text, row.split) for row in by_kind(source.records, Query)] == [("a", "train"), ("b", "dev")]
    assert source.facts == {"rows.parquet": {"rows": 3, "of_other_splits": 1}}


def test_own_ids_and_groups(tmp_path: Path) -> None:
    """Ids and groups of the source are kept, numbers as they are written."""
    path = _jsonl(
        tmp_path,
        {"i": 7, "q": "a", "j": ["p1", "p2"], "p": ["x", "y"], "g": "G"},
        {"i": 8, "q": "b", "j": "p1", "p": ["x", "y"]},
    )
    found = _records(path, {"query": "q", "positive": "p", "query_id": "i", "passage_id": "j", "group": "g"})
    assert [(row.query_id, row.group_id) for row in by_kind(found, Query)] == [("7", "G"), ("8", "")]
    assert [row.passage_id for row in by_kind(found, Passage)] == ["p1", "p2"]
    assert [row.reason for row in by_kind(found, Reject)] == ["ids_and_texts_differ_in_number"]


def test_equal_texts_have_equal_ids() -> None:
    """An id made of a text doesn't change with case and white space, nor with the rows around it."""
    assert text_id("q", "What  IS it") == text_id("q", "what is it") != text_id("q", "what is")


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"query": "q"}, "name exactly one of"),
        ({"query": "q", "positive": "p", "label": "l"}, "name exactly one of"),
        ({"query": "q", "passage": "p"}, "passage and relevance go together"),
        ({"query": "q", "label": "p", "negative": "n"}, "negative needs positive"),
        ({"query": "q", "positiv": "p"}, "did you mean 'positive'"),
    ],
)
def test_a_map_must_make_sense(columns: dict[str, Any], said: str) -> None:
    """A map that names no form, or two, is refused with what it should say."""
    with pytest.raises(ValidationError, match=said):
        Columns.model_validate(columns)


def test_only_one_source_of_splits() -> None:
    """Files and a column cannot both say the split."""
    with pytest.raises(ValidationError, match="keep one"):
        _options({"query": "q", "positive": "p", "split": "s"}, files={"train": "a.csv"})


@pytest.mark.parametrize(
    ("name", "said"), [("../secret.csv", "lies outside"), ("link.csv", "lies outside"), ("none.csv", "no such file")]
)
def test_files_stay_inside_their_folder(tmp_path: Path, name: str, said: str) -> None:
    """A file beyond the folder, also by a link, and one that is not there are refused."""
    (tmp_path / "secret.csv").write_text("q,p\na,b\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link.csv").symlink_to(tmp_path / "secret.csv")
    with pytest.raises(SourceError, match=said):
        load(_options({"query": "q", "positive": "p"}, files={"train": name}), folder)


def test_a_folder_needs_its_files_named(tmp_path: Path) -> None:
    """A folder without named files is an error that shows how to name them."""
    with pytest.raises(SourceError, match="name its files"):
        load(_options({"query": "q", "positive": "p"}), tmp_path)


_VALUE = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(st.characters(codec=None, exclude_categories=()), max_size=8)),
    lambda values: st.one_of(st.lists(values, max_size=3), st.dictionaries(st.text(max_size=3), values, max_size=2)),
    max_leaves=5,
)  # fmt: skip
_FORMS: list[dict[str, Any]] = [
    {"query": "a", "positive": "b", "negative": ["c", "d"], "title": "e"},
    {"query": "a", "passage": "b", "relevance": "c", "query_id": "d", "passage_id": "e"},
    {"query": "a", "label": "b", "group": "c"},
    {"query": "a", "labels": "b", "split": "c"},
    {"query": "a", "positive": "b", "passage_id": "c"},
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from("abcde"), _VALUE), max_size=6), st.sampled_from(_FORMS))
def test_hostile_rows_are_counted(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], columns: dict[str, Any]
) -> None:
    """Whatever types and texts the cells hold, every record is kept, merged or refused, and nothing else happens."""
    path = _jsonl(tmp_path_factory.mktemp("hostile"), *rows)
    task = "classification" if {"label", "labels"} & columns.keys() else "retrieval"
    try:
        found = ingested(load(_options(columns), path), tables.entry(task), check=False)
    except SourceError as error:
        said = ("has one text at", "is empty", "unknown column", "no row is of the split")
        assert any(one in str(error) for one in said)  # noqa: PT017 - any other message is a fault
        return
    assert found.report["source"]["rows.jsonl"].get("rows", 0) == len(rows)
    counts = [found.report[key] for key in ("read", "kept", "merged", "rejected")]
    for kind in counts[0]:
        read, kept, merged, rejected = (count.get(kind, 0) for count in counts)
        assert read == kept + merged + rejected


def test_an_empty_cell_is_no_negative(tmp_path: Path) -> None:
    """In rows with fewer negatives than columns the empty cells are none; an empty positive stays one to be refused."""
    path = tmp_path / "ragged.csv"
    path.write_text("q,p,n1,n2\na,b,c,\nd,,e,f\n")
    found = _records(path, {"query": "q", "positive": "p", "negative": ["n1", "n2"]})
    assert [row.text for row in by_kind(found, Passage)] == ["b", "c", "", "e", "f"]


def test_files_of_one_name_in_two_folders(tmp_path: Path) -> None:
    """Facts, records and refused rows say where in the folder a file lies."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.csv").write_text("q,p\na,b\nc\n")
    source = load(_options({"query": "q", "positive": "p"}, files={"train": ["a/x.csv"], "dev": ["b/x.csv"]}), tmp_path)
    found = list(source.records)
    assert {row.file for row in by_kind(found, Query)} == {row.file for row in by_kind(found, Reject)}
    assert source.facts == {"a/x.csv": {"rows": 2}, "b/x.csv": {"rows": 2}}


def test_a_name_that_is_no_utf8_can_be_reported(tmp_path: Path) -> None:
    """A file whose name holds other bytes is read, and called by their escapes."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/n\xff.csv"))
    path.write_text("q,p\na,b\n")
    source = load(_options({"query": "q", "positive": "p"}), path)
    assert {row.file for row in by_kind(source.records, Query)} == {"n\\udcff.csv"} == set(source.facts)


def test_splits_that_no_row_has_are_an_error(tmp_path: Path) -> None:
    """Where every row is of another split, the message lists their names, not too many, and says what to set."""
    path = tmp_path / "rows.csv"
    path.write_text("q,p,s\n" + "".join(f"a,b,fold {i}\n" for i in range(30)) + "broken\n")
    with pytest.raises(
        SourceError, match=r"rows.csv: .*split train or dev that.*'s' also has: fold 0, .*fold 19; set source.splits"
    ) as error:
        _records(path, {"query": "q", "positive": "p", "split": "s"})
    assert "fold 20" not in str(error.value)


def test_a_key_that_no_row_has_is_an_error(tmp_path: Path) -> None:
    """An optional column with a slip in its name would silently change the splits: it is said with the close one."""
    path = _jsonl(tmp_path, {"q": "a", "p": "b", "topic": "c"}, {"q": "d", "p": "e"})
    assert [row.group_id for row in by_kind(_records(path, {"query": "q", "positive": "p", "group": "topic"}), Query)]
    with pytest.raises(SourceError, match="unknown column 'topci'; did you mean 'topic'"):
        _records(path, {"query": "q", "positive": "p", "group": "topci"})


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (True, "true"),
        (False, "false"),
        (float("nan"), ""),
        (1.5, "1.5"),
        (b"caf\xc3\xa9\xff", "caf\u00e9\udcff"),
        ((1, 2), ""),
        ({1}, ""),
        ([1], ""),
        (None, ""),
        (Decimal("1.50"), "1.50"),
        (date(2020, 1, 2), "2020-01-02"),
        (datetime(2020, 1, 2, 3, 4), "2020-01-02 03:04:00"),  # noqa: DTZ001 - as Parquet has them
    ],
)
def test_cells_as_texts(cell: object, text: str) -> None:
    """Numbers, dates, truth values and bytes are texts; structures, null and no-number are none."""
    assert text_of(cell) == text


def test_decimals_are_numbers() -> None:
    """A grade of Parquet's decimal type is a number, truth values are none."""
    assert (number(Decimal("1.5")), number(Decimal("sNaN")), number(value=True)) == (1.5, None, None)


def test_a_string_where_a_list_is_due_is_repaired(tmp_path: Path) -> None:
    """A column that is named as a list of positives and holds a text is taken as one positive, and counted."""
    found = _records(_jsonl(tmp_path, {"q": "a", "p": "bcd"}), {"query": "q", "positive": ["p"]})
    assert [row.text for row in by_kind(found, Passage)] == ["bcd"]
    assert [row.reason for row in by_kind(found, Repair)] == ["string_for_list"]


def test_a_split_that_no_row_has_is_an_error(tmp_path: Path) -> None:
    """A name of a split that no row has is a mistake while rows of other splits are left aside."""
    path = tmp_path / "rows.csv"
    path.write_text("q,p,s\na,b,train\nc,d,valid\n")
    columns = {"query": "q", "positive": "p", "split": "s"}
    with pytest.raises(SourceError, match=r"no row is of the split test that .* 's' also has: valid"):
        _records(path, columns, splits={"train": "train", "test": "dev"})
    assert len(_records(path, columns, splits={"train": "train", "valid": "dev"})) == 6


def test_names_of_splits_need_their_column() -> None:
    """Splits without a column or files would be ignored, so they are refused."""
    with pytest.raises(ValidationError, match=r"name it in columns\.split"):
        _options({"query": "q", "positive": "p"}, splits={"train": "train"})
