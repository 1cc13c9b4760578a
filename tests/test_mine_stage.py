"""Tests of the stage mine with `cosines`: what it adds, and that it changes nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from embedder import layout, schemas
from embedder.revisions import content_hash, file_hashes
from stages.mine import mine
from tests import project
from tests.models import make_bert


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a dense teacher, ingested."""
    params: dict[str, Any] = project.tiny_params()
    del params["datasets"]["code"]
    folder = project.make_project(tmp_path / "project", params)
    make_bert(folder / "model", [*project.VERBS, *project.NOUNS, *map(str, range(10))])
    assert project.run(folder, "stages.ingest", "docs").returncode == 0
    monkeypatch.chdir(folder)
    return folder


def _mined(folder: Path, teacher: str, *, cosines: bool) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return the bytes of every table, and the report."""
    params: dict[str, Any] = project.tiny_params()
    del params["datasets"]["code"]
    params["teacher"], params["mine"]["cosines"] = teacher, cosines
    params["runtime"] = {"device": "cpu"}
    params["teachers"]["dense"] = {
        "kind": "dense",
        "name": "model",
        "revision": content_hash(file_hashes(folder / "model")),
        "adapter": None,
        "licence": "CC0-1.0",
        "pooling": "cls",
        "query_prompt": "",
        "passage_prompt": "",
        "query_length": 32,
        "passage_length": 64,
        "dtype": "float32",
        "normalise": False,
        "add_eos": False,
        "dimensions": 16,
        "parameters": 10000,
        "index": {"kind": "exact"},
        "agreement_sample": 0,
    }
    project.write_params(folder, params)
    mine("docs")
    mined = layout.folder("mine", "docs")
    report = json.loads((mined / "report.json").read_text())
    return {path.name: path.read_bytes() for path in mined.glob("*.parquet")}, report


def test_cosines_are_one_table_more(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With them every row that is no positive has its closest positive; run, judged and report are as without."""
    tables, report = _mined(folder, "dense", cosines=False)
    assert sorted(tables) == ["judged.parquet", "run.parquet"]
    more, counted = _mined(folder, "dense", cosines=True)
    assert {name: more[name] for name in tables} == tables
    rows = counted.pop("cosines")
    assert counted == report
    path = layout.table("mine", "docs", "cosines")
    found = schemas.read(
        path, schemas.COSINES, schemas.metadata(schemas.read(path.parent / "run.parquet", schemas.RUN))
    )
    run = schemas.read(path.parent / "run.parquet", schemas.RUN)
    judged = schemas.read(path.parent / "judged.parquet", schemas.JUDGED)
    positives = {(row["query_id"], row["passage_id"]) for row in schemas.positives(judged, 1).to_pylist()}
    pairs = {(row["query_id"], row["passage_id"]) for row in run.to_pylist()}
    assert {(row["query_id"], row["passage_id"]) for row in found.to_pylist()} == pairs - positives
    assert {(row["query_id"], row["positive_id"]) for row in found.to_pylist()} <= positives
    assert rows == found.num_rows == len(pairs - positives)
    assert "no cosines" not in capsys.readouterr().err


def test_a_teacher_without_vectors_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """BM25 writes no table of cosines; the report and stderr give the reason."""
    tables, report = _mined(folder, "bm25", cosines=False)
    more, counted = _mined(folder, "bm25", cosines=True)
    assert more == tables
    said = {"cosines": None, "no_cosines": "the teacher makes no vectors of passages"}
    assert counted == report | said
    assert "mine docs: no cosines: the teacher makes no vectors of passages" in capsys.readouterr().err
