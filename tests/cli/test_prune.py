"""`embedder prune`: the folders of datasets that params.yaml no longer names, and nothing else."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from embedder import layout
from embedder.cli.main import app
from embedder.cli.prune import remove, stale
from tests import project

STAGES = sorted(layout.PER_DATASET)


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write_params(tmp_path, project.tiny_params())
    monkeypatch.chdir(tmp_path)


def fill(*names: str) -> None:
    """Write a table into each folder below data."""
    for name in names:
        folder = layout.DATA / name
        folder.mkdir(parents=True)
        (folder / "run.parquet").write_text("rows")


def prune(*arguments: str) -> Result:
    """Run `embedder prune`."""
    return CliRunner().invoke(app, ["prune", *arguments])


def contents() -> set[str]:
    """Return every path below data, links not followed."""
    return {
        os.path.relpath(Path(at) / name, layout.DATA)
        for at, *names in os.walk(layout.DATA)
        for part in names
        for name in part
    }


def test_folders_of_unnamed_datasets_go() -> None:
    """Each stage's folder of a dataset that is gone is removed and named; those of the others stay."""
    fill(*(f"{stage}/{name}" for stage in STAGES for name in ("docs", "gone", "old-one")))
    done = prune()
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        f"removed data/{stage}/{name}" for stage in STAGES for name in ("gone", "old-one")
    ]
    assert contents() == {*STAGES, *(f"{s}/docs{f}" for s in STAGES for f in ("", "/run.parquet"))}
    assert prune().stdout == ""


def test_dry_run_removes_nothing() -> None:
    """--dry-run says what would go and leaves it."""
    fill("mine/gone")
    before = contents()
    assert prune("--dry-run").stdout == "would remove data/mine/gone\n"
    assert contents() == before


def test_everything_else_stays() -> None:
    """Shared stages, the cache, drafts, files and names no dataset can have are never touched."""
    fill(
        "materialize/gone",
        "evaluate/gone",
        "cache/gone",
        "report/gone",
        "finetune/gone",
        "mine/.gone.7.tmp",
        "other/gone",
        "mine/My_Notes",
    )
    (layout.DATA / "mine" / "file").write_text("no folder")
    before = contents()
    assert prune().stdout == ""
    assert contents() == before


def test_without_data_nothing_happens() -> None:
    """Before the first run there is nothing to prune, which is no mistake."""
    assert prune().exit_code == 0


def test_links_are_not_followed(tmp_path: Path) -> None:
    """Of a folder that is a link the link goes and what it leads to stays; what links inside lead to stays too."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("kept")
    fill("mine/gone")
    (layout.DATA / "mine" / "gone" / "link").symlink_to(outside)
    (layout.DATA / "mine" / "linked").symlink_to(outside)
    assert prune().stdout.splitlines() == ["removed data/mine/gone", "removed data/mine/linked"]
    assert (outside / "precious").read_text() == "kept"
    assert contents() == {"mine"}


def test_a_stage_folder_outside_data_stays(tmp_path: Path) -> None:
    """Where data/mine is a link out of data, nothing behind it is removed."""
    outside = tmp_path / "outside" / "gone"
    outside.mkdir(parents=True)
    layout.DATA.mkdir()
    (layout.DATA / "mine").symlink_to(outside.parent)
    assert prune().stdout == ""
    assert outside.is_dir()


def test_data_itself_may_be_a_link(tmp_path: Path) -> None:
    """Where data is a link to a larger disk, its folders are pruned all the same."""
    (tmp_path / "disk").mkdir()
    layout.DATA.symlink_to(tmp_path / "disk")
    fill("mine/gone", "mine/docs")
    assert prune().stdout == "removed data/mine/gone\n"


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sets(st.from_regex(r"\A[a-z0-9]{1,3}(-[a-z0-9]{1,2})?\Z")), st.sets(st.from_regex(r"\A[a-z0-9]{1,3}\Z")))
def test_what_stays_is_what_is_named(
    tmp_path_factory: pytest.TempPathFactory, there: set[str], named: set[str]
) -> None:
    """After pruning, the datasets on disk are those that were there and are named."""
    data = tmp_path_factory.mktemp("data")
    for name in there:
        (data / "mine" / name).mkdir(parents=True)
    for folder in stale(data, named):
        remove(folder)
    assert {path.name for path in data.glob("mine/*")} == there & named
