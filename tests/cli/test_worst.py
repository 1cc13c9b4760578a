"""`embedder show --worst`: what a person sees."""

import re
from pathlib import Path

import pyarrow as pa
import pytest

from embedder import files, layout, schemas
from embedder.cli.worst import worst
from embedder.errors import TableError
from tests import mined, tables


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mined.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("COLUMNS", "120")


def _shown(capsys: pytest.CaptureFixture[str], most: int = 9, *, full: bool = False) -> list[list[str]]:
    worst("docs", most, 1.0, full=full)
    return [re.split(r" {2,}", line.strip()) for line in capsys.readouterr().out.splitlines() if line.strip()]


def test_the_likeliest_comes_first_with_all_that_tells(capsys: pytest.CaptureFixture[str]) -> None:
    """Each kept candidate nobody judged stands below its query, with the positive it is most like and shared words."""
    lines = _shown(capsys)
    assert lines[0] == ["docs: teacher made-up (000000000000), depth 100, window 3-5 without_positives"]
    assert lines[1][0].startswith("2 of the kept negatives that no person judged, most likely relevant first")
    assert lines[3:] == [
        ["q1 " + "─" * 117],
        ["rank 4, score 6.000, margin 3.000: keep"],
        ["query", "What comes first?"],
        ["positive", "A second positive, beyond depth"],
        ["candidate a fine negative"],
        ["shared", "1 of 7 words: a"],
        ["scale", "score at percentile 67 of the positives', its lowest positive's at 33"],
        ["q2 " + "─" * 117],
        ["rank 2, score 2.500, margin 6.500: keep"],
        ["query", "And then?"],
        ["positive", "only of the other query"],
        ["candidate a fine negative"],
        ["shared", "0 of 8 words"],
        ["scale", "score at percentile 33 of the positives', its lowest positive's at 67"],
    ]


def test_no_more_than_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """The number bounds what is shown."""
    assert sum(line[0] == "query" for line in _shown(capsys, 1)) == 1


def test_full_prints_ids_and_shared_words(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """With full, texts are whole and the id is there; words of both texts are named."""
    mined.write(tmp_path, mined.TEXTS | {"p5": "positive text\nof its own"})
    lines = _shown(capsys, 1, full=True)
    assert ["id", "p5"] in lines
    assert ["of its own"] in lines
    assert ["shared", "2 of 7 words: positive text"] in lines


def _judge(folder: Path, kind: str, score: float, threshold: float) -> None:
    """Write what a judge leaves that scored q1's first kept candidate below its threshold."""
    path = folder / layout.table("filter", "docs", "candidates")
    judged = tables.passed_on(schemas.read(path, schemas.CANDIDATES)).to_pydict()
    judged["judge_score"] = [
        score if query == "q1" and rank == 4 else None
        for query, rank in zip(judged["query_id"], judged["rank"], strict=True)
    ]
    data = schemas.build(schemas.JUDGED_CANDIDATES, pa.table(judged, schema=schemas.JUDGED_CANDIDATES.schema))
    schemas.write(folder / layout.table("judge", "docs", "candidates"), schemas.JUDGED_CANDIDATES, data)
    files.write_json(folder / layout.report("judge", "docs"), {"kind": kind, "threshold": threshold})


def test_what_a_judge_called_not_relevant_comes_last(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Its score is shown, and how far below the threshold it lies."""
    _judge(tmp_path, "llm", 1.0, 2.0)
    lines = _shown(capsys)
    assert [line[0] for line in lines if line[0].startswith("rank")] == [
        "rank 2, score 2.500, margin 6.500: keep",
        "rank 4, score 6.000, margin 3.000, judge 1: keep",
    ]
    assert [line for line in lines if line[0] == "judge"] == [
        ["judge", "1 below 2, from where it calls a passage relevant"]
    ]


def test_a_persons_no_is_not_shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A person is not asked to look again at what a person called not relevant."""
    _judge(tmp_path, "person", 0.0, 1.0)
    assert [line[0] for line in _shown(capsys) if line[0].startswith("rank")] == [
        "rank 2, score 2.500, margin 6.500: keep"
    ]


def test_nothing_mined_yet(tmp_path: Path) -> None:
    """Without candidates the message names the command that makes them."""
    (tmp_path / layout.table("filter", "docs", "candidates")).unlink()
    with pytest.raises(TableError, match="no candidates yet; run dvc repro filter@docs"):
        worst("docs", 1, 1.0, full=False)
