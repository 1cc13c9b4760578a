"""Tests of embedder.cli.stage: what every stage's command line does with errors and seconds."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from embedder.cli.stage import Dataset, stage_app
from embedder.errors import TableError

ROOT = Path(__file__).resolve().parents[2]
TIMINGS = Path("data/cache/timings.jsonl")


def _app(error: Exception | None = None) -> typer.Typer:
    def work(dataset: Dataset) -> None:
        """Work on DATASET."""
        if error:
            raise error
        typer.echo(f"worked on {dataset}")

    return stage_app(work)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_users_mistake_is_one_line_and_exit_code_two() -> None:
    """An EmbedderError becomes one line on stderr, whatever its line breaks, without a traceback."""
    found = CliRunner().invoke(_app(TableError("run.parquet:\n  no such table;\trun mine")), ["faq"])
    assert found.exit_code == 2
    assert found.stderr == "error: run.parquet: no such table; run mine\n"
    assert found.stdout == ""
    assert not TIMINGS.exists()


def test_a_message_commands_no_terminal() -> None:
    """Names of columns and files come from data: what a terminal would obey is written as an escape."""
    found = CliRunner().invoke(_app(TableError("unknown column '\x1b]0;owned\x07\u202e\udcff'")), ["faq"])
    assert found.exit_code == 2
    assert found.stderr == r"error: unknown column '\x1b]0;owned\x07\u202e\udcff'" + "\n"


def test_a_bug_keeps_its_traceback() -> None:
    """Any other error goes through as it is."""
    found = CliRunner().invoke(_app(KeyError("bug")), ["faq"])
    assert found.exit_code == 1
    assert isinstance(found.exception, KeyError)


def test_seconds_go_to_the_timings_file() -> None:
    """A stage that ends well adds a line with its name, its arguments and its seconds."""
    for name in ("faq", "wiki"):
        found = CliRunner().invoke(_app(), [name])
        assert (found.exit_code, found.stdout) == (0, f"worked on {name}\n")
    lines = [json.loads(line) for line in TIMINGS.read_text(encoding="utf-8").splitlines()]
    assert [line["arguments"] for line in lines] == [["faq"], ["wiki"]]
    assert all(line["seconds"] >= 0 for line in lines)


@pytest.mark.parametrize("arguments", [[], ["a", "b"]])
def test_wrong_arguments_are_exit_code_two(arguments: list[str]) -> None:
    """A forgotten or surplus argument is the user's mistake too."""
    assert CliRunner().invoke(_app(), arguments).exit_code == 2


def test_help_says_what_a_stage_does() -> None:
    """The help is the function's docstring, and explains the argument."""
    text = CliRunner().invoke(_app(), ["--help"]).stdout
    assert "Work on DATASET." in text
    assert "A key of `datasets` in params.yaml." in text


def test_a_real_process_prints_one_line_or_a_traceback() -> None:
    """As DVC starts them: a mistake is exit code 2 and one line, a bug exit code 1 and a traceback."""
    script = (
        "from embedder.cli.stage import stage_app\nfrom embedder.errors import TableError\n"
        "def work() -> None:\n    '''Work.'''\n    raise {error}('what', 'why')\nstage_app(work)()\n"
    )
    mistake, bug = (
        subprocess.run(
            [sys.executable, "-c", script.format(error=error)],
            capture_output=True,
            text=True,
            check=False,
            env={"PYTHONPATH": str(ROOT)},
        )
        for error in ("TableError", "ValueError")
    )
    assert (mistake.returncode, mistake.stderr.count("\n")) == (2, 1)
    assert bug.returncode == 1
    assert bug.stderr.startswith("Traceback")
