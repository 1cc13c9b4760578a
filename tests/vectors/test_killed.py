"""Processes that are killed in the middle, with kill -9, and started again."""

import hashlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from embedder.vectors.keys import text_keys
from embedder.vectors.store import Space
from tests import project
from tests.vectors.made_up import encode

TEXTS = [f"text {number}" for number in range(240)]
FACTS = {"model": "m"}
FILL = """
import sys, time
from pathlib import Path
from embedder.vectors.filling import fill
from embedder.locking import locked
from embedder.vectors.store import Space
from tests.vectors.made_up import encode
from tests.vectors.test_killed import FACTS, TEXTS

def slowly(texts):
    print(*map(TEXTS.index, texts), flush=True)
    time.sleep(float(sys.argv[2]))
    return encode(texts)

root = Path(sys.argv[1])
with locked(root):
    fill(Space(root, FACTS, "float32"), TEXTS, slowly, 100, unit_texts=8)
"""


def start(root: Path, seconds: float) -> "subprocess.Popen[str]":
    """Start a process that encodes TEXTS, `seconds` a unit, and prints what it encodes before it does."""
    command = [sys.executable, "-c", FILL, str(root), str(seconds)]
    return subprocess.Popen(command, cwd=project.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def encoded(output: str) -> list[str]:
    """Return the texts a process said it would encode."""
    return [TEXTS[int(number)] for number in output.split()]


def kill_after(child: "subprocess.Popen[str]", units: int, seconds: float) -> list[str]:
    """Kill a process some time after it began its unit of that number, and return what it encoded."""
    assert child.stdout is not None
    lines = [child.stdout.readline() for _ in range(units)]
    time.sleep(seconds)
    child.send_signal(signal.SIGKILL)
    rest, _ = child.communicate()
    assert child.returncode in (0, -signal.SIGKILL)  # 0 where this process was so slow that the other ended
    return encoded("".join(lines) + rest)


def hashes(root: Path) -> dict[str, str]:
    """Hash every file of a store."""
    found = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


@pytest.fixture(scope="module", name="clean")
def _clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that one process filled undisturbed."""
    root = tmp_path_factory.mktemp("clean")
    output, error = start(root, 0).communicate()
    assert (sorted(encoded(output)), error) == (sorted(TEXTS), "")
    return root


@pytest.mark.parametrize("seed", range(4))
def test_a_killed_process_loses_one_unit(seed: int, tmp_path: Path, clean: Path) -> None:
    """Killed twice at random moments and started again, only unfinished units are encoded again; bytes are equal."""
    random_ = random.Random(seed)  # noqa: S311 - moments, no secrets
    done: set[str] = set()
    for _ in range(2):
        moment = random_.randint(2, 10), random_.uniform(0, 0.02)
        began = kill_after(start(tmp_path, 0.005), *moment)
        assert not done & set(began)
        space = Space(tmp_path, FACTS, "float32")
        lacking = {TEXTS[position] for position in space.missing(text_keys(TEXTS))}
        assert len(set(began) & lacking) <= 8
        done = set(TEXTS) - lacking
    output, error = start(tmp_path, 0).communicate()
    assert (sorted(encoded(output)), error) == (sorted(set(TEXTS) - done), "")
    assert hashes(tmp_path) == hashes(clean)
    np.testing.assert_array_equal(Space(tmp_path, FACTS, "float32").vectors(text_keys(TEXTS)), encode(TEXTS))


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    """While one process encodes, the same command ends at once with the number of the first."""
    first = start(tmp_path, 0.2)
    assert first.stdout is not None
    first.stdout.readline()
    second = start(tmp_path, 0)
    output, error = second.communicate()
    assert first.poll() is None
    assert (output, second.returncode) == ("", 1)
    assert f"EmbedderError: {tmp_path}: held by process {first.pid} (-c {tmp_path} 0.2); wait" in error
    kill_after(first, 0, 0)
