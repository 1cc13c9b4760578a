"""The history of a run as a file."""

import csv
from dataclasses import replace
from pathlib import Path

from embedder.training.history import Step, masked, write_history

STEP = Step(0, "rooms", 1, 8, 24, 30, 200, 0.125, 1.23456789, 1e-05, 0.5, 0.1, 0.2, 0.3, -0.1, 0.0, 0.1, 3, 5, 7, 2)


def test_the_history_is_csv(tmp_path: Path) -> None:
    """A history is written with a header, one line a step and six significant digits."""
    write_history(tmp_path / "history.csv", {17: [STEP]})
    with (tmp_path / "history.csv").open(newline="") as file:
        (line,) = csv.DictReader(file)
    assert (line["seed"], line["step"], line["dataset"], line["epoch"]) == ("17", "0", "rooms", "1")
    assert (line["loss"], line["learning_rate"], line["padding"]) == ("1.23457", "1e-05", "0.125")
    assert (line["positive_90"], line["negative_10"]) == ("0.3", "-0.1")
    names = ("masked_own", "masked_in_batch", "masked_by_score", "rows_alone")
    assert [line[name] for name in names] == ["3", "5", "7", "2"]


def test_all_runs_are_in_one_file(tmp_path: Path) -> None:
    """Runs stand one after another, told apart by their seed."""
    write_history(tmp_path / "history.csv", {3: [STEP, replace(STEP, step=1)], 4: [STEP]})
    with (tmp_path / "history.csv").open(newline="") as file:
        assert [(line["seed"], line["step"]) for line in csv.DictReader(file)] == [("3", "0"), ("3", "1"), ("4", "0")]


def test_what_did_not_count_adds_up() -> None:
    """Totals are the sums of the columns over the steps."""
    assert masked([STEP, STEP]) == {"masked_own": 6, "masked_in_batch": 10, "masked_by_score": 14, "rows_alone": 4}
    assert set(masked([]).values()) == {0}


def test_a_history_holds_nothing_of_the_clock(tmp_path: Path) -> None:
    """Its columns are of the plan, the batch and the gradient alone, and its bytes are the same each time."""
    for name in ("one.csv", "other.csv"):
        write_history(tmp_path / name, {17: [STEP]})
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "other.csv").read_bytes()
    header = (tmp_path / "one.csv").read_text().splitlines()[0]
    assert not {"seconds", "tokens_per_second", "peak_memory"} & set(header.split(","))
