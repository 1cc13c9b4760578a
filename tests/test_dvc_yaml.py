"""dvc.yaml says what the code does: layout's paths, the import closure, the parameters that are read."""

import re
from dataclasses import fields
from typing import Any

import pytest
from ruamel.yaml import YAML

from embedder import layout
from embedder.checks.tracking import problems
from embedder.params.load import load
from embedder.training.history import Step
from embedder.training.speed import Speed
from tests.closure import ROOT, code_deps

PIPELINE: dict[str, Any] = YAML(typ="safe").load(ROOT / "dvc.yaml")
STAGES: dict[str, Any] = PIPELINE["stages"]


def stage_of(name: str) -> Any:  # noqa: ANN401 - YAML
    """Return a stage, out of its foreach."""
    return STAGES[name].get("do", STAGES[name])


def test_the_stages_are_the_files_of_stages() -> None:
    """Every stage of dvc.yaml is a file of stages/ and the other way round, in the order of layout."""
    files = {path.stem for path in (ROOT / "stages").glob("*.py")} - {"__init__", "all"}
    assert set(STAGES) == files == set(layout.STAGES)


@pytest.mark.parametrize("name", layout.STAGES)
def test_command_and_description(name: str) -> None:
    """A stage's command is its module and its dataset, without flags, and it says what it does."""
    key = " ${key}" if name in layout.PER_DATASET else ""
    assert stage_of(name)["cmd"] == f"python -m stages.{name}{key}"
    assert stage_of(name)["desc"]
    assert ("foreach" in STAGES[name]) == (name in layout.PER_DATASET)


@pytest.mark.parametrize("name", layout.STAGES)
def test_code_deps_are_the_import_closure(name: str) -> None:
    """A stage depends on exactly the code it imports, less what changes no output."""
    listed = {dep for dep in stage_of(name)["deps"] if dep.startswith(("stages/", "embedder/"))}
    assert listed == code_deps(name)


@pytest.mark.parametrize("name", layout.STAGES)
def test_data_deps_are_outputs_of_earlier_stages(name: str) -> None:
    """What a stage reads is what an earlier stage writes, the source itself, or what people said of its pairs."""
    earlier = layout.STAGES[: layout.STAGES.index(name)]
    outs = [out for stage in earlier for out in outs_of(stage)]
    outs += [layout.LABELS.as_posix()] if name == "judge" else []
    deps = [dep for dep in stage_of(name)["deps"] if not dep.startswith(("stages/", "embedder/", "${item.path}"))]
    for dep in deps:
        assert any(out == dep or out.startswith(f"{dep}/") for out in outs), dep
    assert stage_of(name)["deps"]


@pytest.mark.parametrize("name", layout.STAGES)
def test_outs_follow_the_layout(name: str) -> None:
    """Every output lies in the stage's folder of layout, and none is persistent, uncached or always changed."""
    folder = layout.folder(name, "${key}" if name in layout.PER_DATASET else None).as_posix()
    assert all(out == folder or out.startswith(f"{folder}/") for out in outs_of(name))
    text = (ROOT / "dvc.yaml").read_text()
    assert not re.search(r"persist|always_changed|cache: false", text)


def test_layouts_files_are_outputs() -> None:
    """The files layout names are outputs of dvc.yaml."""
    outs = [out for name in layout.STAGES for out in outs_of(name)]
    names = [
        "SHARDS",
        "MANIFEST",
        "DROPPED",
        "CARD",
        "SELECTION",
        "BASE_MODEL",
        "ADAPTER",
        "MODEL",
        "HISTORY",
        "METRICS",
        "SCORES",
        "RESULTS",
        "PAGE",
    ]
    for path in (getattr(layout, name).as_posix() for name in names):
        assert any(path == out or path.startswith(f"{out}/") for out in outs), path


def test_every_parameter_but_runtime_is_tracked() -> None:
    """Each key of params.yaml is tracked by a stage, runtime by none, and each tracked key exists."""
    params = load(ROOT / "params.yaml").model_dump(mode="json")
    assert not list(problems(params, STAGES))


def test_metrics_are_one_file() -> None:
    """Only data/evaluate/metrics.json is a metric: more would fill dvc exp show."""
    assert [m for name in STAGES for m in stage_of(name).get("metrics", [])] == [layout.METRICS.as_posix()]


def test_plots_draw_what_training_writes() -> None:
    """Every curve of training is a column of its history or of its speed, over the steps."""
    written = {layout.HISTORY.as_posix(): Step, layout.SPEED.as_posix(): Speed}
    plots = [plot for one in PIPELINE["plots"] for plot in one.values() if isinstance(plot["y"], dict)]
    assert {file for plot in plots for file in plot["y"]} == set(written)
    for plot in plots:
        for file, columns in plot["y"].items():
            names = {field.name for field in fields(written[file])}
            assert {plot["x"], *([columns] if isinstance(columns, str) else columns)} <= names, plot["title"]


def outs_of(name: str) -> list[str]:
    """Return outputs and metrics of a stage."""
    return [*stage_of(name).get("outs", []), *stage_of(name).get("metrics", [])]
