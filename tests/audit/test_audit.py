"""The audit finds every planted fault in every form, and nothing in clean data."""

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedder import schemas
from embedder.audit.audit import Wanted, audit
from embedder.audit.findings import Findings
from embedder.audit.forms import Asked
from embedder.audit.gathered import Grades
from embedder.audit.page import render
from embedder.errors import EmbedderError, SourceError
from embedder.records import Query, Record, Reject
from tests import tables
from tests.audit import sources
from tests.audit.sources import CLEAN, FAULTS, LONG, Row

CASES = [(form, name) for name, fault in FAULTS.items() for form in sources.WRITERS if form in fault.forms]


def found(findings: Findings) -> Counter[str]:
    """Return how many rows each check found, without checks that found none."""
    return Counter({one.check: one.count for one in findings.found if one.count})


def places(findings: Findings, check: str) -> list[str]:
    """Return where the examples of a check are."""
    return [example.place for one in findings.found if one.check == check for example in one.examples]


def look(source: Path, asked: Asked = Asked(), **wanted: Any) -> Findings:  # noqa: ANN401, B008 - frozen
    """Audit a source."""
    return audit(str(source), asked, Wanted(**wanted))


def jsonl(path: Path, *rows: object) -> Path:
    """Write JSONL beside a card that states a licence."""
    (path.parent / "README.md").write_text(sources.CARD)
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return path


@pytest.mark.parametrize("form", sources.WRITERS)
def test_clean_data_have_no_finding(form: str, tmp_path: Path) -> None:
    """Nothing is found in clean data, and every row is audited."""
    findings = look(sources.write(form, tmp_path, CLEAN))
    assert found(findings) == {}
    assert findings.rows == findings.audited == (5 + 15 + 15 if form == "beir" else 5)


@pytest.mark.parametrize(("form", "name"), CASES)
def test_a_planted_fault_is_found(form: str, name: str, tmp_path: Path) -> None:
    """Each fault is found by its check in each form that can hold it, in one row, at its place."""
    fault = FAULTS[name]
    findings = look(sources.write(form, tmp_path, fault.plant(CLEAN)))
    counts = found(findings)
    if form == "beir":
        # Lines of qrels stand alone: what repeats, repeats for positives and negatives.
        assert counts[fault.check]
        return
    assert counts[fault.check] == 1
    file = {"flag": "mined.jsonl", "shards": "docs-00000.parquet"}.get(form, f"train.{form}")
    header = form in {"csv", "tsv"}
    assert places(findings, fault.check) == [f"{file}:{fault.place + header}"]
    assert set(counts) - {fault.check} <= {"positive_of_other_row", "repeated_positive"}


def test_every_check_is_a_fault_or_a_warning(tmp_path: Path) -> None:
    """Negatives above the positive and repeated positives are warnings; what is false or broken is a fault."""
    findings = look(sources.write("flag", tmp_path, CLEAN))
    assert {one.check for one in findings.found if one.level == "warning"} == {
        *("repeated_positive", "above_positive", "string_for_list", "no_licence", "restricted_licence"),
    }


def test_faults_up_to_a_share_are_let_pass(tmp_path: Path) -> None:
    """A fault counts where its share of rows is above what is allowed."""
    findings = look(sources.write("flag", tmp_path, FAULTS["near copy"].plant(CLEAN)))
    assert [one.check for one in findings.faults()] == ["near_copy"]
    assert [one.check for one in findings.faults(0.19)] == ["near_copy"]
    assert findings.faults(0.2) == []


def test_rows_that_cannot_be_read_are_counted_by_reason(tmp_path: Path) -> None:
    """Rows read are those audited and those unreadable, each with its reason."""
    path = jsonl(tmp_path / "mined.jsonl", {"query": "q", "pos": ["p"], "neg": ["n"]})
    with path.open("ab") as file:
        file.write(b'no json\n["no object"]\n{"query": "q\xff", "pos": ["p2"], "neg": []}\n')
        file.write(b'{"query": "q3", "pos": ["p"], "neg": ["a", "b"], "neg_scores": [1]}\n')
        file.write(b'{"query": "q4", "pos": ["p"], "neg": ["a"], "neg_scores": ["much"]}\n')
    findings = look(path, examples=10)
    assert (findings.rows, findings.audited, findings.unreadable) == (6, 1, 5)
    (unreadable,) = [one for one in findings.found if one.check == "unreadable"]
    assert [(one.place, one.detail) for one in unreadable.examples] == [
        ("mined.jsonl:2", "not_json"),
        ("mined.jsonl:3", "not_an_object"),
        ("mined.jsonl:4", "invalid_utf8"),
        ("mined.jsonl:5", "scores_and_texts_differ_in_number"),
        ("mined.jsonl:6", "score_not_a_number"),
    ]


def test_a_string_for_a_list_is_pointed_out(tmp_path: Path) -> None:
    """FlagEmbedding would read the characters of a string; it is one text here, with a warning."""
    findings = look(jsonl(tmp_path / "mined.jsonl", {"query": "q", "pos": "the answer", "neg": ["n"]}))
    assert found(findings) == {"string_for_list": 1}


def test_texts_with_two_labels_conflict(tmp_path: Path) -> None:
    """One text with two labels is a conflict, one with the same label a duplicate; a list of labels is neither."""
    rows = [{"text": "a", "label": "x"}, {"text": "A ", "label": "y"}, {"text": "b", "label": "x"}]
    findings = look(jsonl(tmp_path / "one.jsonl", *rows, rows[2]), examples=9)
    assert found(findings) == {"conflicting_labels": 2, "duplicate_row": 1}
    assert places(findings, "conflicting_labels") == ["one.jsonl:1", "one.jsonl:2"]
    several = look(
        jsonl(tmp_path / "several.jsonl", {"text": "a", "labels": ["x", "y"]}, {"text": "b", "labels": ["x"]})
    )
    assert found(several) == {}


def test_scored_pairs_with_two_grades_conflict(tmp_path: Path) -> None:
    """A pair with two grades is a conflict; equal sentences are a pair like any other."""
    rows = [
        {"sentence1": "a", "sentence2": "b", "score": 1.0},
        {"sentence1": "a", "sentence2": "B", "score": "4"},
        {"sentence1": "c", "sentence2": "c", "score": 5},
        {"sentence1": "d", "sentence2": "e", "score": "nan"},
    ]
    findings = look(jsonl(tmp_path / "pairs.jsonl", *rows))
    assert found(findings) == {"conflicting_labels": 2, "duplicate_row": 1, "score_not_finite": 1}


def test_a_run_beside_a_beir_folder_is_its_negatives(tmp_path: Path) -> None:
    """A TREC run may rank positives; another passage with a positive's text, and one above the positive, are found."""
    folder = sources.write("beir", tmp_path, CLEAN[:1])
    with (folder / "corpus.jsonl").open("a") as file:
        file.write(json.dumps({"_id": "copy", "text": CLEAN[0].positives[0].upper()}) + "\n")
        file.write(json.dumps({"_id": "other", "text": "something else"}) + "\n")
    (folder / "bm25.trec").write_text(
        "q0 Q0 other 1 9.5 x\nq0 Q0 p0 2 9.0 x\nq0 Q0 copy 3 8.0 x\nq0 Q0 nobody 4 7 x\nq0 Q0 p1 5 6 x\n"
    )
    findings = look(folder)
    assert found(findings) == {"positive_in_negatives": 1, "above_positive": 1, "unknown_id": 1}
    assert places(findings, "positive_in_negatives") == ["bm25.trec:3"]
    assert "bm25.trec" in findings.form


def test_beir_ids_must_stand_for_one_text(tmp_path: Path) -> None:
    """An id with two texts and a judgement that points nowhere are found."""
    folder = sources.write("beir", tmp_path, CLEAN)
    with (folder / "corpus.jsonl").open("a") as file:
        file.write('{"_id": "p0", "text": "another text"}\n')
    with (folder / "qrels" / "train.tsv").open("a") as file:
        file.write("q1\tnobody\t1\n")
    assert found(look(folder)) == {"id_of_two_texts": 2, "unknown_id": 1}


def test_grades_say_what_is_a_positive(tmp_path: Path) -> None:
    """With positive_at 2 a passage of relevance 1 is no positive, so its copy among the negatives is no fault."""
    folder = sources.write("beir", tmp_path, FAULTS["positive among the row's negatives"].plant(CLEAN))
    assert found(look(folder))["positive_in_negatives"]
    assert found(look(folder, Asked(grades=Grades(2.0, 0.0)))) == {}


def test_near_copies_of_scripts_without_blanks_are_found(tmp_path: Path) -> None:
    """Japanese is compared by characters."""
    text = "東京都は日本の首都であり、世界でも最大級の都市圏を形成している。人口は約千四百万人である。"
    row = {"query": "日本の首都はどこですか", "pos": [text], "neg": [f"{text}と言う"]}
    assert found(look(jsonl(tmp_path / "ja.jsonl", row))) == {"near_copy": 1}
    assert found(look(tmp_path / "ja.jsonl", unit="word")) == {}
    assert found(look(tmp_path / "ja.jsonl", jaccard=None)) == {}


@given(
    st.lists(st.text("ab ", max_size=30), min_size=1, max_size=8),
    st.lists(st.text("ab ", max_size=30), min_size=1, max_size=8),
    st.sampled_from([0.3, 0.8, 1.0]),
)
def test_the_quick_look_refuses_no_near_copy(left: list[str], right: list[str], jaccard: float) -> None:
    """Pairs that are said to need no comparison are no near copies."""
    from embedder.audit.near import Rule, _possible
    from embedder.near_copies import shingle, similar_pairs

    left, right = ([" ".join(text.split()) for text in texts] for texts in (left, right))
    for unit in ("word", "character"):
        rule = Rule(jaccard, unit, 2)
        rows, columns, _ = similar_pairs(shingle(left, rule.unit, 2), shingle(right, rule.unit, 2), jaccard)
        assert all(_possible(left[i], right[j], rule) for i, j in zip(rows, columns, strict=True))


def held_out(folder: Path) -> Path:
    """Write a BEIR folder whose dev split has one query, one positive and one passage that is not relevant."""
    (folder / "qrels").mkdir(parents=True)
    jsonl(folder / "corpus.jsonl", {"_id": "a", "text": f"held {LONG}"}, {"_id": "b", "text": "not relevant"})
    jsonl(folder / "queries.jsonl", {"_id": "x", "text": "dev query"}, {"_id": "y", "text": "train query"})
    (folder / "qrels" / "test.tsv").write_text("x\ta\t1\nx\tb\t0\n")
    (folder / "qrels" / "train.tsv").write_text("y\ta\t1\n")
    return folder


def ingested(folder: Path) -> Path:
    """Write the same as data/ingest of a dataset."""
    (folder / "docs").mkdir(parents=True)
    for table, data in (
        (schemas.QUERIES, tables.queries({"y": "train query"}, {"x": "dev query"})),
        (schemas.CORPUS, tables.corpus({"a": f"held {LONG}", "b": "not relevant"})),
        (schemas.QRELS, tables.qrels([("x", "a", 1.0), ("x", "b", 0.0), ("y", "b", 1.0)])),
    ):
        schemas.write(folder / "docs" / f"{table.name}.parquet", table, data)
    return folder


@pytest.mark.parametrize("make", [held_out, ingested])
def test_what_is_held_out_must_not_be_trained_on(make: Any, tmp_path: Path) -> None:  # noqa: ANN401 - one of two
    """Queries and positives that are dev texts, or nearly, are found; negatives and train texts may be shared."""
    against = make(tmp_path / "against")
    rows = [
        {"query": "DEV query", "pos": ["p1"], "neg": ["n1"]},
        {"query": "q2", "pos": [f"Held {LONG}"], "neg": ["n2"]},
        {"query": "q3", "pos": [f"held {LONG} indeed"], "neg": ["n3"]},
        {"query": "train query", "pos": ["not relevant"], "neg": [f"held {LONG}"]},
    ]
    (tmp_path / "train").mkdir()
    findings = look(jsonl(tmp_path / "train" / "mined.jsonl", *rows), against=[against])
    assert found(findings) == {"held_out": 2, "held_out_nearly": 1}
    assert places(findings, "held_out") == ["mined.jsonl:1", "mined.jsonl:2"]
    assert places(findings, "held_out_nearly") == ["mined.jsonl:3"]
    assert [(one.folder, one.queries, one.passages) for one in findings.held_out] == [(str(against), 1, 1)]


def test_a_row_that_is_held_out_is_not_nearly_held_out_too(tmp_path: Path) -> None:
    """A row whose query is held out and whose positive nearly is counts once."""
    against = held_out(tmp_path / "against")
    row = {"query": "dev query", "pos": [f"held {LONG} indeed"], "neg": ["n1"]}
    assert found(look(jsonl(tmp_path / "mined.jsonl", row), against=[against])) == {"held_out": 1}


def test_a_folder_that_holds_nothing_out_is_refused(tmp_path: Path) -> None:
    """A BEIR folder without judgements for evaluation is an error that names those it has."""
    against = held_out(tmp_path / "against")
    (against / "qrels" / "test.tsv").rename(against / "qrels" / "all.tsv")
    path = sources.write("flag", tmp_path / "source", CLEAN)
    with pytest.raises(SourceError, match=r"holds nothing out, .*\(there are: all, train\); correct --against"):
        look(path, against=[against])
    for name in ("dev", "valid", "validation"):
        (against / "qrels" / "all.tsv").rename(against / "qrels" / f"{name}.tsv")
        assert look(path, against=[against]).held_out[0].queries == 1
        (against / "qrels" / f"{name}.tsv").rename(against / "qrels" / "all.tsv")


def test_dev_files_of_a_folder_are_no_training_texts(tmp_path: Path) -> None:
    """In a folder with train.csv and dev.csv each is audited apart, and only train is compared with what is held out."""
    against = held_out(tmp_path / "against")
    folder = tmp_path / "source"
    folder.mkdir()
    for name in ("train", "dev"):
        sources.separated(folder / f"{name}.csv", [{"text": f"{name} query", "label": "x"}], ",")
    sources.separated(folder / "dev.csv", [{"text": "dev query", "label": "x"}], ",")
    assert found(look(folder, against=[against], licence="CC0-1.0")) == {}


@pytest.mark.parametrize(
    ("licence", "check"),
    [
        ("cc-by-nc-4.0", "restricted_licence"),
        ("CC BY-ND 4.0", "restricted_licence"),
        ("for non-commercial use", "restricted_licence"),
        ("unknown", "no_licence"),
        ("Apache-2.0", None),
        ("cc-by-sa-3.0", None),
    ],
)
def test_licences_are_read_and_pointed_out(licence: str, check: str | None, tmp_path: Path) -> None:
    """The card's licence counts; none and restricted ones are warnings."""
    path = sources.write("flag", tmp_path, CLEAN)
    (tmp_path / "README.md").write_text(f"---\nlicense: {licence}\ntags: [x]\n---\ntext")
    findings = look(path)
    assert found(findings) == ({check: 1} if check else {})
    assert findings.licences == {tmp_path.name: licence}
    assert findings.faults() == []


def test_a_licence_can_be_said(tmp_path: Path) -> None:
    """What is said replaces what the source states."""
    path = sources.write("flag", tmp_path, CLEAN)
    assert found(look(path, licence="CC-BY-NC-4.0")) == {"restricted_licence": 1}


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        (["anchor", "positive"], "pairs (query: anchor, positive: positive)"),
        (["sentence1", "sentence2"], "pairs (query: sentence1, positive: sentence2)"),
        (["sentence1", "sentence2", "label"], "scored pairs (query: sentence1, second: sentence2, score: label)"),
        (["Text", "category"], "labelled texts (text: Text, label: category)"),
        (["question", "tags"], "labelled texts (text: question, labels: tags)"),
        (
            ["question", "answer", "wrong_1", "wrong"],
            "triplets or tuples with negatives (query: question, positive: answer, negative: wrong_1 + wrong)",
        ),
        (
            ["query", "positive", "neg", "neg_1", "hard_negative", "hard_negative_1"],
            (
                "triplets or tuples with negatives (query: query, positive: positive, "
                "negative: neg + neg_1 + hard_negative + hard_negative_1)"
            ),
        ),
        (
            ["query", "positive", "negative_10", "negative_2"],
            "triplets or tuples with negatives (query: query, positive: positive, negative: negative_10 + negative_2)",
        ),
    ],
)
def test_the_form_is_recognised_by_columns(columns: list[str], says: str, tmp_path: Path) -> None:
    """Known names of columns say what they hold."""
    path = sources.separated(tmp_path / "x.csv", [{name: f"{i}" for i, name in enumerate(columns)}], ",")
    assert look(path).form == f"{says} from x.csv"


@pytest.mark.parametrize(
    ("columns", "left"),
    [
        (["question", "answer"], ""),
        (["question", "answer", "id", "bad"], "; not read: id, bad"),
        (["text", "label", "tags"], "; not read: tags"),
        (["question", "answer", *"abcdefghijkl"], "; not read: a, b, c, d, e, f, g, h, i, j and 2 more"),
    ],
)
def test_columns_that_nobody_reads_are_named(columns: list[str], left: str, tmp_path: Path) -> None:
    """The form ends with the columns that are not read, ten at most."""
    path = sources.separated(tmp_path / "x.csv", [{name: f"{i}" for i, name in enumerate(columns)}], ",")
    assert look(path).form.partition(" from x.csv")[2] == left


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ("query=a,passage=b,relevance=c", "scored pairs (query: a, second: b, score: c)"),
        ("query=a,label=b", "labelled texts (text: a, label: b)"),
        ("labels=b,query=a", "labelled texts (text: a, labels: b)"),
        (
            "query=a,positive=b,negative=c+d+e",
            "triplets or tuples with negatives (query: a, positive: b, negative: c + d + e)",
        ),
    ],
)
def test_roles_are_called_as_in_the_parameters(columns: str, says: str, tmp_path: Path) -> None:
    """--columns takes the names that params.yaml has, and several columns joined by +."""
    row = {"a": "1", "b": "2", "c": "3", "d": "4", "e": "5"}
    sources.separated(tmp_path / "x.csv", [row], ",")
    assert look(tmp_path / "x.csv", Asked(columns=columns)).form.startswith(f"{says} from x.csv")


def test_a_column_may_have_a_plus_in_its_name(tmp_path: Path) -> None:
    """A name with a + that is a column is that column."""
    path = sources.separated(tmp_path / "x.csv", [{"a": "1", "b": "2", "c+d": "3"}], ",")
    assert "negative: c+d)" in look(path, Asked(columns="query=a,positive=b,negative=c+d")).form


def test_columns_can_be_said(tmp_path: Path) -> None:
    """A map of columns makes any table readable, also one without header."""
    path = tmp_path / "x.tsv"
    path.write_text('frage\tantwort\tfalsch\nfrage 2\t"antwort\t2\n')
    asked = Asked(columns="query=1, positive=2, negative=3", header=False, quoting=False)
    findings = look(path, asked, licence="CC0-1.0")
    assert findings.rows == 2
    assert found(findings) == {}


@pytest.mark.parametrize(
    ("content", "asked", "message"),
    [
        (
            "a,b\n1,2\n",
            Asked(),
            (
                "its columns (a, b) are no known form; say what they hold: --columns ROLE=COLUMN,ROLE=COLUMN; roles: query, "
                "positive, negative, passage, relevance, label, labels; --no-header if the first row is data"
            ),
        ),
        ("a,b\n1,2\n", Asked(columns="query=a,positive=c"), "unknown column 'c'"),
        ("a,b\n1,2\n", Asked(columns="query=a+b,positive=b"), "a and b cannot both be one"),
        ("a,b\n1,2\n", Asked(columns="query=a,positive=b,negative=b+x"), "unknown column 'x'"),
        ("a,b\n1,2\n", Asked(columns="query=a"), "names no whole form"),
        ("a,b\n1,2\n", Asked(columns="querry=a"), "unknown role 'querry'; did you mean 'query'?"),
        ("a,b\n1,2\n", Asked(columns="query"), "is no role=column"),
        ("a,b\n1,2\n", Asked(loader="tabel"), "unknown loader 'tabel'; did you mean 'table'?"),
        ("query,pos\n1,2\n", Asked(loader="beir"), "has no .tsv"),
        ("", Asked(), "x.csv: is empty"),
    ],
)
def test_what_cannot_be_audited_is_said_in_one_line(content: str, asked: Asked, message: str, tmp_path: Path) -> None:
    """A source that is not recognised is refused with what to do."""
    (tmp_path / "x.csv").write_text(content)
    with pytest.raises(SourceError) as caught:
        look(tmp_path / "x.csv", asked)
    assert message in str(caught.value)


def test_a_source_must_exist(tmp_path: Path) -> None:
    """A missing file, a folder without data and a Hub name without revision are refused."""
    for source, message in (
        (tmp_path / "nothing.csv", "no such file or folder"),
        (tmp_path, "give a file of it"),
        (Path("owner/name"), "--revision"),
    ):
        with pytest.raises(SourceError, match=message):
            look(source)


TEXT = st.text(st.characters(), max_size=12) | st.sampled_from(
    ["\x00", "\x1b[31m", "\ud800", "<script>", " ", "a" * 99]
)
VALUE = TEXT | st.lists(TEXT, max_size=3) | st.none() | st.booleans() | st.floats() | st.dictionaries(TEXT, TEXT)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.dictionaries(st.sampled_from(["query", "pos", "neg", "pos_scores", "neg_scores"]), VALUE), max_size=6
    )
)
def test_hostile_rows_end_in_findings(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    """Whatever rows hold, they are counted: read = audited + unreadable."""
    findings = look(jsonl(tmp_path / "hostile.jsonl", {"query": "q", "pos": ["p"], "neg": []}, *rows))
    assert findings.rows == len(rows) + 1
    assert 0 <= findings.unreadable <= len(rows)
    json.dumps(findings.as_json())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300), name=st.sampled_from(["x.jsonl", "x.csv", "x.tsv", "x.parquet", "x.jsonl.gz"]))
def test_hostile_files_end_in_findings_or_one_error(content: bytes, name: str, tmp_path: Path) -> None:
    """Bytes that are no table end in an error of the user's, never in a traceback."""
    (tmp_path / name).write_bytes(content)
    try:
        findings = look(tmp_path / name)
    except EmbedderError:
        return
    assert findings.rows == findings.audited + findings.unreadable


def test_parquet_of_odd_types_is_no_traceback(tmp_path: Path) -> None:
    """Numbers, lists and nulls in Parquet are read as texts or counted."""
    table = pa.table({"query": [1, None], "positive": [["a"], None], "negative": pa.array([2.5, float("nan")])})
    pq.write_table(table, tmp_path / "x.parquet")
    findings = look(tmp_path / "x.parquet", licence="CC0-1.0")
    assert found(findings) == {"empty_text": 1}


def test_a_column_that_nobody_needs_is_not_read(tmp_path: Path) -> None:
    """A date after the year 9999 beside the pairs does no harm; in a column that is read it is an error with its row."""
    when = pa.array([10**7], pa.int32()).cast(pa.date32())
    pq.write_table(pa.table({"query": ["q"], "positive": ["p"], "when": when}), tmp_path / "x.parquet")
    assert found(look(tmp_path / "x.parquet", licence="CC0-1.0")) == {}
    with pytest.raises(SourceError, match=r"x\.parquet:1: not a readable row"):
        look(tmp_path / "x.parquet", Asked(columns="query=query,positive=when"))


@pytest.mark.parametrize("name", [b"n\xff.jsonl", b"N.JSONL"])
def test_a_file_of_any_name_is_audited(name: bytes, tmp_path: Path) -> None:
    """A name that is no UTF-8, or an ending in capitals, is a name like any other; licences are noted for it."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    path.write_text('{"query": "q", "pos": "p", "neg": [""]}\nno\n')
    findings = look(path)
    assert found(findings) == {"unreadable": 1, "empty_text": 1, "string_for_list": 1, "no_licence": 1}
    assert render(findings, 0.0).encode()
    assert places(findings, "unreadable")[0].lower() in {"n\\udcff.jsonl:2", "n.jsonl:2"}


def test_files_of_one_name_in_two_folders_are_told_apart(tmp_path: Path) -> None:
    """A place says where in the folder a file lies."""
    (tmp_path / "data").mkdir()
    jsonl(tmp_path / "x.jsonl", {"query": "q", "pos": ["p"]})
    jsonl(tmp_path / "data" / "x.jsonl", {"query": "r", "pos": [""]})
    assert places(look(tmp_path), "empty_text") == ["data/x.jsonl:1"]


def test_findings_are_the_same_twice(tmp_path: Path) -> None:
    """The same source gives the same findings."""
    rows: list[Row] = []
    for fault in FAULTS.values():
        rows += fault.plant(CLEAN)
    source = sources.write("flag", tmp_path, rows)
    assert look(source) == look(source)


def test_a_hub_dataset_is_read_at_its_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name, a commit and a split are read through the Hub's loader; its columns say the form."""
    import datasets

    from embedder.loaders import hub

    data = datasets.Dataset.from_list([{"anchor": "q", "positive": "p", "negative": "P"}])
    asked: list[Any] = []

    def prepared(where: Any, _: Path) -> Any:  # noqa: ANN401 - the loader's own types
        asked.append(where)
        return {"dev": data}.__getitem__

    monkeypatch.setattr(hub, "prepared", prepared)
    findings = look(Path("owner/name"), Asked(revision="a" * 40, config="en", split="dev"), licence="CC0-1.0")
    assert found(findings) == {"positive_in_negatives": 1}
    assert places(findings, "positive_in_negatives") == ["dev:1"]
    assert (asked[0].name, asked[0].revision, asked[0].config) == ("owner/name", "a" * 40, "en")


@pytest.mark.parametrize(("stated", "licences"), [("cc-by-nc-4.0", {"name": "cc-by-nc-4.0"}), ("", {})])
def test_the_licence_of_a_hub_dataset_is_its_own(
    stated: str, licences: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card in a folder ./owner/name is of something else; what the dataset's builder states counts."""
    import datasets

    from embedder.loaders import hub

    monkeypatch.chdir(tmp_path)
    Path("owner/name").mkdir(parents=True)
    Path("owner/name/README.md").write_text("---\nlicense: mit\n---\n")
    data = datasets.Dataset.from_list([{"anchor": "q", "positive": "p"}])
    data.info.license = stated
    monkeypatch.setattr(hub, "prepared", lambda *_: {"train": data}.__getitem__)
    findings = look(Path("owner/name"), Asked(loader="hub", revision="a" * 40))
    assert findings.licences == licences
    assert found(findings) == {"restricted_licence" if stated else "no_licence": 1}


def test_a_task_of_mteb_is_read_through_its_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records of a loader are followed from ids to texts; texts with labels are labelled texts."""
    from embedder.loaders import Source, mteb

    records: list[Record] = [
        Query("q1", "a text", "train", None, ("x",), "test", 1),
        Query("q2", "A text", "train", None, ("y",), "test", 2),
        Query("q3", "another", "train", None, ("x", "y"), "test", 3),
        Reject("row", "", "not_json", "test", 4),
    ]
    monkeypatch.setattr(mteb, "load", lambda *_: Source(records))
    findings = look(Path("Banking"), Asked(loader="mteb", split="test"), licence="CC0-1.0")
    assert (findings.rows, findings.audited) == (4, 3)
    assert found(findings) == {"conflicting_labels": 2, "unreadable": 1}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    corpus=st.binary(max_size=80),
    lines=st.lists(st.text(st.characters(exclude_characters="\n"), max_size=20), max_size=4),
)
def test_hostile_beir_folders_end_in_findings_or_one_error(corpus: bytes, lines: list[str], tmp_path: Path) -> None:
    """Whatever its files hold, rows read are rows audited and rows unreadable."""
    (tmp_path / "qrels").mkdir(exist_ok=True)
    (tmp_path / "corpus.jsonl").write_bytes(b'{"_id": "a", "text": "x"}\n{"_id": "\xff", "text": "\xff"}\n' + corpus)
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "\\ud800"}\n{"_id": "r", "text": "y"}\n')
    content = "".join(f"{line}\n" for line in ["r\ta\t1", *lines])
    (tmp_path / "qrels" / "train.tsv").write_bytes(content.encode("utf-8", "surrogatepass"))
    try:
        findings = look(tmp_path)
    except EmbedderError:
        return
    assert findings.unreadable >= 2
    assert findings.rows == findings.audited + findings.unreadable
