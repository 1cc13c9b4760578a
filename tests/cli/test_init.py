"""`embedder init`: a project in a git repository of one's own, where `dvc repro` works with the installed package."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner, Result

from embedder import layout
from embedder.cli.main import app
from tests import project

_TOPICS = ("apple", "boat", "cloud", "drum", "engine", "flute", "garden", "harbour")
_WORDS = ("red", "old", "fast", "quiet", "broken", "wooden", "heavy", "empty")


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with this environment's programs, and without this repository on Python's path."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(folder / ".dvc" / "tmp" / "site"),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


def init(folder: Path, *arguments: str) -> Result:
    """Run `embedder init` in this process, in the folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return CliRunner().invoke(app, ["init", *arguments])


def files(folder: Path) -> dict[str, bytes]:
    """Return every file that is not git's own."""
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and ".git" not in path.parts]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


@pytest.fixture(name="here")
def _here(tmp_path: Path) -> Path:
    """An empty git repository."""
    folder = tmp_path / "here"
    folder.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return folder


def write_beir(folder: Path) -> None:
    """Write a BEIR folder of 64 passages, a query each, the last 16 of them dev."""
    (folder / "qrels").mkdir(parents=True)
    pairs = [(topic, word) for topic in _TOPICS for word in _WORDS]
    corpus = [
        {"_id": f"p{n}", "title": "", "text": f"The {word} {topic} stands beside the {_TOPICS[n % 7]}, number {n}."}
        for n, (topic, word) in enumerate(pairs)
    ]
    queries = [{"_id": f"q{n}", "text": f"where is the {word} {topic}"} for n, (topic, word) in enumerate(pairs)]
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    for split, numbers in (("train", range(48)), ("dev", range(48, 64))):
        lines = "".join(f"q{n}\tp{n}\t1\n" for n in numbers)
        (folder / "qrels" / f"{split}.tsv").write_text(f"query-id\tcorpus-id\tscore\n{lines}")


def make_tiny(folder: Path) -> None:
    """Edit params.yaml as a user does, for a corpus and a student that take seconds; comments stay."""
    yaml = YAML()
    params, tiny = yaml.load(folder / "params.yaml"), project.tiny_params()
    for section in ("mine", "filter", "materialize", "evaluate", "students", "student"):
        params[section] = tiny[section]
    yaml.dump(params, folder / "params.yaml")


def test_a_project_with_data_of_its_own_runs(here: Path) -> None:
    """After `embedder init --path`, `dvc repro` runs through with the installed package, and then runs nothing."""
    write_beir(here / "sources" / "places")
    made = run(here, "embedder", "init", "--path", "sources/places")
    assert (made.returncode, made.stderr) == (0, "")
    assert "initialised DVC in .dvc" in made.stdout
    make_tiny(here)
    checked = run(here, "embedder", "check", "--quiet")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    first = run(here, "dvc", "repro")
    assert first.returncode == 0, first.stdout + first.stderr
    assert {f"{stage}@places" for stage in layout.PER_DATASET} <= set(
        re.findall(r"Running stage '([^']+)'", first.stdout)
    )
    outputs = (layout.PAGE, layout.METRICS, layout.MODEL, layout.CARD, layout.table("mine", "places", "run"))
    assert [path for path in outputs if not (here / path).exists()] == []
    second = run(here, "dvc", "repro")
    assert second.returncode == 0
    assert "Running stage" not in second.stdout
    seen = {line[3:] for line in run(here, "git", "status", "--short").stdout.splitlines()}
    known = {".dvc/", ".dvc/.gitignore", ".dvc/config", ".dvcignore", ".gitignore", "requirements.lock", "sources/"}
    assert seen - known == {"dvc.lock", "dvc.yaml", "labels/", "params.yaml"}


def test_without_a_path_the_documentation_of_packages_is_read(here: Path) -> None:
    """The first dataset is the documentation of numpy and scipy, pinned by a lock that init writes."""
    done = init(here)
    assert done.exit_code == 0
    assert "\n  dvc repro" in done.stdout
    params = YAML(typ="safe").load(here / "params.yaml")
    entry = params["datasets"]["pydoc-search"]
    assert (entry["path"], entry["source"]["packages"]) == ("requirements.lock", ["numpy", "scipy"])
    assert "\nnumpy==" in (here / "requirements.lock").read_text()
    assert (here / ".dvc" / "config").read_text() == (project.ROOT / ".dvc" / "config").read_text()


@pytest.mark.parametrize("name", ["dvc.yaml", "params.yaml"])
def test_nothing_is_overwritten(name: str, here: Path) -> None:
    """A pipeline or parameters that are there are refused by name, and nothing is written."""
    (here / name).write_text("mine\n")
    done = init(here)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: {name}: is there already")
    assert files(here) == {name: b"mine\n"}


def test_a_second_time_is_refused(here: Path) -> None:
    """What the first `embedder init` wrote is there already to the second."""
    assert init(here).exit_code == 0
    before = files(here)
    assert init(here).exit_code == 2
    assert files(here) == before


def test_no_git_repository_is_one_line(tmp_path: Path) -> None:
    """Outside git, and in a folder that is not there, one line says what to do, and nothing is written."""
    done = init(tmp_path)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "git init first" in done.stderr
    assert files(tmp_path) == {}
    assert "no such folder" in init(tmp_path, "nowhere").stderr


def test_lists_of_what_is_ignored_grow(here: Path) -> None:
    """Lines of one's own in .gitignore and .dvcignore stay, in any encoding and line end, and what is there is not added again."""
    (here / ".gitignore").write_bytes(b"# caf\xe9\r\n/models/\nbuild")
    (here / ".dvcignore").write_text("__pycache__/\n.venv/\n")
    done = init(here)
    assert "changed .gitignore" in done.stdout
    assert ".dvcignore" not in done.stdout
    content = (here / ".gitignore").read_bytes()
    lines = content.splitlines()
    assert content.startswith(b"# caf\xe9\r\n/models/\nbuild\n")
    assert (lines.count(b"/models/"), lines.count(b"/data/ingest/")) == (1, 1)
    assert (here / ".dvcignore").read_text() == "__pycache__/\n.venv/\n"


def test_a_lock_and_a_dvc_of_ones_own_stay(here: Path) -> None:
    """A requirements.lock and a .dvc that are there are used as they are."""
    (here / "requirements.lock").write_text("numpy==1.0\n")
    (here / ".dvc").mkdir()
    (here / ".dvc" / "config").write_text("[core]\n    remote = mine\n")
    done = init(here)
    assert done.exit_code == 0
    assert not re.search(r"requirements\.lock|initialised", done.stdout)
    assert (here / "requirements.lock").read_text() == "numpy==1.0\n"
    assert (here / ".dvc" / "config").read_text() == "[core]\n    remote = mine\n"


def test_a_folder_of_a_repository_becomes_a_project(here: Path) -> None:
    """A folder below the repository's root is initialised for DVC on its own, and a path in it is told from there."""
    (here / "sub" / "dir").mkdir(parents=True)
    (here / "sub" / "dir" / "faq.csv").touch()
    done = init(here, "sub", "--path", "sub/dir/faq.csv", "--task", "classification")
    assert done.exit_code == 0, done.stderr
    assert (here / "sub" / ".dvc").is_dir()
    assert not (here / ".dvc").exists()
    entry = YAML(typ="safe").load(here / "sub" / "params.yaml")["datasets"]["faq"]
    assert (entry["path"], entry["task"], entry["label_mode"]) == ("dir/faq.csv", "classification", "label")


@pytest.mark.parametrize("arguments", [["--loader", "table"], ["--task", "sts"]])
def test_loader_and_task_need_a_path(arguments: list[str], here: Path) -> None:
    """Options that say how a path is read are refused without one."""
    done = init(here, *arguments)
    assert (done.exit_code, files(here)) == (2, {})
    assert "give --path too" in done.stderr


def test_a_path_outside_is_refused(here: Path, tmp_path: Path) -> None:
    """A source that a clone would not have is refused; a link to it lies in the project."""
    (tmp_path / "far.csv").touch()
    done = init(here, "--path", "../far.csv")
    assert (done.exit_code, files(here)) == (2, {})
    assert "lies outside" in done.stderr
    (here / "far.csv").symlink_to(tmp_path / "far.csv")
    assert init(here, "--path", "far.csv").exit_code == 0


def _failing_dvc(patch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\necho no room >&2\nexit 1\n")
    (tmp_path / "python").chmod(0o755)
    patch.setattr("sys.executable", str(tmp_path / "python"))


def _full_disk(patch: pytest.MonkeyPatch, _: Path) -> None:
    write = Path.write_bytes

    def failing(path: Path, content: bytes) -> int:
        if path.name == "requirements.lock":
            raise OSError("no room")
        return write(path, content)

    patch.setattr(Path, "write_bytes", failing)


@pytest.mark.parametrize("break_it", [_failing_dvc, _full_disk])
def test_all_or_nothing(
    break_it: Callable[[pytest.MonkeyPatch, Path], None], here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where DVC or the disk fails half-way, every file is as it was."""
    (here / ".gitignore").write_text("mine\n")
    before = files(here)
    break_it(monkeypatch, tmp_path)
    assert init(here).exit_code != 0
    assert files(here) == before
