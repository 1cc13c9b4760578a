"""The stage `judge` on a mined dataset, from its command line."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner, Result

from embedder import endpoints, labels, layout, schemas
from embedder.labels import Verdict, texts_hash
from embedder.revisions import content_hash, file_hashes
from stages.judge import app
from tests import endpoint_server, mined, project, tables
from tests.endpoint_server import Server, chat
from tests.judges import entries
from tests.teachers import pair_models

_SAMPLE = [("q1", "p5", "kept"), ("q2", "p5", "kept"), ("q1", "p1", "positive"), ("q2", "p1", "random")]
_RULES: dict[str, Any] = {"action": "relabel", "top": None}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project mined as far as the filter."""
    mined.write(tmp_path)
    _write_candidates(tmp_path, mined.ROWS)
    _write_sample(tmp_path, _SAMPLE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(endpoints, "sleep", lambda _: None)
    return tmp_path


def _write_candidates(folder: Path, rows: list[mined.Row]) -> None:
    """Write the filter's candidates, which say that near copies share half of their words."""
    mined.write_candidates(folder, rows)
    path = folder / layout.table("filter", "docs", "candidates")
    data = schemas.read(path, schemas.CANDIDATES)
    rules = tables.rules(near_copy_jaccard=0.5, near_copy_size=1).model_dump_json()
    schemas.write(path, schemas.CANDIDATES, schemas.build(schemas.CANDIDATES, data, mined.MADE_BY | {"rules": rules}))


def _write_sample(folder: Path, pairs: list[tuple[str, str, str]]) -> None:
    sample = schemas.from_rows(schemas.SAMPLE, [(query, passage, kind, kind, 1.0) for query, passage, kind in pairs])
    schemas.write(folder / layout.table("filter", "docs", "sample"), schemas.SAMPLE, sample)


def _say(verdicts: dict[tuple[str, str], str]) -> None:
    """Write verdicts of a person, on the texts of today."""
    queries = {"q1": "What comes first?", "q2": "And then?"}
    said = {
        (query, passage): Verdict(verdict, texts_hash(queries[query], mined.TEXTS.get(passage, "")))
        for (query, passage), verdict in verdicts.items()
    }
    labels.write(layout.labels("docs"), said)


_PERSON = {"kind": "person", "threshold": 1, "threshold_percentile": None, "action": "drop", "top": 0}


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that grades by a passage's words: what is fine answers, what is first answers too."""
    with endpoint_server.serving() as running:
        words = {"fine": 3, "first": 3, "second": 2}

        def graded(body: endpoint_server.Body) -> endpoint_server.Answer:
            passage = endpoint_server.asked(body)["passage"].lower()
            return chat(json.dumps({"grade": next((grade for word, grade in words.items() if word in passage), 0)}))

        running.answer = graded
        yield running


def _judge_by(folder: Path, entry: dict[str, Any] | None, **changes: Any) -> None:  # noqa: ANN401 - of params.yaml
    params: dict[str, Any] = YAML(typ="safe").load(folder / "params.yaml")
    if entry is not None:
        params["judges"]["mine"] = entry
        params["judge"] = "mine"
    params["datasets"]["docs"].update(changes)
    project.write_params(folder, params)


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["docs", *arguments])


def _report() -> Any:  # noqa: ANN401 - JSON
    return json.loads(layout.report("judge", "docs").read_text())


def _outputs() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(layout.folder("judge", "docs").iterdir())}


def _verdicts() -> dict[tuple[str, str], str]:
    found = schemas.read(layout.table("judge", "docs", "candidates"), schemas.JUDGED_CANDIDATES).to_pylist()
    return {(row["query_id"], row["passage_id"]): row["verdict"] for row in found}


def test_without_a_judge_all_is_passed_on() -> None:
    """Candidates and judgements are copied, labels are empty, and nothing is said of contamination."""
    done = _run()
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == "judge docs: no judge, 0 relevant, 0 near copies of those, 3 kept\n"
    assert set(_outputs()) == {"candidates.parquet", "judged.parquet", "labels.parquet", "report.json"}
    candidates = schemas.read(layout.table("judge", "docs", "candidates"), schemas.JUDGED_CANDIDATES)
    before = schemas.read(layout.table("filter", "docs", "candidates"), schemas.CANDIDATES)
    assert candidates.select(schemas.CANDIDATES.schema.names).to_pylist() == before.to_pylist()
    assert schemas.metadata(candidates) == schemas.metadata(before) | {"judge": "none"}
    assert schemas.read(layout.table("judge", "docs", "judged"), schemas.JUDGEMENTS).num_rows == 4
    assert schemas.read(layout.table("judge", "docs", "labels"), schemas.LABELS).num_rows == 0
    report = _report()
    assert (report["judge"], report["threshold"], report["contamination"]) == ("none", None, None)
    assert not layout.VECTORS.exists()


def test_a_language_model_judges(folder: Path, server: Server) -> None:
    """It is asked once about each pair; what it calls relevant becomes a positive, and contamination is estimated."""
    _judge_by(folder, entries.llm(server.url, **_RULES))
    done = _run()
    assert done.exit_code == 0, done.stderr
    assert done.stdout.startswith(
        "judge docs: 2 of 3 kept candidates judged, 2 relevant, 0 near copies of those, 1 kept\n"
    )
    (cost,) = done.stderr.splitlines()
    assert cost.startswith("judge docs: mine: 6 pairs, 0 of them answered before; about ")
    # Kept p5 of both, the positives p1 and p2 of q1 and p8 of q2, and the random p1 of q2.
    assert len(server.bodies) == 6
    assert [pair for pair, verdict in _verdicts().items() if verdict == "judge_says_relevant"] == [
        ("q1", "p5"),
        ("q2", "p5"),
    ]
    judged = schemas.read(layout.table("judge", "docs", "judged"), schemas.JUDGEMENTS).to_pylist()
    assert [(row["query_id"], row["passage_id"], row["relevance"]) for row in judged if row["relabelled"]] == [
        ("q1", "p5", 1.0),
        ("q2", "p5", 1.0),
    ]
    labelled = schemas.read(layout.table("judge", "docs", "labels"), schemas.LABELS)
    assert labelled["judge_score"].to_pylist() == [3.0, 3.0, 3.0, 3.0]
    report = _report()
    assert report["pairs"] == {"all": 6, "answered": 6, "failed": {}, "not_asked": 0}
    assert report["usage"] == {"prompt_tokens": 600, "completion_tokens": 30, "cost": 0.0009}
    assert (report["threshold"], report["action"], report["kind"]) == (2.0, "relabel", "llm")
    assert report["contamination"] is not None


def test_a_second_run_is_the_same_bytes(folder: Path, server: Server) -> None:
    """What was stored before shows nowhere; nothing is asked again."""
    _judge_by(folder, entries.llm(server.url, **_RULES))
    _run()
    first = _outputs()
    done = _run()
    assert "6 pairs, 6 of them answered before\n" in done.stderr
    assert (_outputs(), len(server.bodies)) == (first, 6)


def test_a_failure_refuses_nothing(folder: Path, server: Server) -> None:
    """A pair without an answer that can be read stays as it was, without a score, and is counted."""
    server.answer = lambda _: chat("no")
    _judge_by(folder, entries.llm(server.url, **_RULES))
    assert _run().exit_code == 0
    assert "judge_says_relevant" not in _verdicts().values()
    report = _report()
    assert report["pairs"] == {"all": 6, "answered": 0, "failed": {"no_json": 6}, "not_asked": 0}
    assert report["counts"]["failed"] == 2
    labelled = schemas.read(layout.table("judge", "docs", "labels"), schemas.LABELS)
    assert labelled["relevant"].to_pylist() == [None] * 4


def test_a_dry_run_writes_nothing(folder: Path, server: Server) -> None:
    """Pairs, tokens and cost are told; nobody is asked."""
    _judge_by(folder, entries.llm(server.url, **_RULES))
    done = _run("--dry-run")
    assert done.exit_code == 0
    assert "judge docs: mine: 6 pairs, 0 of them answered before; about " in done.stderr + done.stdout
    assert server.bodies == []
    assert not layout.folder("judge", "docs").exists()
    assert not layout.VECTORS.exists()


def test_a_judge_that_cannot_tell_is_refused(folder: Path, server: Server) -> None:
    """A judge that calls random passages relevant as often as positives changes nothing: its stage fails."""
    passages = sorted(mined.TEXTS)
    pairs = [(query, passage) for query in ("q1", "q2", "q4") for passage in passages if passage != "p5"]
    controls = [(*pair, "positive" if i % 2 else "random") for i, pair in enumerate(pairs)]
    _write_sample(folder, [("q1", "p5", "kept"), ("q2", "p5", "kept"), *controls])
    server.answer = lambda _: chat(json.dumps({"grade": 3}))
    _judge_by(folder, entries.llm(server.url, **_RULES))
    done = _run()
    assert done.exit_code == 2
    (*_, said) = done.stderr.splitlines()
    assert said.startswith("error: datasets.docs, judges.mine: may be no better than chance")
    assert "(sensitivity 100%, specificity 0%)" in said
    assert not layout.folder("judge", "docs").exists()


def test_errors_name_dataset_and_judge(folder: Path, server: Server) -> None:
    """One line says which dataset, which entry, and why; no output is left."""
    _judge_by(folder, entries.llm(server.url, max_tokens=10, **_RULES))
    done = _run()
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1].startswith("error: datasets.docs, judges.mine: the answers would take about ")
    assert not layout.folder("judge", "docs").exists()


def test_labels_are_not_judged(folder: Path, server: Server) -> None:
    """The passages of a label task are labels: they pass, and nobody is asked."""
    _judge_by(folder, entries.llm(server.url, **_RULES))
    params: dict[str, Any] = YAML(typ="safe").load(folder / "params.yaml")
    params["datasets"]["docs"] |= {"task": "classification", "label_mode": "label"}
    params["datasets"]["docs"]["source"]["view"] = "package-topic"
    params["datasets"]["docs"]["source"]["within"] = project.PACKAGE
    project.write_params(folder, params)
    done = _run()
    assert done.exit_code == 0, done.stderr
    assert "no judge" in done.stdout
    assert server.bodies == []
    counts = _report()["counts"]
    assert (counts["not_asked"], counts["judged_negatives"]) == (2, 1)


def test_a_person_judges(folder: Path) -> None:
    """Verdicts in labels/ refuse and keep; of pairs without one nobody was asked."""
    _say({("q1", "p5"): "yes", ("q2", "p5"): "no", ("q1", "p1"): "unsure"})
    _judge_by(folder, _PERSON)
    done = _run()
    assert done.stdout.startswith(
        "judge docs: 2 of 3 kept candidates judged, 1 relevant, 0 near copies of those, 2 kept\n"
    )
    assert _verdicts()["q1", "p5"] == "judge_says_relevant"
    report = _report()
    assert report["pairs"] == {"all": 4, "answered": 2, "failed": {"unsure": 1}, "not_asked": 1}
    assert (report["stale"], report["verdicts_unused"], report["words"]) == (0, 0, [])


def test_a_verdict_counts_beyond_the_sample(folder: Path) -> None:
    """A person's yes refuses and a no stays, although the window and with it the sample changed; labels are the sample."""
    _write_sample(folder, _SAMPLE[2:])
    _say({("q1", "p5"): "yes", ("q2", "p5"): "no", ("q1", "p6"): "yes", ("q1", "p7"): "no", ("q1", "gone"): "yes"})
    _judge_by(folder, _PERSON)
    assert _run().exit_code == 0
    assert (_verdicts()["q1", "p5"], _verdicts()["q2", "p5"]) == ("judge_says_relevant", "keep")
    # A judged negative is known, p7 is refused, and the last is no candidate any more.
    assert (_verdicts()["q1", "p6"], _verdicts()["q1", "p7"]) == ("keep", "after_rank_window")
    report = _report()
    assert report["verdicts_unused"] == 3
    assert report["pairs"] == {"all": 4, "answered": 2, "failed": {"unsure": 0}, "not_asked": 2}
    labelled = schemas.read(layout.table("judge", "docs", "labels"), schemas.LABELS)
    assert labelled.select(["query_id", "passage_id"]).num_rows == 2
    assert labelled["relevant"].to_pylist() == [None, None]


@pytest.mark.parametrize("action", ["drop", "relabel"])
def test_a_near_copy_of_the_relevant_is_refused(folder: Path, action: str) -> None:
    """Dropped or relabelled, what a person calls relevant takes its near copies of the same query with it."""
    mined.write(folder, mined.TEXTS | {"p9": "a fine, negative,", "p10": "a fine negative too"})
    copies: list[mined.Row] = [("q1", 7, "p9", 3.0, None, ()), ("q1", 8, "p10", 2.0, None, ())]
    _write_candidates(folder, [*mined.ROWS, *copies, ("q2", 3, "p10", 1.0, None, ())])
    _say({("q1", "p5"): "yes"})
    _judge_by(folder, _PERSON | {"action": action})
    done = _run()
    assert done.stdout.startswith(
        "judge docs: 1 of 6 kept candidates judged, 1 relevant, 1 near copies of those, 4 kept\n"
    )
    assert (_verdicts()["q1", "p10"], _verdicts()["q2", "p10"]) == ("duplicates_positive", "keep")
    # A comma makes two other words: `a` alone of five is shared.
    assert _verdicts()["q1", "p9"] == "keep"
    assert len(_report()["words"]) == (action == "relabel")


def test_what_makes_a_near_copy_depends_on_the_language(folder: Path) -> None:
    """Where no blanks tell words apart, shingles are characters."""
    mined.write(folder, mined.TEXTS | {"p9": "afinenegative"})
    _write_candidates(folder, [*mined.ROWS, ("q1", 7, "p9", 3.0, None, ())])
    _say({("q1", "p5"): "yes"})
    for language, verdict in (("en", "keep"), ("ja", "duplicates_positive")):
        _judge_by(folder, _PERSON, language=language)
        assert _run().exit_code == 0
        assert _verdicts()["q1", "p9"] == verdict


def test_a_cross_encoder_judges_by_a_percentile(folder: Path) -> None:
    """With percentile 0 what scores as high as the lowest positive is relevant; the model is loaded once."""
    model = pair_models.cross_encoder(folder / "model")
    entry = {
        "kind": "cross-encoder",
        "name": "model",
        "revision": content_hash(file_hashes(model)),
        "licence": "CC0-1.0",
        "dtype": "float32",
        "query_prompt": "",
        "max_length": 48,
        "threshold": None,
        "threshold_percentile": 0.0,
        "action": "drop",
        "top": 1,
    }
    _judge_by(folder, entry)
    done = _run()
    assert done.exit_code == 0, done.stderr
    report = _report()
    found = schemas.read(layout.table("judge", "docs", "judged"), schemas.JUDGEMENTS).to_pylist()
    positives = [row["judge_score"] for row in found if row["relevance"] >= 1]
    assert report["threshold"] == min(positives)
    assert len(positives) == report["pairs"]["answered"] - 3 == 3
    kept = schemas.read(layout.table("judge", "docs", "candidates"), schemas.JUDGED_CANDIDATES).to_pylist()
    for row in kept:
        if row["verdict"] in ("keep", "judge_says_relevant") and row["judge_score"] is not None:
            assert (row["verdict"] == "judge_says_relevant") == (row["judge_score"] >= report["threshold"])
            assert row["positive_judge_score"] is not None


def test_tables_of_another_ingest_are_refused(folder: Path, server: Server) -> None:
    """A pair whose text is gone says that the filter is older than what was ingested."""
    _judge_by(folder, entries.llm(server.url, **_RULES))
    _write_candidates(folder, [*mined.ROWS, ("q2", 9, "gone", 1.0, None, ())])
    done = _run()
    assert done.exit_code == 2
    assert "older than data/ingest/docs" in done.stderr


def test_a_copy_without_a_text_is_refused_too(folder: Path) -> None:
    """A candidate that nobody was asked about is missed as well when it is to be compared."""
    _write_candidates(folder, [*mined.ROWS, ("q1", 9, "gone", 1.0, None, ())])
    _say({("q1", "p5"): "yes"})
    _judge_by(folder, _PERSON)
    done = _run()
    assert (done.exit_code, done.stderr.splitlines()[-1].count("older than data/ingest/docs")) == (2, 1)


def test_rules_of_an_older_version_are_missed(folder: Path) -> None:
    """Candidates that do not say what a near copy is end the stage in one line, once something is relevant."""
    mined.write_candidates(folder, mined.ROWS)
    _say({("q1", "p5"): "yes"})
    _judge_by(folder, _PERSON)
    done = _run()
    assert done.exit_code == 2
    assert "does not say by which rules it was made" in done.stderr
