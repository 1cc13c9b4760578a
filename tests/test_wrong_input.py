"""A user's mistakes: one line that says what, where and what to do, exit code 2, nothing half-written."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import project

Change = Callable[[Path, dict[str, Any]], object]


def empty_package(folder: Path, _: dict[str, Any]) -> None:
    """Leave the package without a single documented function."""
    for path in (folder / "site" / project.PACKAGE).glob("*s.py"):
        path.write_text("")


MISTAKES: dict[str, tuple[str, Change, str]] = {
    "unknown key": ("ingest", lambda _, p: p["mine"].update(dept=3), "did you mean 'depth'?"),
    "unknown teacher": ("mine", lambda _, p: p.update(teacher="bm52"), "did you mean 'bm25'?"),
    "unknown student": ("base", lambda _, p: p.update(student="tinny"), "did you mean 'tiny'?"),
    "unknown loader": ("ingest", lambda _, p: p["datasets"]["docs"]["source"].update(loader="beer"), "loader"),
    "window beyond depth": ("filter", lambda _, p: p["filter"].update(max_rank=13), "raise mine.depth"),
    "missing path": ("ingest", lambda _, p: p["datasets"]["docs"].update(path="nowhere.csv"), "nowhere.csv"),
    "missing params": ("ingest", lambda f, _: (f / "params.yaml").unlink(), "params.yaml"),
    "empty dataset": ("ingest", empty_package, f"finds nothing in {project.PACKAGE}"),
    "version other than the lock's": (
        "ingest",
        lambda f, _: (f / "requirements.lock").write_text(f"{project.PACKAGE}==2.0\n"),
        f"{project.PACKAGE} 1.0 is installed",
    ),
    "package not installed": (
        "ingest",
        lambda _, p: [d["source"].update(packages=["no-such-package"]) for d in p["datasets"].values()],
        "pip install no-such-package",
    ),
    "no tables yet": ("filter", lambda *_: None, "run the stage that writes it"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One project that nothing has run in."""
    return project.make_project(tmp_path_factory.mktemp("wrong") / "project", project.tiny_params())


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_ends_in_one_line(folder: Path, name: str) -> None:
    """Each mistake is named on one line with what to do, ends with code 2 and leaves no file behind."""
    stage, change, expected = MISTAKES[name]
    kept = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts}
    params = project.tiny_params()
    project.write_params(folder, params)
    try:
        change(folder, params)
        if (folder / "params.yaml").exists():
            project.write_params(folder, params)
        done = project.run(folder, f"stages.{stage}", *([] if stage == "base" else ["docs"]))
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert expected in done.stderr
    assert {path.name for path in (folder / "data").iterdir()} <= {".gitignore", "cache"}


def test_unknown_dataset_suggests_the_close_one(folder: Path) -> None:
    """A mistyped dataset on the command line is answered with the close one."""
    done = project.run(folder, "stages.ingest", "dox")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: unknown dataset 'dox'; did you mean 'docs'?\n"
