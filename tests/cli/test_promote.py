"""`embedder promote`: the command around `embedder.promotion`."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from embedder import layout
from embedder.cli.main import app
from embedder.params.load import load
from tests import project


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, base_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project.write_params(tmp_path, project.tiny_params())
    shutil.copytree(base_folder / "model", layout.MODEL)


def promote(*arguments: str) -> Result:
    """Run `embedder promote`."""
    return CliRunner().invoke(app, ["promote", *arguments])


def test_what_was_written_and_what_comes_next() -> None:
    """The command names the copy and the entry, and says how to mine with it; the project stays valid."""
    done = promote(str(layout.MODEL), "--as", "round-two")
    assert done.exit_code == 0, done.stderr
    folder = next(layout.MODELS.iterdir())
    assert done.stdout.startswith(f"{folder}  the model, 16 dimensions, ")
    assert "params.yaml  teachers.round-two written:\n" in done.stdout
    assert "  query_length: 16\n" in done.stdout
    assert "dvc exp run -S teacher=round-two" in done.stdout
    assert "set `teacher: round-two`" in done.stdout
    checked = CliRunner().invoke(app, ["check", "--params"])
    assert (checked.exit_code, "round-two" in load().teachers) == (0, True)


def test_a_second_time_says_so() -> None:
    """The same model under the same name is there already, which is no mistake."""
    promote(str(layout.MODEL), "--as", "round-two")
    done = promote(str(layout.MODEL), "--as", "round-two")
    assert (done.exit_code, "teachers.round-two was there already" in done.stdout) == (0, True)


def test_options_override() -> None:
    """Prompts and licence can be given; --replace lets another entry go."""
    promote(str(layout.MODEL), "--as", "round-two")
    options = ("--query-prompt", "ask: ", "--passage-prompt", "tell: ", "--licence", "MIT")
    refused = promote(str(layout.MODEL), "--as", "round-two", *options)
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "--replace" in refused.stderr
    done = promote(str(layout.MODEL), "--as", "round-two", *options, "--replace")
    assert "  query_prompt: 'ask: '\n  passage_prompt: 'tell: '\n" in done.stdout
    assert "  licence: 'MIT'\n" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere", "--as", "new"], "error: nowhere: no such folder"),
        ([str(layout.MODEL), "--as", "Round Two"], "error: params.yaml: teachers.Round Two"),
        ([str(layout.MODEL), "--as", "bm25"], "error: teachers.bm25: is another teacher"),
    ],
)
def test_mistakes_take_one_line(arguments: list[str], said: str) -> None:
    """What cannot be promoted is said on one line with exit code 2, and nothing is written."""
    before = layout.PARAMS.read_bytes()
    done = promote(*arguments)
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(said)
    assert (layout.PARAMS.read_bytes(), layout.MODELS.exists()) == (before, False)
