"""`embedder show --against`: how runs and negatives moved since a revision or experiment, read with real DVC."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner, Result

from embedder import layout, schemas
from embedder.cli.main import app
from embedder.filters import BIT
from tests import mined, project, tables

SECOND = [
    ("q1", 1, "p1", 9.0, 1.0, ("is_positive", "before_rank_window")),
    ("q1", 2, "p2", 8.0, 1.0, ("is_positive", "before_rank_window")),
    ("q1", 3, "p7", 7.0, None, ()),
    ("q1", 4, "p5", 6.0, None, ()),
    ("q2", 1, "p8", 3.5, 1.0, ("is_positive", "before_rank_window")),
    ("q2", 2, "p5", 2.5, None, ()),
]
FIRST_RUN = [(query, rank, passage, score) for query, rank, passage, score, *_ in mined.ROWS]
SECOND_RUN = [(query, rank, passage, score) for query, rank, passage, score, *_ in SECOND]


def dvc(folder: Path, *arguments: str) -> str:
    """Run DVC in a project; return what it printed."""
    done = project.run(folder, "dvc", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write_state(folder: Path, rows: list[mined.Row], run: list[tuple[str, int, str, float]]) -> None:
    """Write the tables of `docs` as its stages would have left them."""
    mined.write(folder, rows=rows)
    schemas.write(folder / layout.table("mine", "docs", "run"), schemas.RUN, tables.run(run))


def make_state(folder: Path, *init: str) -> Path:
    """Make a project of one commit without and one with tables, tagged `first`; the workspace has a second round's."""
    dvc(folder, "init", "--quiet", *init)
    outs = {stage: {"cmd": "true", "outs": [f"data/{stage}/docs"]} for stage in ("ingest", "mine", "filter")}
    with (folder / "dvc.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"stages": outs}, file)
    (folder / ".gitignore").write_text("/data/\n/.dvc/site/\n")
    project.commit(folder)
    subprocess.run(["git", "tag", "empty"], cwd=folder, check=True)
    write_state(folder, mined.ROWS, FIRST_RUN)
    dvc(folder, "commit", "--quiet", "--force")
    project.commit(folder)
    subprocess.run(["git", "tag", "first"], cwd=folder, check=True)
    write_state(folder, SECOND, SECOND_RUN)
    return folder


@pytest.fixture(name="state", scope="module")
def _state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that is a git repository."""
    folder = tmp_path_factory.mktemp("state") / "project"
    folder.mkdir()
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return make_state(folder)


@pytest.fixture(name="here")
def _here(state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to work in."""
    folder = tmp_path / "here"
    shutil.copytree(state, folder, symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(folder / ".dvc" / "site"))
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    return folder


def against(*arguments: str) -> Result:
    """Run `embedder show docs --against` with arguments."""
    return CliRunner().invoke(app, ["show", "docs", "--against", *arguments])


def lines(done: Result) -> list[str]:
    """Return the lines of the output, blanks folded."""
    assert done.exit_code == 0, done.stderr
    return [" ".join(line.split()) for line in done.stdout.splitlines() if line.strip()]


@pytest.mark.usefixtures("here")
def test_two_rounds_side_by_side() -> None:
    """What made both, their figures, what they share, and the query whose kept candidates changed."""
    shown = lines(against("first"))
    assert "docs: before = first, after = workspace" in shown
    assert "made-up made-up teacher" in shown
    assert "2 2 queries mined in both; what follows is of them" in shown
    # q1 keeps p5, p6 and then p7, p5: one of three; q2 the same: (1/3 + 1) / 2.
    assert "66.7% kept candidates" in shown
    assert "1 of 2 queries have other kept candidates; 1 shown" in shown
    assert "query What comes first?" in shown
    assert "+ 3 far below" in shown
    assert "- 5 judged and not relevant" in shown


@pytest.mark.usefixtures("here")
def test_a_state_against_itself_has_no_moves(here: Path) -> None:
    """Against the revision the workspace is at, everything is shared."""
    write_state(here, mined.ROWS, FIRST_RUN)
    shown = lines(against("HEAD"))
    assert "0 of 2 queries have other kept candidates; 0 shown" in shown
    assert "100.0% kept candidates" in shown


def test_a_project_in_a_folder_of_a_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project that is a part of a git repository is compared like one that is all of it."""
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / "part").mkdir()
    monkeypatch.chdir(make_state(tmp_path / "part", "--subdir"))
    assert "66.7% kept candidates" in lines(against("first"))


def test_an_experiment_has_a_name(here: Path) -> None:
    """The name of a DVC experiment is a revision like another."""
    write_state(here, mined.ROWS, FIRST_RUN)
    script = "import pathlib, shutil; shutil.copytree('second', 'data', dirs_exist_ok=True)"
    shutil.copytree(here / "data", here / "first")
    write_state(here, SECOND, SECOND_RUN)
    shutil.copytree(here / "data", here / "second")
    (here / ".gitignore").write_text("/data/\n/.dvc/site/\n/first/\n/second/\n")
    (here / "second.py").write_text(script)
    dvc(here, "checkout", "--quiet", "--force")
    stages = {
        "all": {
            "cmd": f"{sys.executable} second.py",
            "params": ["mine.depth"],
            "outs": ["data/ingest/docs", "data/mine/docs", "data/filter/docs"],
        }
    }
    with (here / "dvc.yaml").open("w", encoding="utf-8") as file:
        YAML().dump({"stages": stages}, file)
    project.commit(here)
    dvc(here, "exp", "run", "--quiet", "--name", "round-two")
    shutil.copytree(here / "first", here / "data", dirs_exist_ok=True)
    shown = lines(against("round-two"))
    assert "docs: before = round-two, after = workspace" in shown
    assert "+ 5 judged and not relevant" in shown


def test_the_limit_bounds_the_queries(here: Path) -> None:
    """--limit is the most queries that are shown; --full shows texts whole, with ids."""
    longer = mined.TEXTS | {"p7": "far below " * 30}
    mined.write(here, longer, [*SECOND[:5], ("q2", 2, "p7", 2.5, None, ())])
    assert "2 shown" in against("first").stdout
    assert "1 shown" in against("first", "--limit", "1").stdout
    assert "…" in against("first").stdout
    full = against("first", "--full").stdout
    assert "…" not in full
    assert full.count("far below") == 60
    assert "p7" in full


def test_texts_that_came_anew_are_said(here: Path) -> None:
    """Where the ingested tables changed since, ids may stand for other texts, and that is said."""
    dvc(here, "commit", "--quiet", "--force")
    assert "ingested anew" not in against("first").stdout
    mined.write(here, mined.TEXTS | {"p5": "another text"}, SECOND)
    dvc(here, "commit", "--quiet", "--force")
    assert "ingested anew" in against("first").stdout


def test_hostile_texts_are_escaped(here: Path) -> None:
    """No control character of an id or a text reaches the terminal."""
    mined.write(here, mined.TEXTS | {"p7": "\x1b[31mred\u202e"}, SECOND)
    for arguments in ([], ["--full"]):
        shown = against("first", *arguments).stdout
        assert "\x1b" not in shown
        assert "\u202e" not in shown
        assert "\\x1b[31mred\\u202e" in shown


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "error: unknown revision 'nothing'"),
        (["empty"], "error: revision 'empty' has no dvc.lock"),
        (["first", "--query", "q1"], "error: --against has no use for"),
        (["first", "--random", "2"], "error: --against has no use for"),
        (["first", "--verdict", "keep"], "error: --against has no use for"),
    ],
)
def test_mistakes_take_one_line(arguments: list[str], said: str) -> None:
    """What is no revision, or has no tables, or does not go together, is said on one line with exit code 2."""
    done = against(*arguments)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert done.stderr.startswith(said)


@pytest.mark.usefixtures("here")
def test_a_dataset_must_have_been_mined_there() -> None:
    """A dataset of today that the revision did not have is named."""
    done = CliRunner().invoke(app, ["show", "code", "--against", "first"])
    assert done.exit_code == 2
    assert done.stderr.startswith("error: dataset 'code' was not mined at revision 'first'")


@pytest.mark.parametrize("gone", ["files", "files/md5/directories"])
def test_what_left_the_cache_is_said(gone: str, here: Path) -> None:
    """Tables that DVC's cache no longer holds are named, with what brings them back."""
    cache = here / ".dvc" / "cache"
    for path in [cache / "files"] if gone == "files" else list(cache.rglob("*.dir")):
        path.chmod(0o755)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    done = against("first")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "is not in DVC's cache; dvc fetch" in done.stderr


def test_a_workspace_without_tables_is_said(here: Path) -> None:
    """Where the workspace has nothing to compare, or what is no table, its file is named."""
    run = here / layout.table("mine", "docs", "run")
    run.unlink()
    assert (
        against("first").stderr
        == f"error: {run.relative_to(here)}: no such table; run the stage that writes it (dvc repro)\n"
    )
    run.write_text("no table")
    assert against("first").stderr.startswith(f"error: {run.relative_to(here)} of workspace: not such a table (")


def test_a_folder_without_dvc_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of a DVC project there is no revision to compare with."""
    mined.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    done = against("first")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("error: ")


def test_the_rules_of_the_second_round_are_those_of_the_first() -> None:
    """The made-up rows name rules that there are."""
    assert {rule for *_, refusing in SECOND for rule in refusing} <= set(BIT)
