"""How fast a run goes and how much memory it takes: of clock and host, so a file beside the outputs, to look at."""

import csv
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from embedder.training.history import Step

_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Speed:
    """One row of speed.csv.

    Attributes:
        run: which training the step is of.
        seed: of its runs, one after another.
        step: from 0.
        dataset: its name; empty where a batch is of several.
        seconds: that the step took.
        texts_per_second: distinct ones, of all processes.
        tokens_per_second: of these texts, without padding.
        peak_memory: bytes that this process has had at most so far: on the GPU, or resident.
    """

    run: str
    seed: int
    step: int
    dataset: str
    seconds: float
    texts_per_second: float
    tokens_per_second: float
    peak_memory: int


def timed(steps: Iterator[Step]) -> Iterator[tuple[Step, float]]:
    """Yield each step and the seconds that it took, whatever is done between two of them."""
    while True:
        start = time.perf_counter()
        step = next(steps, None)
        if step is None:
            return
        yield step, time.perf_counter() - start


def speed_of(run: str, seed: int, step: Step, seconds: float, device: str) -> Speed:
    """What a step that took so long on `device` says of a run."""
    per_second = 1 / max(seconds, 1e-9)
    texts, tokens = step.texts * per_second, step.tokens * per_second
    return Speed(run, seed, step.step, step.dataset, seconds, texts, tokens, peak_memory(device))


def peak_memory(device: str) -> int:
    """The most bytes that this process has had so far: on the GPU, or resident."""
    if not device.startswith("cuda"):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _RSS_UNIT
    import torch

    return torch.cuda.max_memory_allocated(device)


@contextmanager
def recorded(path: Path, run: str, seed: int, start: int) -> Iterator[Callable[[Speed], None]]:
    """Yield what appends a row to speed.csv at once, so that the file can be drawn while the run goes on.

    Args:
        path: the file; its rows of the same training before this seed's step `start` stay, all others go.
        run: which training this is.
        seed: of the run that goes on now; those of lower seeds are done.
        start: the first step that is carried out now.
    """
    kept = [row for row in _rows(path) if row["run"] == run and (int(row["seed"]), int(row["step"])) < (seed, start)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Speed)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)

        def append(speed: Speed) -> None:
            writer.writerow({name: f"{v:.6g}" if isinstance(v, float) else v for name, v in asdict(speed).items()})
            file.flush()

        file.flush()
        yield append


def _numbered(row: dict[str, str]) -> bool:
    return row["seed"].isdigit() and row["step"].isdigit()


def _rows(path: Path) -> list[dict[str, str]]:
    """The whole rows of a speed.csv; a kill may have torn the last, and another version had other columns."""
    if not path.exists():
        return []
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        rows = list(csv.DictReader(file))
    names = {field.name for field in fields(Speed)}
    return [row for row in rows if row.keys() == names and None not in row.values() and _numbered(row)]
