"""Facts about negatives that somebody else mined, in each form."""

import csv
import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from embedder.errors import SourceError
from embedder.loaders import Source
from embedder.loaders.columns import text_id
from embedder.loaders.given import Options, load
from embedder.records import Given, Passage, Qrel, Query, Record, Reject, Repair

ASK, YES, NO, NAY = text_id("q", "ask"), text_id("p", "yes"), text_id("p", "no"), text_id("p", "nay")


def options(form: str, **changes: Any) -> Options:  # noqa: ANN401 - of any type, wrong ones too
    """Return options of a form."""
    return Options.model_validate({"loader": "given", "form": form} | changes)


def read(source: Source, kind: type[Record] | None = None) -> Sequence[Any]:
    """Read a source's records, those of one kind if it is given."""
    return [record for record in source.records if kind is None or isinstance(record, kind)]


def write(path: Path, *rows: object) -> Path:
    """Write rows as JSONL."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def beir(folder: Path) -> Path:
    """Write a BEIR folder of a query and two passages."""
    (folder / "qrels").mkdir(parents=True)
    write(folder / "corpus.jsonl", *({"_id": name, "title": "", "text": f"text {name}"} for name in ("p1", "p2")))
    write(folder / "queries.jsonl", {"_id": "q1", "text": "ask"})
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq1\tp1\t1\n")
    return folder


def test_an_n_tuple_gives_its_negatives_in_order(tmp_path: Path) -> None:
    """The positive is judged 1, negatives are not judged and have their place and no score."""
    row = {"anchor": "ask", "positive": "yes", "negative_2": "nay", "negative_1": "no"}
    source = load(options("n-tuples"), write(tmp_path / "mined.jsonl", row))
    assert read(source) == [
        Query(ASK, "ask", "train", None, None, "mined.jsonl", 1),
        Passage(YES, "", "yes", "mined.jsonl", 1),
        Qrel(ASK, YES, 1.0, "mined.jsonl", 1),
        Passage(NO, "", "no", "mined.jsonl", 1),
        Given(ASK, NO, 1, None, "mined.jsonl", 1),
        Passage(NAY, "", "nay", "mined.jsonl", 1),
        Given(ASK, NAY, 2, None, "mined.jsonl", 1),
    ]
    assert source.facts == {"mined.jsonl": {"rows": 1}}


def test_negatives_are_ordered_by_number_not_by_name(tmp_path: Path) -> None:
    """negative_10 comes after negative_2."""
    row = {"query": "ask", "positive": "yes"} | {f"negative_{i}": f"no {i}" for i in (10, 2, 1)}
    found = read(load(options("n-tuples"), write(tmp_path / "mined.jsonl", row)), Given)
    assert [one.passage_id for one in found] == [text_id("p", f"no {i}") for i in (1, 2, 10)]


def test_scores_of_an_n_tuple_are_of_the_positive_and_the_negatives(tmp_path: Path) -> None:
    """With a list of scores the positive is given too; another number of scores refuses the row."""
    rows = [
        {"query": "ask", "positive": "yes", "negative": "no", "scores": [0.9, 0.4]},
        {"query": "ask", "positive": "yes", "negative": "no", "scores": [0.9]},
        {"query": "ask", "positive": "yes", "negative": "no", "scores": []},
    ]
    found = read(load(options("n-tuples"), write(tmp_path / "mined.jsonl", *rows)))
    assert [one for one in found if isinstance(one, Given)] == [
        Given(ASK, YES, 1, 0.9, "mined.jsonl", 1),
        Given(ASK, NO, 2, 0.4, "mined.jsonl", 1),
    ]
    refused = [Reject("row", ASK, "scores_and_texts_differ_in_number", "mined.jsonl", number) for number in (2, 3)]
    assert [one for one in found if isinstance(one, Reject)] == refused


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet", "jsonl.gz"])
def test_n_tuples_are_read_from_every_form_of_file(tmp_path: Path, form: str) -> None:
    """CSV, TSV, Parquet and packed JSONL give the same records."""
    path = tmp_path / f"mined.{form}"
    rows = [{"query": "ask", "positive": "yes", "negative_1": "no", "negative_2": "nay"}]
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif form == "jsonl.gz":
        path.write_bytes(gzip.compress(json.dumps(rows[0]).encode()))
    else:
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0], delimiter="," if form == "csv" else "\t")
            writer.writeheader()
            writer.writerows(rows)
    found = read(load(options("n-tuples"), path))
    assert [one.text for one in found if isinstance(one, Query | Passage)] == ["ask", "yes", "no", "nay"]
    assert [one.place for one in found if isinstance(one, Given)] == [1, 2]


def test_columns_may_have_other_names(tmp_path: Path) -> None:
    """Columns are read by the names that are given, scores beside them; a missing one is said by name."""
    path = tmp_path / "mined.parquet"
    pq.write_table(pa.table({"q": ["ask"], "good": ["yes"], "bad": [["no", "nay"]], "scores": [[3.0, 2.0, 1.0]]}), path)
    names = {"query": "q", "positive": "good", "negative": "bad"}
    found = read(load(options("n-tuples", columns=names), path), Given)
    assert [(one.passage_id, one.score) for one in found] == [(YES, 3.0), (NO, 2.0), (NAY, 1.0)]
    with pytest.raises(SourceError, match="unknown column 'goood'; did you mean 'good'"):
        read(load(options("n-tuples", columns=names | {"positive": "goood"}), path))


def test_flag_with_scores(tmp_path: Path) -> None:
    """Positives with scores are given before the negatives; prompt and type are left aside."""
    row = {"query": "ask", "pos": ["yes"], "neg": ["no", "nay"], "pos_scores": [0.9], "neg_scores": [0.5, 0.4]}
    source = load(options("flag"), write(tmp_path / "mined.jsonl", row | {"prompt": "Find it", "type": "normal"}))
    found = read(source)
    assert [(one.passage_id, one.place, one.score) for one in found if isinstance(one, Given)] == [
        (YES, 1, 0.9),
        (NO, 2, 0.5),
        (NAY, 3, 0.4),
    ]
    assert [one for one in found if isinstance(one, Qrel)] == [Qrel(ASK, YES, 1.0, "mined.jsonl", 1)]


def test_flag_without_scores(tmp_path: Path) -> None:
    """Without scores, or with null, positives are not given, and negatives are without score."""
    row = {"query": "ask", "pos": ["yes"], "neg": ["no"], "pos_scores": None}
    assert read(load(options("flag"), write(tmp_path / "mined.jsonl", row)), Given) == [
        Given(ASK, NO, 1, None, "mined.jsonl", 1)
    ]


def test_a_string_where_a_list_is_due(tmp_path: Path) -> None:
    """It is one text and not a list of its characters, and a repair says so, once a field (FlagEmbedding #1388)."""
    rows = [{"query": "ask", "pos": ["yes"], "neg": "no"}, {"query": "ask", "pos": "yes", "neg": "no"}]
    found = read(load(options("flag"), write(tmp_path / "mined.jsonl", *rows)))
    assert [one.row for one in found if isinstance(one, Repair)] == [1, 2, 2]
    assert found.count(Repair("row", ASK, "string_for_list", "mined.jsonl", 1)) == 1
    assert {one.passage_id for one in found if isinstance(one, Passage)} == {YES, NO}


def test_scores_of_another_number_refuse_the_row(tmp_path: Path) -> None:
    """Nobody knows whose they are: nothing of the row is kept."""
    row = {"query": "ask", "pos": ["yes"], "neg": ["no", "nay"], "neg_scores": [0.5]}
    assert read(load(options("flag"), write(tmp_path / "mined.jsonl", row))) == [
        Reject("row", ASK, "scores_and_texts_differ_in_number", "mined.jsonl", 1)
    ]


def test_scores_that_are_no_numbers(tmp_path: Path) -> None:
    """NaN and infinity are yielded as found, for ingestion to refuse; what is no number is refused here."""
    path = tmp_path / "mined.jsonl"
    path.write_text('{"query": "ask", "pos": ["yes"], "neg": ["no", "nay"], "neg_scores": [-Infinity, "high"]}\n')
    found = read(load(options("flag"), path))
    assert [one.score for one in found if isinstance(one, Given)] == [float("-inf")]
    assert Reject("given", f"{ASK}\t{NAY}", "score_not_a_number", "mined.jsonl", 1) in found


def test_empty_cells_are_no_negatives(tmp_path: Path) -> None:
    """In a table whose rows have fewer negatives than columns the empty cells are none; one in a list stays."""
    path = tmp_path / "mined.csv"
    path.write_text("query,positive,negative_1,negative_2\nask,yes,no,\nask 2,,no, \n")
    found = read(load(options("n-tuples"), path), Passage)
    assert [one.text for one in found] == ["yes", "no", "", "no"]
    row = {"query": "ask", "pos": ["yes"], "neg": ["no", ""], "neg_scores": [2, 1]}
    assert len(read(load(options("flag"), write(tmp_path / "mined.jsonl", row)), Given)) == 2


def test_files_of_one_name_in_two_folders(tmp_path: Path) -> None:
    """Facts and records, refused ones too, say where in the folder a file lies."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write(tmp_path / name / "x.jsonl", {"query": name, "pos": ["yes"], "neg": ["no"]}, [])
    source = load(options("flag", files={"train": "a/x.jsonl", "dev": "b/x.jsonl"}), tmp_path)
    found = read(source)
    assert [one.file for one in found if isinstance(one, Reject)] == ["a/x.jsonl", "b/x.jsonl"]
    assert {one.file for one in found} == {"a/x.jsonl", "b/x.jsonl"}
    assert source.facts == {"a/x.jsonl": {"rows": 2}, "b/x.jsonl": {"rows": 2}}


def test_a_column_that_nobody_needs_is_not_read(tmp_path: Path) -> None:
    """A date after the year 9999 beside the tuples does no harm; unknown names of a map are errors in JSONL too."""
    when = pa.array([10**7], pa.int32()).cast(pa.date32())
    table = pa.table({"query": ["ask"], "positive": ["yes"], "negative": ["no"], "when": when})
    pq.write_table(table, tmp_path / "mined.parquet")
    assert len(read(load(options("n-tuples"), tmp_path / "mined.parquet"))) == 5
    path = write(tmp_path / "mined.jsonl", {"query": "ask", "pos": ["yes"], "bad": ["no"]})
    with pytest.raises(SourceError, match="unknown column 'bda'; did you mean 'bad'"):
        read(load(options("flag", columns={"negative": "bda"}), path))


@pytest.mark.parametrize("name", ["neg", "neg_1", "hard_negative_1", "Negative"])
def test_negatives_under_other_names_are_not_passed_over(tmp_path: Path, name: str) -> None:
    """Where no column of negatives is known, one that looks like it is an error that lists the columns."""
    path = write(tmp_path / "mined.jsonl", {"query": "ask", "positive": "yes", name: "no"})
    with pytest.raises(SourceError, match=rf"among query, positive, {name}; name them: .*negative: \[{name}\]"):
        read(load(options("n-tuples"), path))
    assert read(load(options("n-tuples", columns={"negative": [name]}), path), Given)


def test_files_of_each_split(tmp_path: Path) -> None:
    """Files belong to the split that names them, one or several, and stay inside the folder."""
    for name in ("a", "b", "c"):
        write(tmp_path / f"{name}.jsonl", {"query": name, "pos": ["yes"], "neg": ["no"]})
    files = {"train": ["a.jsonl", "b.jsonl"], "dev": "c.jsonl"}
    source = load(options("flag", files=files, dev_share=0.2), tmp_path)
    found = [(one.text, one.split) for one in read(source, Query)]
    assert (found, source.dev_share) == ([("a", "train"), ("b", "train"), ("c", "dev")], 0.2)
    assert list(source.facts) == ["a.jsonl", "b.jsonl", "c.jsonl"]
    with pytest.raises(SourceError, match="lies outside"):
        load(options("flag", files={"train": "../a.jsonl"}), tmp_path)
    with pytest.raises(SourceError, match="is a folder; name its files"):
        load(options("flag"), tmp_path)


def test_a_trec_run(tmp_path: Path) -> None:
    """Texts and judgements are those of the BEIR folder; each line of the run is given with its rank and score."""
    folder = beir(tmp_path / "set")
    (folder / "bm25.trec").write_text("q1 Q0 p2 1 9.5 bm25\r\nq1\tQ0\tp1\t2\t-1e400\tbm25\n\n")
    source = load(options("trec-run", run="bm25.trec"), folder)
    found = read(source)
    assert [one for one in found if isinstance(one, Given)] == [
        Given("q1", "p2", 1, 9.5, "bm25.trec", 1),
        Given("q1", "p1", 2, float("-inf"), "bm25.trec", 2),
    ]
    assert Qrel("q1", "p1", 1.0, "qrels/train.tsv", 2, "train") in found
    assert sum(isinstance(one, Passage) for one in found) == 2
    assert source.facts["bm25.trec"] == {"lines": 2}


def test_broken_lines_of_a_run(tmp_path: Path) -> None:
    """A line of another number of cells, without a score or without a rank is refused with its reason."""
    folder = beir(tmp_path / "set")
    lines = ["q1 p2 1 9.5", "q1 Q0 p2 1 high bm25", "q1 Q0 p2 first 9.5 bm25", "q1 Q0 p\xa02 1 9.5 bm25", "\x1c"]
    (folder / "run").write_text("\n".join(lines))
    found = read(load(options("trec-run", run="run", splits={"dev": "train"}), folder))
    assert [(one.row, one.id, one.reason) for one in found if isinstance(one, Reject)] == [
        (1, "", "not_six_cells"),
        (2, "q1\tp2", "score_not_a_number"),
        (3, "q1\tp2", "rank_not_a_number"),
        (5, "", "not_six_cells"),
    ]
    assert [one.passage_id for one in found if isinstance(one, Given)] == ["p\xa02"]
    assert [one.split for one in found if isinstance(one, Qrel)] == ["dev"]
    with pytest.raises(SourceError, match="no such file"):
        load(options("trec-run", run="other"), folder)


@pytest.mark.parametrize(
    ("form", "changes", "said"),
    [
        ("trec-run", {}, "needs run"),
        ("trec-run", {"run": "r", "files": {"train": "a"}}, "form trec-run has no files"),
        ("flag", {"run": "r"}, "form flag has no run"),
        ("n-tuples", {"splits": {"train": "train"}}, "form n-tuples has no splits"),
        ("trec-run", {"run": "r", "splits": {}}, "at least 1"),
        ("trec-run", {"run": "r", "splits": {"train": "../x"}}, "should match pattern"),
        ("flag", {"files": {}}, "at least 1"),
        ("pairs", {}, "'n-tuples', 'flag' or 'trec-run'"),
        ("flag", {"columns": {"pos": "p"}}, "unknown key 'pos'"),
    ],
)
def test_keys_of_another_form_are_refused(form: str, changes: dict[str, Any], said: str) -> None:
    """A key that a form does not read is an error, not ignored."""
    with pytest.raises(ValidationError, match=said):
        options(form, **changes)


def test_options_survive_being_written_down() -> None:
    """Options that are dumped with all their defaults are the same when read again."""
    for one in (options("flag"), options("n-tuples", files={"dev": "a"}), options("trec-run", run="run")):
        assert Options.model_validate(one.model_dump()) == one
