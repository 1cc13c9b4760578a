"""Tests of embedder.teachers.given: what came with the source, mined, filtered and drawn from like any run."""

import hashlib
import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from embedder import layout, schemas, shards, teachers
from embedder.decontamination import Contaminated
from embedder.errors import TableError, TeacherError
from embedder.mining import mine
from embedder.params.models import Dataset, Filter
from embedder.params.runtime import Runtime
from embedder.teachers import Corpus, Queries
from embedder.teachers.bm25 import Options as Bm25
from embedder.teachers.given import Options, build
from embedder.training_rows import choose
from tests import project, tables
from tests.filtering import filter_tables

OPTIONS = Options(kind="given")
PASSAGES = {
    "p1": "the first answer to the question",
    "p2": "the second answer",
    "n1": "something else",
    "n2": "yet another thing",
    "n3": "the first answer to the question again",
    "n4": "what was asked",
}
QUERIES = {"q1": "What was asked", "q2": "and then"}
Rows = list[tuple[str, int, str, float | None]]
RUN: Rows = [
    ("dev", 1, "n1", 9.0),
    ("q1", 1, "n3", 0.9),
    ("q1", 2, "n4", 0.8),
    ("q1", 3, "p1", 0.7),
    ("q1", 4, "n2", 0.5),
    ("q1", 5, "n1", 0.5),
    ("q2", 1, "n1", 0.6),
]


def _table(folder: Path, rows: Rows, scores: str = "given") -> Path:
    columns = dict(zip(schemas.GIVEN.schema.names, map(list, zip(*rows, strict=True)), strict=True))
    path = folder / "given.parquet"
    schemas.write(path, schemas.GIVEN, schemas.build(schemas.GIVEN, columns, {"scores": scores}))
    return path


def _places(rows: Rows) -> Rows:
    return [(query, rank, passage, None) for query, rank, passage, _ in rows]


def _corpus(path: Path | None) -> Corpus:
    return Corpus(sorted(PASSAGES), [PASSAGES[p] for p in sorted(PASSAGES)], "en", path)


def _mine(path: Path, entry: Dataset | None = None) -> tuple[pa.Table, pa.Table]:
    qrels = tables.qrels([("q1", "p1", 1.0), ("q1", "n2", 0.0), ("q2", "p2", 1.0)])
    teacher = teachers.build(OPTIONS, _corpus(path))
    queries = tables.queries(QUERIES)
    mined = mine(teacher, queries, sorted(PASSAGES), qrels, entry or tables.entry(), 9, "made-up", "mine")
    return mined.run, mined.judged


def _filter(run: pa.Table, judged: pa.Table, rules: Filter) -> tuple[pa.Table, dict[str, Any]]:
    return filter_tables(run, judged, tables.queries(QUERIES), tables.corpus(PASSAGES), tables.entry(), rules)


def _rows(run: pa.Table) -> list[tuple[str, str, float]]:
    return [(row["query_id"], row["passage_id"], round(row["score"], 6)) for row in run.to_pylist()]


def test_a_run_with_scores_keeps_them(tmp_path: Path) -> None:
    """Passages come best score first, ties by passage_id whatever the source's order, and nothing else comes."""
    run, _ = _mine(_table(tmp_path, RUN))
    assert _rows(run) == [
        ("q1", "n3", 0.9),
        ("q1", "n4", 0.8),
        ("q1", "p1", 0.7),
        ("q1", "n1", 0.5),
        ("q1", "n2", 0.5),
        ("q2", "n1", 0.6),
    ]


def test_a_run_without_scores_keeps_its_order(tmp_path: Path) -> None:
    """Where the source has only places the score is minus the place, so its order stays."""
    run, _ = _mine(_table(tmp_path, _places(RUN), "place"))
    assert [(passage, score) for query, passage, score in _rows(run) if query == "q1"] == [
        ("n3", -1.0),
        ("n4", -2.0),
        ("p1", -3.0),
        ("n2", -4.0),
        ("n1", -5.0),
    ]


def test_a_positive_that_was_not_given_has_no_score(tmp_path: Path) -> None:
    """Its score and rank are null; a judged passage that was given has both."""
    _, judged = _mine(_table(tmp_path, RUN))
    found = {row["passage_id"]: (row["score"], row["rank"]) for row in judged.to_pylist()}
    assert found == {"p1": (pytest.approx(0.7), 3), "n2": (0.5, 5), "p2": (None, None)}


@pytest.mark.parametrize("task", ["reranking", "classification"])
def test_what_has_no_score_is_in_no_run(tmp_path: Path, task: str) -> None:
    """Not even where judged passages or labels are always kept: nobody knows their ranks."""
    rows: Rows = [("q1", 1, "n3", 0.9), ("q2", 1, "n1", 0.6)]
    run, judged = _mine(_table(tmp_path, rows), tables.entry(task))
    assert [passage for _, passage, _ in _rows(run)] == ["n3", "n1"]
    assert judged["score"].null_count == judged["rank"].null_count == 3


def test_verdicts_work_on_what_was_given(tmp_path: Path) -> None:
    """Positives, near copies of them, the query's own text and the window refuse as for any teacher."""
    rules = tables.rules(max_rank=3, near_copy_jaccard=0.7, near_copy_size=2)
    found, _ = _filter(*_mine(_table(tmp_path, RUN)), rules)
    verdicts = {(row["query_id"], row["passage_id"]): row["verdict"] for row in found.to_pylist()}
    assert verdicts == {
        ("q1", "n3"): "duplicates_positive",
        ("q1", "n4"): "same_text_as_query",
        ("q1", "p1"): "is_positive",
        ("q1", "n1"): "keep",
        ("q1", "n2"): "keep",  # judged not relevant, so no window
        ("q2", "n1"): "keep",
    }


@pytest.mark.parametrize("margin", [{"absolute_margin": 0.3}, {"relative_margin": 0.5}])
def test_a_margin_that_cannot_be_applied_is_counted(tmp_path: Path, margin: dict[str, float]) -> None:
    """Without the positive's score a margin refuses nothing, is null, and the report counts the rows it missed."""
    found, report = _filter(*_mine(_table(tmp_path, RUN)), tables.rules(**margin))
    rows = {row["passage_id"]: row for row in found.to_pylist() if row["query_id"] == "q2"}
    assert (rows["n1"]["positive_score"], rows["n1"]["margin"], rows["n1"]["verdict"]) == (None, None, "keep")
    assert report["margin_unknown"] == 1
    assert report["verdicts"]["margin_too_small"] > 0
    assert report["scores_positive"]["min"] == pytest.approx(0.7)


def test_nothing_is_unknown_to_a_margin_that_is_off(tmp_path: Path) -> None:
    """Without a margin rule no row waits for a positive's score."""
    assert _filter(*_mine(_table(tmp_path, RUN)), tables.rules())[1]["margin_unknown"] == 0


def test_one_positive_without_a_score_hides_the_lowest(tmp_path: Path) -> None:
    """Where one of two positives was not given, nobody knows the lowest positive."""
    path = _table(tmp_path, RUN)
    qrels = tables.qrels([("q1", "p1", 1.0), ("q1", "p2", 1.0)])
    queries = tables.queries({"q1": QUERIES["q1"]})
    teacher = teachers.build(OPTIONS, _corpus(path))
    mined = mine(teacher, queries, sorted(PASSAGES), qrels, tables.entry(), 9, "made-up", "mine")
    found, _ = _filter(mined.run, mined.judged, tables.rules())
    assert found["positive_score"].null_count == found.num_rows == 5


def test_shards_hold_what_was_given(tmp_path: Path) -> None:
    """Given negatives become training rows; a positive without a score is written without one."""
    run, judged = _mine(_table(tmp_path, RUN))
    rules, clean = tables.rules(near_copy_jaccard=0.7), Contaminated(frozenset(), frozenset())
    found, _ = _filter(run, judged, rules)
    candidates, judged, entry = tables.passed_on(found), tables.judgements(judged), tables.entry()
    chosen = choose(candidates, judged, entry, rules, tables.settings(), clean, {})
    texts = shards.Texts(tables.queries(QUERIES), tables.corpus(PASSAGES), candidates, judged)
    (path,) = shards.write_shards(tmp_path, "docs", entry, chosen.rows, texts, schemas.metadata(candidates), 10)
    rows = schemas.read(path, schemas.SHARD).to_pylist()
    assert [(row["positive_id"], row["positive_score"], row["negative_ids"]) for row in rows] == [
        ("p1", pytest.approx(0.7), ["n1", "n2"]),
        ("p2", None, ["n1"]),
    ]


@pytest.fixture(name="ingested")
def _ingested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of ingest in a project whose teacher is `given`."""
    monkeypatch.chdir(tmp_path)
    params = project.tiny_params()
    docs = params["datasets"]["docs"] | {"source": {"loader": "given", "form": "flag"}}
    params |= {"teacher": "given", "teachers": {**params["teachers"], "given": {"kind": "given"}}}
    params |= {"datasets": {"docs": docs}}
    project.write_params(Path(), params)
    qrels = tables.qrels([("q1", "p1", 1.0), ("q2", "p2", 1.0), ("dev", "p2", 1.0)])
    for table, data in (
        (schemas.QUERIES, tables.queries(QUERIES, {"dev": "held out"})),
        (schemas.CORPUS, tables.corpus(PASSAGES)),
        (schemas.QRELS, qrels),
    ):
        schemas.write(layout.table("ingest", "docs", table.name), table, data)
    return layout.folder("ingest", "docs")


def _stage(name: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    with pytest.raises(SystemExit) as exit_:
        importlib.import_module(f"stages.{name}").app(["docs"])
    return int(str(exit_.value.code or 0)), capsys.readouterr().err


def test_the_stages_need_no_mining(ingested: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The stages mine and filter take the run that lies beside the tables of ingest, and report what it does not say."""
    revision = hashlib.sha256(_table(ingested, RUN).read_bytes()).hexdigest()[:40]
    assert [_stage(name, capsys)[0] for name in ("mine", "filter")] == [0, 0]
    report = json.loads(layout.report("mine", "docs").read_text())
    assert (report["revision"], report["run_rows"], report["judged_without_score"]) == (revision, 6, 1)
    candidates = schemas.read(layout.table("filter", "docs", "candidates"), schemas.CANDIDATES)
    assert candidates["passage_id"].to_pylist() == ["n3", "n4", "p1", "n1", "n2", "n1"]
    assert json.loads(layout.report("filter", "docs").read_text())["margin_unknown"] == 0


@pytest.mark.usefixtures("ingested")
def test_without_a_run_the_stage_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2 and one line."""
    code, error = _stage("mine", capsys)
    assert code == 2
    assert error.count("\n") == 1
    assert "loader 'given', or set another teacher" in error


def test_queries_are_answered_in_the_order_asked(tmp_path: Path) -> None:
    """One entry a query in the order of the ids, none for a query of which nothing was given; unknown is -inf."""
    (block,) = teachers.build(OPTIONS, _corpus(_table(tmp_path, RUN))).score(
        Queries(["q2", "nobody", "q1"], ["", "", ""])
    )
    assert block.indptr.tolist() == [0, 1, 1, 6]
    assert [sorted(PASSAGES)[p] for p in block.passages] == ["n1", "n3", "n4", "p1", "n2", "n1"]
    assert np.isneginf(block.floor).all()


def test_the_revision_is_the_tables_hash(tmp_path: Path) -> None:
    """The first 40 hex digits of the SHA-256 of the file."""
    path = _table(tmp_path, RUN)
    assert teachers.build(OPTIONS, _corpus(path)).revision == hashlib.sha256(path.read_bytes()).hexdigest()[:40]


def test_a_source_without_a_run_is_one_line() -> None:
    """A dataset that brought no negatives along is told what to do."""
    with pytest.raises(TeacherError, match=r"^teacher of kind 'given': .*loader 'given', or set another teacher$"):
        teachers.build(OPTIONS, _corpus(None))


def test_a_run_of_another_corpus_is_refused(tmp_path: Path) -> None:
    """A passage that the corpus lacks means that ingest's tables do not belong together."""
    with pytest.raises(TableError, match="run ingest again"):
        teachers.build(OPTIONS, _corpus(_table(tmp_path, [("q1", 1, "gone", 0.5)])))


def test_options_of_another_teacher_are_a_bug() -> None:
    """A module handed another's options says so with a TypeError, which keeps its traceback."""
    other = Bm25(kind="bm25", method="lucene", k1=1.5, b=0.75, delta=0.5, stem=True, stop_words=True)
    with pytest.raises(TypeError, match="not options of given"):
        build(other, _corpus(None), Runtime())
