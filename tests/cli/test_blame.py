"""`embedder show --blame`: what a person sees."""

import re
from pathlib import Path
from typing import Any

import pytest

from embedder import layout, schemas
from embedder.cli.blame import blame
from embedder.errors import EmbedderError, TableError
from embedder.params.load import load
from tests import project, tables, training_sets

GOLD = "one two three four five six seven eight nine ten eleven twelve"
# query -> value before and after tuning
VALUES = {"lost": (1.0, 0.25), "less": (0.5, 0.25), "won": (0.25, 0.5)}
RULES = tables.rules(min_rank=30, max_rank=100)


# Of the student's recipe.
DRAWS = 1


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "160")
    params = project.tiny_params()
    params["datasets"]["labels"] = params["datasets"]["docs"] | {"task": "classification", "label_mode": "label"}
    params["datasets"]["pairs"] = params["datasets"]["docs"] | {"task": "sts"}
    params["students"][params["student"]]["recipe"]["num_negatives"] = DRAWS
    project.write_params(tmp_path, params)
    queries = tables.queries({"t": "a training query"}, {name: f"what is {name}?" for name in VALUES})
    corpus = tables.corpus({"gold": GOLD, "other": "the passage of the other two", "own": "of the training query"})
    judgements = [
        ("lost", "gold", 1.0),
        ("less", "other", 1.0),
        ("won", "other", 1.0),
        ("t", "own", 1.0),
        ("lost", "other", 0.0),
    ]
    for table, data in (
        (schemas.QUERIES, queries),
        (schemas.CORPUS, corpus),
        (schemas.QRELS, tables.qrels(judgements)),
    ):
        schemas.write(layout.table("ingest", "docs", table.name), table, data)
    _evaluate()
    _materialize([{"negatives": [f"{GOLD} thirteen", "far away"]}, {"negatives": ["far away", "farther"]}])


def _evaluate() -> None:
    rows = [
        ("docs", model, name, value, 3)
        for name, values in VALUES.items()
        for model, value in zip(("base", "tuned"), values, strict=True)
    ]
    columns: dict[str, Any] = {name: [row[i] for row in rows] for i, name in enumerate(schemas.SCORES.schema.names[:5])}
    columns |= {"query_words": [1] * len(rows), "gold_words": [1] * len(rows)}
    schemas.write(layout.SCORES, schemas.SCORES, schemas.build(schemas.SCORES, columns))


def _materialize(changes: list[dict[str, Any]], **metadata: str) -> None:
    """Write a shard of dataset `code`, with two negatives a row."""
    rows = [
        training_sets.row(i, [7, 8], negative_ranks=[45, 46], dataset="code") | change
        for i, change in enumerate(changes)
    ]
    for row in rows:
        row["negative_ids"] = [text[:30] for text in row["negatives"]]
    columns = {name: [row[name] for row in rows] for name in schemas.SHARD.schema.names}
    said = tables.MADE_BY | {"dataset": "code", "rules": RULES.model_dump_json()} | metadata
    schemas.write(layout.SHARDS / "code-00000.parquet", schemas.SHARD, schemas.build(schemas.SHARD, columns, said))


def _shown(
    capsys: pytest.CaptureFixture[str],
    query: str | None = None,
    *,
    most: int = 5,
    jaccard: float = 0.5,
    full: bool = False,
) -> list[list[str]]:
    blame("docs", query, jaccard=jaccard, most=most, full=full)
    return [re.split(r" {2,}", line.strip()) for line in capsys.readouterr().out.splitlines() if line.strip()]


def test_the_row_and_the_rule_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """A lost query stands with its figures and passage, the training row that has it as a negative, and why that was allowed."""
    lines = _shown(capsys)
    assert " ".join(lines[0] + lines[1]).startswith(
        "docs: 2 of 3 dev queries lost by tuning; training rows are those that have a passage"
    )
    assert ["queries with such rows: 1: lost"] in lines
    at = lines.index(["lost " + "─" * 155])
    assert lines[at + 1 : at + 5] == [
        ["nDCG@10 1.000 before tuning, 0.250 after; first positive at rank 3, then 3"],
        ["query", "what is lost?"],
        ["gold", GOLD],
        ["1 training row has it stored as a negative, 1 shown:"],
    ]
    assert lines[at + 5 : at + 11] == [
        ["row", "code, q000 -> p000"],
        ["draws", f"a step draws {DRAWS} of 2 stored negatives"],
        ["query", training_sets.query(0)],
        ["positive", training_sets.passage(0)],
        ["negative", f"{GOLD} thirteen"],
        ["is", f"{GOLD[:30]}, Jaccard 0.89 to gold"],
    ]
    why = " ".join(" ".join(line) for line in lines[at + 11 : at + 14])
    assert why.startswith("kept by rank 45, window 30-100; margin 0.5 (no margin rule); no rule against near copies")
    assert "Jaccard 0.89 to the gold passage, below materialize.decontaminate_jaccard 0.95" in why


def test_a_query_that_no_row_has_as_a_negative_is_said_to_be_so(capsys: pytest.CaptureFixture[str]) -> None:
    """Where no training row has the passage among its negatives, that is what is printed."""
    lines = _shown(capsys, "less")
    assert ["queries with such rows: 0"] in lines
    assert lines[-1] == ["No training row has its passage stored as a negative."]


def test_a_query_that_was_not_lost_may_be_asked_about(capsys: pytest.CaptureFixture[str]) -> None:
    """Asked about by name, a query that gained is shown and said not to be lost."""
    said = ["nDCG@10 0.250 before tuning, 0.500 after; first positive at rank 3, then 3; not lost"]
    assert said in _shown(capsys, "won")


def test_the_largest_losses_come_first(capsys: pytest.CaptureFixture[str]) -> None:
    """No more queries are shown than asked for, the largest losses of them."""
    headings = [line[0].split(" ─")[0] for line in _shown(capsys, most=1) if "──" in line[0]]
    assert headings == ["lost"]
    headings = [line[0].split(" ─")[0] for line in _shown(capsys) if "──" in line[0]]
    assert headings == ["lost", "less"]


def test_the_threshold_is_a_choice(capsys: pytest.CaptureFixture[str]) -> None:
    """A passage that is less similar than asked for is not blamed."""
    assert ["No training row has its passage stored as a negative."] in _shown(capsys, "lost", jaccard=0.95)


def test_no_cause_is_claimed(capsys: pytest.CaptureFixture[str]) -> None:
    """A stored negative may never have been drawn, and the summary says so; no step draws more than are stored."""
    params = load().model_dump(mode="json")
    params["students"][params["student"]]["recipe"]["num_negatives"] = 3
    project.write_params(Path(), params)
    blame("docs", "lost", jaccard=0.5, most=5, full=False)
    said = " ".join(capsys.readouterr().out.split())
    assert "a step draws some of what is stored, so this need not be why" in said
    assert "a step draws 2 of 2 stored negatives" in said
    assert "pushed" not in said


def test_many_rows_are_counted_and_some_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """All rows are counted; three are shown, or all of them in full."""
    _materialize([{"negatives": [GOLD, "far away"]} for _ in range(5)])
    lines = _shown(capsys, "lost")
    assert ["5 training rows have it stored as a negative, 3 shown:"] in lines
    assert sum(line[0] == "row" for line in lines) == 3
    lines = _shown(capsys, "lost", full=True)
    assert sum(line[0] == "row" for line in lines) == 5
    assert ["is", f"{GOLD[:30]}, the same text as gold"] in lines


@pytest.mark.parametrize(
    ("dataset", "query", "said"),
    [
        ("labels", None, "dataset 'labels' is of task classification: --blame is not about it"),
        ("pairs", None, "dataset 'pairs' is of task sts: --blame is not about it"),
        ("docs", "los", "dataset 'docs' has no evaluated dev query 'los'; did you mean 'lost'?"),
        ("docs", "zzz", "dataset 'docs' has no evaluated dev query 'zzz'; embedder show docs --blame shows some"),
        ("code", None, "data/evaluate/queries.parquet: knows nothing of dataset 'code'; run dvc repro evaluate"),
        ("dosc", None, "unknown dataset 'dosc'; did you mean 'docs'?"),
    ],
)
def test_mistakes_say_what_to_do(dataset: str, query: str | None, said: str) -> None:
    """What cannot be blamed is refused with a reason."""
    with pytest.raises(EmbedderError) as caught:
        blame(dataset, query, jaccard=0.5, most=5, full=False)
    assert str(caught.value).startswith(said)


def test_stages_that_have_not_run_are_named() -> None:
    """Without an evaluation, or without shards, the message names the stage to run."""
    for path in layout.SHARDS.iterdir():
        path.unlink()
    with pytest.raises(TableError, match="no training data yet; run dvc repro materialize"):
        blame("docs", None, jaccard=0.5, most=5, full=False)
    layout.SCORES.unlink()
    with pytest.raises(TableError, match="no evaluation yet; run dvc repro evaluate"):
        blame("docs", None, jaccard=0.5, most=5, full=False)


def test_a_damaged_shard_is_named() -> None:
    """A file that is no shard is named in one line."""
    (layout.SHARDS / "x-00000.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(TableError, match=r"x-00000\.parquet: not a readable shard"):
        blame("docs", None, jaccard=0.5, most=5, full=False)


def test_no_text_commands_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Control characters of texts and ids in shards are shown and not obeyed."""
    _materialize([{"negatives": [GOLD, "far away"], "query": "a\x1b[2Jb\u202e", "query_id": "q\x1b[1m"}])
    for full in (False, True):
        shown = str(_shown(capsys, "lost", full=full))
        assert "\x1b" not in shown
        assert "q\\\\x1b[1m" in shown
