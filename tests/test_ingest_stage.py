"""The stage ingest on sources that users bring, from its command line."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from embedder import schemas
from stages.ingest import app
from tests import project

QUERIES = 12


def _beir(folder: Path) -> Path:
    """Write a BEIR folder with one dirty row of several kinds, and passages that are copies."""
    (folder / "qrels").mkdir(parents=True)
    long = "the same words in the same order make a near copy of a passage that differs in"
    passages = [{"_id": f"d{i}", "title": "", "text": f"passage number {i} about {i * 7}"} for i in range(QUERIES)]
    passages += [
        {"_id": "n1", "text": f"{long} one"},
        {"_id": "n2", "text": f"{long} two"},
        {"_id": "e", "text": "PASSAGE number 1 about 7"},
    ]
    queries = [{"_id": f"q{i}", "text": f"query {i}"} for i in range(QUERIES)]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in passages) + "{broken\n")
    (folder / "queries.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in queries) + '{"_id": "x", "text": "\\u001b[31m"}\n'
    )
    rows = [f"q{i}\td{i}\t1\n" for i in range(QUERIES)]
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(rows[:9]) + "q1\tgone\t1\n")
    (folder / "qrels" / "dev.tsv").write_text("".join(rows[9:]))
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a project with one dataset, a BEIR folder."""
    monkeypatch.chdir(tmp_path)
    _params(tmp_path, _beir(tmp_path / "sources" / "faq"), {"loader": "beir"})
    return tmp_path


def _params(home: Path, path: Path, source: dict[str, Any], **changes: Any) -> None:  # noqa: ANN401 - keys of an entry
    params = project.tiny_params()
    entry = params["datasets"]["docs"] | {"path": str(path.relative_to(home)), "source": source} | changes
    project.write_params(home, params | {"datasets": {"faq": entry}})


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_ingest_writes_tables_and_counts(home: Path) -> None:
    """The stage writes its tables and report; each kind's rows are kept, merged or rejected."""
    done = _run("faq")
    assert (done.exit_code, done.stdout) == (
        0,
        "ingest faq: kept 12 queries, 14 passages, 12 qrels; merged 1 passages; rejected 1 passages, 1 qrels, 1 queries\n",
    )
    folder = home / "data" / "ingest" / "faq"
    assert {path.name for path in folder.iterdir()} == {
        "queries.parquet", "corpus.parquet", "qrels.parquet", "aliases.parquet", "rejects.parquet", "report.json",
    }  # fmt: skip
    report = json.loads((folder / "report.json").read_text())
    for kind, read in report["read"].items():
        assert read == sum(report[action][kind] for action in ("kept", "merged", "rejected"))
    assert report["reject_reasons"] == {
        "qrel": {"unknown_passage": 1}, "query": {"not_judged": 1}, "passage": {"not_json": 1},
    }  # fmt: skip
    rejects = schemas.read(folder / "rejects.parquet", schemas.REJECTS).to_pylist()
    assert {(row["reason"], row["file"], row["row"]) for row in rejects if row["action"] == "refused"} == {
        ("unknown_passage", "qrels/train.tsv", 11), ("not_judged", "queries.jsonl", 13), ("not_json", "corpus.jsonl", 16),
    }  # fmt: skip
    assert not list((home / "data" / "cache").glob(".store*"))


def test_a_dry_run_shows_and_writes_nothing(home: Path) -> None:
    """--dry-run prints counts, reasons, samples, lengths and copies, with control characters made visible, and writes no table."""
    done = _run("faq", "--dry-run")
    assert done.exit_code == 0
    for said in ("not_json", "unknown_passage", "control_characters", "queries: a sample", "characters, quantiles"):
        assert said in done.stdout
    assert "exact copies: 6.2% of the passages read" in done.stdout
    assert "near copies: 14.3% of 14 passages have one" in done.stdout
    assert "\x1b[31m" not in done.stdout
    assert not (home / "data" / "ingest").exists()


def test_a_dry_run_shows_what_a_run_refuses(home: Path) -> None:
    """A source that loses too much can still be looked at, and the dry run ends as the run would."""
    _params(home, home / "sources" / "faq", {"loader": "beir"}, ingest={"max_reject_share": 0.01})
    done = _run("faq")
    assert done.exit_code == 2
    assert "1 of 13 qrels (7.7%) are refused, more than max_reject_share 0.01 allows" in done.stderr
    assert not (home / "data" / "ingest").exists()
    dry = _run("faq", "--dry-run")
    assert (dry.exit_code, dry.stderr) == (2, done.stderr)
    assert "unknown_passage" in dry.stdout


def test_what_can_never_be_trained_or_measured_is_said(home: Path) -> None:
    """A source without a dev split, or none of whose grades is a positive's, is ingested, and the run says so."""
    _params(home, home / "sources" / "faq", {"loader": "beir", "splits": {"train": "train"}})
    assert "no dev query, so nothing to evaluate" in _run("faq").stdout
    _params(home, home / "sources" / "faq", {"loader": "beir"}, task="sts", positive_at=3.0)
    assert "no train query has a positive: the highest relevance is 1.0, positive_at 3.0" in _run("faq").stdout
    _params(home, home / "sources" / "faq", {"loader": "beir"}, task="sts", positive_at=3.0, weight=0.0)
    assert "no train query" not in _run("faq").stdout


def test_the_bytes_do_not_depend_on_threads_or_hash_seed(home: Path) -> None:
    """The same source gives the same files under other hash seeds."""
    found = []
    for seed in ("1", "2"):
        done = project.run(home, "stages.ingest", "faq", PYTHONHASHSEED=seed, PYTHONPATH=str(project.ROOT))
        assert done.returncode == 0, done.stderr
        found.append({path.name: path.read_bytes() for path in (home / "data" / "ingest" / "faq").iterdir()})
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"loader": "beirr"}, "did you mean 'beir'"),
        ({"loader": "beir", "splits": {"train": "nope"}}, "has no nope.tsv, it has dev.tsv, train.tsv"),
        ({"loader": "table", "columns": {"query": "q", "positive": "l"}}, "is a folder; name its files"),
        ({"loader": "table", "files": {"train": "corpus.jsonl"}, "columns": {"query": "nope", "positive": "text"}}, "unknown column 'nope'; there are: _id, text, title"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(home: Path, source: dict[str, Any], said: str) -> None:
    """A mistake in the entry ends in one line that says what to do, exit code 2, and nothing half-written."""
    _params(home, home / "sources" / "faq", source)
    done = _run("faq")
    assert done.exit_code == 2
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (home / "data" / "ingest").exists()
