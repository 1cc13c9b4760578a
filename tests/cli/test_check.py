"""`embedder check`: the list of checks and its exit codes."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from embedder.checks.check import Check, some
from embedder.cli.main import app
from embedder.locking import locked
from embedder.vectors.store import Space
from tests import project


@pytest.fixture(scope="module", name="folder")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that is as it should be."""
    return project.make_project(tmp_path_factory.mktemp("check") / "project", project.tiny_params())


@pytest.fixture(autouse=True)
def _here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(folder / "site")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "100")
    kept = {
        name: (folder / name).read_bytes() for name in ("params.yaml", "dvc.yaml", "requirements.lock", ".gitignore")
    }
    yield
    for name, content in kept.items():
        (folder / name).write_bytes(content)


def check(*arguments: str) -> Result:
    """Run `embedder check`."""
    return CliRunner().invoke(app, ["check", *arguments])


def levels(done: Result) -> dict[str, str]:
    """Return the level of each check that was printed."""
    known = ("ok", "warning", "error")
    rows = [line.split(maxsplit=1) for line in done.stdout.splitlines() if line.startswith(known)]
    return {rest.split("  ")[0]: level for level, rest in rows}


def test_a_good_project_passes() -> None:
    """Where nothing is wrong every check is named, and the exit code is 0."""
    done = check()
    assert done.exit_code == 0
    assert list(levels(done)) == [
        "Python",
        "packages",
        "faiss",
        "project",
        "sources",
        "tracked keys",
        "repository",
        "dvc.lock",
        "DVC locks",
        "leftovers",
        "cache",
        "disk",
    ]
    assert "error" not in levels(done).values()


def test_errors_end_with_1() -> None:
    """A version that a corpus must not have, and an ignored dvc.lock, are errors with what to do."""
    Path("requirements.lock").write_text(f"{project.PACKAGE}==2.0\n")
    Path(".gitignore").write_text("dvc.lock\n")
    done = check()
    assert done.exit_code == 1
    found = levels(done)
    assert [name for name, level in found.items() if level == "error"] == ["sources", "dvc.lock"]
    assert found["packages"] == "warning"
    assert "git check-ignore -v dvc.lock names the line" in done.stdout


def test_warnings_alone_end_with_0() -> None:
    """A half-written folder is a warning, which fails nothing."""
    draft = Path("data/mine/.docs.tmp")
    draft.mkdir(parents=True)
    done = check("--quiet")
    draft.rmdir()
    assert (done.exit_code, levels(done)["leftovers"]) == (0, "warning")


def test_quiet_leaves_out_what_is_well() -> None:
    """--quiet prints warnings and errors alone."""
    Path(".gitignore").write_text("dvc.lock\n")
    assert set(levels(check("--quiet")).values()) <= {"warning", "error"}


def test_wrong_params_end_with_2() -> None:
    """A wrong params.yaml is the user's mistake: one line on stderr, exit code 2."""
    Path("params.yaml").write_text("teacher: [\n")
    done = check()
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1


def test_an_untracked_key_is_an_error() -> None:
    """A key of params.yaml that dvc.yaml forgets is an error."""
    text = Path("dvc.yaml").read_text()
    Path("dvc.yaml").write_text(text.replace("- materialize\n", "- teacher\n"))
    done = check()
    assert done.exit_code == 1
    assert levels(done)["tracked keys"] == "error"
    assert "no stage tracks materialize." in done.stdout


def test_hostile_findings_are_shown_and_not_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a check found is printed with control characters visible and markup as text."""
    hostile = Check("disk", "warning", "\x1b[2J[red]", "\u202e")
    monkeypatch.setattr("embedder.checks.workspace.disk", lambda _: hostile)
    shown = check().stdout
    assert r"\x1b[2J[red]" in shown
    assert r"\u202e" in shown


def test_some_names_a_few() -> None:
    """Five names are told, more are counted."""
    assert some(list("abcde")) == "a, b, c, d, e"
    assert some(list("abcdefg"), "; ") == "a; b; c; d; e; and 2 more"


def test_stored_vectors_are_verified_when_asked() -> None:
    """--cache adds a line for each space of vectors; a store that another process holds ends with 1, untouched."""
    made = Space(Path("data/cache/vectors"), {"model": "nobody's"}, "float32")
    assert "vectors" not in levels(check())
    with locked(Path("data/cache/vectors")):
        held = check("--cache")
    assert (held.exit_code, levels(held)["vectors"]) == (1, "error")
    assert made.folder.exists()
    done = check("--cache")
    assert (done.exit_code, levels(done)["vectors"]) == (0, "warning")
    assert not made.folder.exists()
