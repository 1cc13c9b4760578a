"""Facts about the scripts in benchmarks/, each run at a tiny size."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
SMALL = {
    "search": "--trial --passages=3000 --queries=40 --dimensions=32 --k=10 --rounds=1 --few=8 --many=6000",
    "encode": "--trial --texts=12 --layers=1 --rounds=1 --batch=8 --square=256",
    "mining": "--trial --passages=400 --queries=40 --layers=1 --hidden=64",
    "gpu": "--tiny --device=cpu --rounds=1",
    "train": "--tiny --trial --rounds=1 --budget=512 --square=256",
}


def _printed(script: str, options: str) -> str:
    """Run a script with few threads, for which a machine at work has room, and return what it prints."""
    command = [sys.executable, str(BENCHMARKS / f"{script}.py"), *options.split()]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def _tables(printed: str) -> list[list[list[str]]]:
    """Return the cells of each Markdown table, heading first, whose rows are of one length."""
    tables: list[list[list[str]]] = []
    before = ""
    for line in printed.splitlines():
        if line.startswith("|"):
            if not before.startswith("|"):
                tables.append([])
            tables[-1].append([cell.strip() for cell in line.strip().strip("|").split("|")])
        before = line
    assert all(len({len(row) for row in table}) == 1 for table in tables)
    return [[table[0], *table[2:]] for table in tables]


def test_every_arm_has_a_process_of_its_own_and_is_compared_with_ours() -> None:
    """BM25's table has an arm a row, ours with ratios of 1, and all engines find the same passages."""
    printed = _printed("bm25", "--passages=1500 --queries=40 --k=10 --slow-queries=4 --rounds=2")
    ((heading, *rows),) = _tables(printed)
    assert [row[0] for row in rows] == ["ours", "bm25s", "rank-bm25"]
    ours, bm25s, _ = (dict(zip(heading, row, strict=True)) for row in rows)
    assert (ours["time ratio"], ours["memory ratio"], ours["overlap"]) == ("1.00", "1.00", "1")
    assert float(bm25s["overlap"]) > 0.95
    assert "python benchmarks/bm25.py --passages 1500 --queries 40" in printed


@pytest.mark.parametrize(
    ("script", "rows", "said"),
    [
        ("search", [4, 4, 2], "Both of ours give the same places and bits of scores."),
        ("encode", [4], "Cosine of default to ours in float32: mean 1.000000"),
        ("mining", [5], "100.00% at 1 to 100"),
        ("gpu", [3, 3, 2], "Both give the same places and bits of scores."),
        ("train", [3, 4, 3, 4], "Gradients differ by at most"),
    ],
)
def test_a_script_prints_its_tables(script: str, rows: list[int], said: str) -> None:
    """Each comparison is a table with a row an arm, and what is compared agrees."""
    printed = _printed(script, SMALL[script])
    assert said in printed
    if script == "encode" and "in bfloat16" not in printed:
        rows = [3]
    assert [len(table) - 1 for table in _tables(printed)] == rows


def test_a_gpus_sizes_are_tried_on_a_cpu() -> None:
    """What is written wins over what --gpu and --tiny stand for, and bfloat16 steps of 7B's settings run through."""
    printed = _printed("train", "--gpu --device=cpu --trial --budget=512 --square=256 --steps=1 --warm=1 --tiny")
    assert "--steps 1" in printed
    assert "--dtype bfloat16" in printed
    assert "which is bfloat16's rounding" in printed
    assert [len(table) - 1 for table in _tables(printed)] == [3, 4, 3, 4]


def test_other_gradients_end_a_comparison_of_steps(tmp_path: Path) -> None:
    """Where a peer trains something else nothing is printed, and its name is said."""
    wrong = "import train_peers; real = train_peers.masked; train_peers.masked = lambda c, a: 1.001 * real(c, a)"
    script = f"""
import sys; sys.path.insert(0, {str(BENCHMARKS)!r})
{wrong}
import runpy; runpy.run_path({str(BENCHMARKS / "train.py")!r}, run_name="__main__")
"""
    command = [sys.executable, "-c", script, *SMALL["train"].split()]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert ran.returncode == 1
    assert "its gradients are 1.0e-03 of their length from ours" in ran.stderr
    assert "###" not in ran.stdout


def test_the_filter_is_measured_at_two_sizes() -> None:
    """The filter's table has a row a size, and neither loaded torch."""
    printed = _printed("filter", "--rows=2560 --fewer=1280 --passages=300 --rounds=1")
    ((_, *rows),) = _tables(printed)
    assert [(row[0], row[-1]) for row in rows] == [("1,280", "no torch"), ("2,560", "no torch")]
    assert "Peak memory at 2,560 rows over that at 1,280" in printed


def test_what_fails_says_which_arm() -> None:
    """A script whose arm fails ends with the arm's name and error, not with half a table."""
    command = [sys.executable, str(BENCHMARKS / "bm25.py"), "--passages=0", "--queries=4", "--rounds=1"]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert ran.stderr.startswith("ours: failed")
    assert ran.stdout == ""
