"""What kill -9 costs mining with a dense teacher, on the real stage and on real DVC: one unit, and no byte."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from embedder.revisions import content_hash, file_hashes
from tests import project
from tests.models import make_bert

UNIT = 8
STAGE = ("stages.mine", "docs")
# Python runs this first in every process of the project: units are small, committed slowly, and noted.
_SLOW = f"""
import sys
if "stages.mine" in " ".join(sys.orig_argv):
    import os, time
    from embedder.vectors import filling, store
    filling.fill.__kwdefaults__["unit_texts"] = {UNIT}
    add = store.Space.add
    def slow(space, keys, vectors):
        add(space, keys, vectors)
        with open("units.log", "a") as log:
            log.write(f"{{len(keys)}}\\n")
        time.sleep(float(os.environ.get("SLOW", "0")))
    store.Space.add = slow
"""


def _project(folder: Path) -> Path:
    params: dict[str, Any] = project.tiny_params()
    params["teacher"] = "tiny-bert"
    del params["datasets"]["code"]
    project.make_project(folder, params)
    # The words of the summaries: a model that knows none of them reads all alike.
    make_bert(folder / "model", [*project.VERBS, *project.NOUNS, *map(str, range(10))])
    params["teachers"]["tiny-bert"] = {
        "kind": "dense",
        "name": "model",
        "revision": content_hash(file_hashes(folder / "model")),
        "adapter": None,
        "licence": "CC0-1.0",
        "pooling": "cls",
        "query_prompt": "",
        "passage_prompt": "",
        "query_length": 32,
        "passage_length": 64,
        "dtype": "float32",
        "normalise": True,
        "add_eos": False,
        "dimensions": 16,
        "parameters": 10000,
        "index": {"kind": "exact"},
        "agreement_sample": 0,
    }
    project.write_params(folder, params)
    (folder / "site" / "sitecustomize.py").write_text(_SLOW)
    assert project.run(folder, "stages.ingest", "docs").returncode == 0
    return folder


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], int]:
    """What a run that nobody kills writes, and how many texts it reads."""
    folder = _project(tmp_path_factory.mktemp("clean") / "project")
    done = project.run(folder, *STAGE)
    assert done.returncode == 0, done.stderr
    return project.outputs(folder), _read(folder)


def _read(folder: Path) -> int:
    log = folder / "units.log"
    return sum(map(int, log.read_text().split())) if log.exists() else 0


def _start(folder: Path, *command: str) -> subprocess.Popen[str]:
    environ = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(folder), str(folder / "site")]),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "DVC_NO_ANALYTICS": "1",
        "DVC_SITE_CACHE_DIR": str(folder / ".dvc" / "site"),
        "SLOW": "0.3",
    }
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=environ,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def _until(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("units", [1, 4])
def test_a_killed_stage_goes_on_where_it_was(clean: tuple[dict[str, str], int], units: int, tmp_path: Path) -> None:
    """Killed after some units, the same command reads only what was not committed, and writes the bytes of a clean run."""
    expected, texts = clean
    folder = _project(tmp_path / "project")
    stage = _start(folder, *STAGE)
    _until(lambda: _read(folder) >= units * UNIT)
    stage.kill()
    stage.wait()
    committed = _read(folder)
    assert UNIT * units <= committed < texts
    done = project.run(folder, *STAGE)
    assert done.returncode == 0, done.stderr
    # A unit that was renamed and not yet noted when the stage died is in neither count.
    assert texts - UNIT <= _read(folder) <= texts
    assert project.outputs(folder) == expected


def test_killing_dvc_leaves_the_stage_alive_and_a_second_run_is_refused(
    clean: tuple[dict[str, str], int], tmp_path: Path
) -> None:
    """The stage of a killed dvc holds the store: another run names it and ends; when it is gone too, dvc goes on."""
    expected, texts = clean
    folder = _project(tmp_path / "project")
    dvc = _start(folder, "dvc", "repro", "mine@docs")
    _until(lambda: _read(folder) > 0)
    dvc.kill()
    dvc.wait()
    refused = project.run(folder, *STAGE)
    assert refused.returncode == 2
    holder = re.search(
        r"vectors: held by process (\d+) \(.*mine.* docs\); wait for it or stop it$", refused.stderr.strip()
    )
    assert holder is not None, refused.stderr
    os.kill(int(holder[1]), signal.SIGKILL)
    _until(lambda: not _alive(int(holder[1])))
    assert _read(folder) < texts
    done = project.run(folder, "dvc", "repro", "mine@docs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert texts - UNIT <= _read(folder) <= texts
    assert project.outputs(folder) == expected


def _alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet asked after by its parent does not."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"
