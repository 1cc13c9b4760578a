"""Whether a project and the embedder that is installed go together."""

from pathlib import Path

import pytest

from embedder.checks.project import different, project
from tests import starter


@pytest.fixture(name="pipeline")
def _pipeline(tmp_path: Path) -> Path:
    """The dvc.yaml that `embedder init` writes."""
    path = tmp_path / "dvc.yaml"
    path.write_bytes(starter.PATH.read_bytes())
    return path


def test_a_project_of_the_installed_version_is_well(pipeline: Path) -> None:
    """Version and stages are the installed ones; embedder's own repository has no version to compare."""
    assert project("0.1.0", "0.1.0", pipeline).level == "ok"
    assert project(None, "0.1.0", pipeline).level == "ok"


def test_another_version_is_an_error(pipeline: Path) -> None:
    """A project made for another version says so, and what to do."""
    found = project("0.1.0", "0.2.0", pipeline)
    assert (found.level, found.found) == ("error", "made with embedder 0.1.0, but 0.2.0 is installed")


def test_stages_of_another_version_are_a_warning(pipeline: Path) -> None:
    """Stages that are missing or changed are named, with the command that shows the difference."""
    text = pipeline.read_text()
    pipeline.write_text(text.replace("      - judge\n", "      - judge\n        - more\n"))
    found = project("0.1.0", "0.1.0", pipeline)
    assert found.level == "warning"
    assert found.found.endswith("writes: judge")
    assert found.advice.startswith("where that is not on purpose: diff ")


def test_a_missing_pipeline_is_an_error(tmp_path: Path) -> None:
    """Without dvc.yaml there is nothing to run."""
    assert project("0.1.0", "0.1.0", tmp_path / "dvc.yaml").level == "error"


def test_a_projects_own_stages_are_its_own() -> None:
    """Stages beside those that are wanted are no difference."""
    assert different({"a": 1, "mine": {"x": 2}}, {"mine": {"x": 2}}) == []
    assert different({"mine": {"x": 3}}, {"mine": {"x": 2}, "judge": {}}) == ["mine", "judge"]
