"""The command `embedder` as a person starts it."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from embedder import layout
from embedder.cli.main import app
from tests import mined, project


def embedder(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "embedder.cli.main", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["show", "--help"], ["check", "--help"], ["prune", "--help"], ["init", "--help"]]
)
def test_help_is_printed(arguments: list[str], tmp_path: Path) -> None:
    """Every command says how it is used, anywhere."""
    done = embedder(tmp_path, *arguments)
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ")


def test_help_imports_nothing_heavy() -> None:
    """The command line is built without numpy, pyarrow, pydantic or rich."""
    code = "import sys, embedder.cli.main; print(sorted({'numpy', 'pyarrow', 'pydantic', 'rich', 'torch'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_commands() -> None:
    """Help lists the commands a person has."""
    shown = CliRunner().invoke(app, ["--help"]).stdout
    commands = [line.split()[0] for line in shown.split("Commands:")[1].splitlines() if line.strip()]
    assert commands == ["init", "preset", "show", "audit", "check", "promote", "prune", "results"]


@pytest.mark.parametrize("arguments", [["show", "docs"], ["check"], ["check", "--params", "--quiet"], ["prune"]])
def test_without_params_every_command_says_where_to_run(arguments: list[str], tmp_path: Path) -> None:
    """In a folder without params.yaml a command ends with code 2, one line on stderr and nothing on stdout."""
    done = embedder(tmp_path, *arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: params.yaml: cannot be read")
    assert done.stderr.endswith("run this in the folder that holds it\n")
    assert done.stderr.count("\n") == 1


def test_a_mistyped_dataset_ends_with_code_2(tmp_path: Path) -> None:
    """The exit code of a user's mistake is 2 in a process too."""
    project.write_params(tmp_path, project.tiny_params())
    done = embedder(tmp_path, "show", "dosc")
    assert (done.returncode, done.stderr) == (2, "error: unknown dataset 'dosc'; did you mean 'docs'?\n")


def test_a_closed_pipe_is_no_crash(tmp_path: Path) -> None:
    """`embedder show ... | head -1` prints a line and no traceback."""
    mined.write(tmp_path, rows=[("q1", rank, "p5", 1.0, None, ()) for rank in range(1, 5000)])
    command = f"{sys.executable} -m embedder.cli.main show docs --query q1 | head -1"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("docs: teacher made-up")
    assert "Traceback" not in done.stderr


def test_results_are_printed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`embedder results` prints the table of data/evaluate/results.csv, then where to look."""
    monkeypatch.chdir(tmp_path)
    printed: list[Path] = []
    monkeypatch.setattr("embedder.report.results.print_results", printed.append)
    done = CliRunner().invoke(app, ["results"])
    assert done.exit_code == 0
    assert printed == [layout.RESULTS]
    for place in ("data/report/index.html", "data/materialize/train", "embedder show DATASET --random 1"):
        assert place in done.stdout


def test_no_results_yet(tmp_path: Path) -> None:
    """Before the first run `embedder results` says what makes results, with exit code 2."""
    done = embedder(tmp_path, "results")
    assert done.returncode == 2
    assert done.stderr.startswith("error: data/evaluate/results.csv: no results yet;")
