"""The history of a run as a file."""

import csv
from pathlib import Path

from embedder.training.history import Step, write_history

STEP = Step(0, "rooms", 1, 8, 24, 30, 200, 0.125, 1.23456789, 1e-05, 0.5, 0.1, 0.2, 0.3, -0.1, 0.0, 0.1)


def test_the_history_is_csv(tmp_path: Path) -> None:
    """A history is written with a header, one line a step and six significant digits."""
    write_history(tmp_path / "history.csv", [STEP])
    with (tmp_path / "history.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["step"], line["dataset"], line["epoch"]) == ("0", "rooms", "1")
    assert (line["loss"], line["learning_rate"], line["padding"]) == ("1.23457", "1e-05", "0.125")
    assert (line["positive_90"], line["negative_10"]) == ("0.3", "-0.1")


def test_a_history_holds_nothing_of_the_clock(tmp_path: Path) -> None:
    """Its columns are of the plan, the batch and the gradient alone, and its bytes are the same each time."""
    for name in ("one.csv", "other.csv"):
        write_history(tmp_path / name, [STEP])
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "other.csv").read_bytes()
    header = (tmp_path / "one.csv").read_text().splitlines()[0]
    assert not {"seconds", "tokens_per_second", "peak_memory"} & set(header.split(","))
