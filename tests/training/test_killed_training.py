"""What kill -9 costs training, on the real stage: the steps since the last checkpoint, and no byte."""

import csv
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from embedder import layout
from tests import project

STEPS, EVERY, HELD = 9, 2, 5
STAGE = "stages.finetune"
# Python runs this first in every process of the project: a training waits after some steps until it is killed.
_HELD = """
import os, sys
if "stages.finetune" in " ".join(sys.orig_argv) and "HELD" in os.environ:
    import time
    from embedder.training import runs
    done = runs.Going.done
    def held(going, step, seconds):
        done(going, step, seconds)
        if len(going.history) == int(os.environ["HELD"]):
            time.sleep(600)
    runs.Going.done = held
"""
# All stages before it, in one process.
_BEFORE = """
from stages.ingest import ingest
from stages.base import base
from stages.mine import mine
from stages.filter import filter_candidates
from stages.judge import judge
from stages.materialize import materialize
for stage in (ingest, mine, filter_candidates, judge):
    stage("docs")
base()
materialize()
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with shards and a base."""
    params = project.tiny_params()
    del params["datasets"]["code"]
    params["runtime"]["checkpoint_steps"] = EVERY
    recipe = params["students"]["tiny"]["recipe"]
    recipe |= {"steps": STEPS, "lora": recipe["lora"] | {"dropout": 0.2}}
    folder = project.make_project(tmp_path_factory.mktemp("prepared") / "project", params)
    (folder / "site" / "sitecustomize.py").write_text(_HELD)
    (folder / "before.py").write_text(_BEFORE)
    done = project.run(folder, "before")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def clean(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a training that nobody kills writes."""
    folder = copied(prepared, tmp_path_factory.mktemp("clean"))
    done = project.run(folder, STAGE)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (folder / layout.TRAINING).iterdir() if path.is_dir()] == []
    return project.outputs(folder)


def copied(prepared: Path, where: Path) -> Path:
    """Return a project of its own."""
    return Path(shutil.copytree(prepared, where / "project"))


def start(folder: Path, *command: str) -> subprocess.Popen[bytes]:
    """Start a stage that will wait, or what starts it."""
    environ = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(folder), str(folder / "site")]),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(folder / ".dvc" / "site"),
        "HELD": str(HELD),
    }
    return subprocess.Popen(
        [sys.executable, "-m", *command], cwd=folder, env=environ, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )


def steps_of(folder: Path) -> list[int]:
    """The steps of speed.csv, as one would look at them while the training goes on."""
    path = folder / layout.SPEED
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [int(row["step"]) for row in csv.DictReader(file)]


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of the training, the older first."""
    return sorted((folder / layout.TRAINING).glob("*/*/*.safetensors"))


def until(true: Callable[[], object], seconds: float = 90) -> None:
    """Wait for something."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("torn", [False, True], ids=["whole", "torn"])
def test_a_killed_training_goes_on_where_it_was(
    prepared: Path,
    clean: dict[str, str],
    tmp_path: Path,
    torn: bool,  # noqa: FBT001 - a case
) -> None:
    """Killed after a checkpoint, the same command does the rest alone and writes the adapter of a clean run, byte by byte.

    Where the newest checkpoint is torn it goes on from the one before.
    """
    folder = copied(prepared, tmp_path)
    stage = start(folder, STAGE)
    until(lambda: len(steps_of(folder)) == HELD)
    stage.kill()
    stage.wait()
    assert not (folder / layout.ADAPTER).exists()
    found = checkpoints(folder)
    if torn:
        found[-1].write_bytes(found.pop().read_bytes()[:-100])
    done = project.run(folder, STAGE)
    assert done.returncode == 0, done.stderr
    assert [int(path.name[:8]) for path in found] == ([2] if torn else [2, 4])
    assert f"finetune: going on after {2 if torn else 4} of {STEPS} steps, from a checkpoint" in done.stderr
    assert ("is not as it was written; going on from the one before" in done.stderr) == torn
    assert steps_of(folder) == list(range(STEPS))
    assert project.outputs(folder) == clean
    assert checkpoints(folder) == []


def test_killing_dvc_leaves_the_training_alive_and_a_second_one_is_refused(
    prepared: Path, clean: dict[str, str], tmp_path: Path
) -> None:
    """The stage of a killed dvc still trains: another is told its number and ends with 2; after its end one goes on."""
    folder = copied(prepared, tmp_path)
    dvc = start(folder, "dvc", "repro", "--single-item", "finetune")
    until(lambda: len(steps_of(folder)) == HELD)
    dvc.kill()
    dvc.wait()
    refused = project.run(folder, STAGE)
    assert refused.returncode == 2, refused.stderr
    holder = re.search(
        r"finetune: held by process (\d+) \(.*finetune.*\); wait for it or stop it$", refused.stderr.strip()
    )
    assert holder is not None, refused.stderr
    os.kill(int(holder[1]), signal.SIGKILL)
    done = project.run(folder, STAGE)
    assert done.returncode == 0, done.stderr
    assert "finetune: going on after " in done.stderr
    assert project.outputs(folder) == clean
