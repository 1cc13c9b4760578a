"""How fast a run goes: rows that are there at once, of one training."""

import csv
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from embedder.training import speed
from embedder.training.history import Step


def step(number: int) -> Step:
    """Return a step of 30 texts and 200 tokens."""
    return Step(number, "rooms", 0, 8, 24, 30, 200, 0.1, 1.0, 0.1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0, 0, 0, 0)


def rows(path: Path) -> list[dict[str, str]]:
    """Read the file as DVC does."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write(path: Path, run: str, start: int, end: int, seed: int = 1) -> None:
    """Carry out some steps of a run."""
    with speed.recorded(path, run, seed, start) as append:
        for number in range(start, end):
            append(speed.speed_of(run, seed, step(number), 0.5, "cpu"))


def test_speed_counts_texts_and_tokens_without_padding() -> None:
    """30 texts of 200 tokens in half a second are 60 texts and 400 tokens a second."""
    found = speed.speed_of("a", 17, step(3), 0.5, "cpu")
    assert (found.run, found.seed, found.step, found.dataset, found.seconds) == ("a", 17, 3, "rooms", 0.5)
    assert (found.texts_per_second, found.tokens_per_second) == pytest.approx((60, 400))


def test_memory_is_the_most_that_was_resident() -> None:
    """On a CPU it is what Linux calls the high-water mark of this process."""
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("no Linux")
    said = next(line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    assert speed.peak_memory("cpu") == pytest.approx(int(said) * 1024, rel=0.05)


def test_rows_are_there_while_the_run_goes_on(tmp_path: Path) -> None:
    """Each row can be read as soon as its step is done, the header before the first."""
    path = tmp_path / "cache" / "speed.csv"
    with speed.recorded(path, "a", 1, 0) as append:
        assert rows(path) == []
        for number in range(3):
            append(speed.speed_of("a", 1, step(number), 0.5, "cpu"))
            assert [row["step"] for row in rows(path)] == [str(one) for one in range(number + 1)]
    names = ["run", "seed", "step", "dataset", "seconds", "texts_per_second", "tokens_per_second", "peak_memory"]
    assert list(rows(path)[0]) == names


def test_a_resumed_run_has_each_step_once(tmp_path: Path) -> None:
    """Steps that were carried out after the checkpoint and again are there once, those before it stay."""
    path = tmp_path / "speed.csv"
    write(path, "a", 0, 5)
    write(path, "a", 3, 6)
    assert [int(row["step"]) for row in rows(path)] == list(range(6))


def test_runs_of_several_seeds_stand_one_after_another(tmp_path: Path) -> None:
    """A training's runs keep their rows when the next seed's begins, also after a kill; another time's later ones go."""
    path = tmp_path / "speed.csv"
    for seed in (1, 2, 3):
        write(path, "a", 0, 3, seed)
    write(path, "a", 2, 4, 2)
    expected = [("1", "0"), ("1", "1"), ("1", "2"), ("2", "0"), ("2", "1"), ("2", "2"), ("2", "3")]
    assert [(row["seed"], row["step"]) for row in rows(path)] == expected


@pytest.mark.parametrize(
    "torn", ["a,1,1", "a,1,1,rooms,0.5,60,400,1000,7\n", "a,,1,rooms,0.5,60,400,1000\n", "\0\xff\n", "x,y\n"]
)
def test_other_rows_go(tmp_path: Path, torn: str) -> None:
    """Rows of another run go, and so does what a kill tore."""
    path = tmp_path / "speed.csv"
    write(path, "other", 0, 4)
    with path.open("a", encoding="latin-1") as file:
        file.write(torn)
    write(path, "a", 2, 4)
    assert [(row["run"], row["step"]) for row in rows(path)] == [("a", "2"), ("a", "3")]


def test_only_the_step_is_timed() -> None:
    """What is done between two steps, as scoring and saving, is in no step's seconds."""

    def slow() -> Iterator[Step]:
        for number in range(2):
            time.sleep(0.02)
            yield step(number)

    found = []
    for one, seconds in speed.timed(slow()):
        found.append((one.step, seconds))
        time.sleep(0.3)
    assert [number for number, _ in found] == [0, 1]
    assert all(0.02 <= seconds < 0.2 for _, seconds in found)
