"""Facts about the results: the table in the terminal."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from embedder.errors import TableError
from embedder.evaluation.results import Row, write_rows
from embedder.report.results import lines_to_show, print_results, read_verdict
from tests.report.made_up import RESULT, WHOLE

ROW = Row(
    "faq", "retrieval", "nDCG@10", 1000, 0.4, 0.41, 0.5, 0.01, -0.002, 0.022, "not resolvable here", 2345, "a note"
)


def test_the_terminal_table_holds_every_line(tmp_path: Path) -> None:
    """Printed results name dataset, figures, interval and outcome; markup in a note stays text."""
    table = [replace(ROW, note="[red]note[/red]"), replace(ROW, dataset="code"), replace(ROW, dataset="", note="")]
    write_rows(tmp_path / "results.csv", table)
    console = Console(width=200, record=True, file=(tmp_path / "out").open("w"))
    print_results(tmp_path / "results.csv", console)
    said = console.export_text()
    for part in ("faq", "all retrieval", "0.4000", "+0.0100", "-0.0020 to +0.0220", "about 2,300", "[red]note[/red]"):
        assert part in said


def test_a_task_with_one_dataset_is_shown_once() -> None:
    """The task's row repeats its only dataset's, so it is left out where it is shown, but not AVG."""
    average = WHOLE | {"task": "AVG"}
    assert lines_to_show([RESULT, WHOLE, average]) == [RESULT, average]


def test_without_results_the_message_names_the_stage(tmp_path: Path) -> None:
    """Printing results that do not exist says which stage makes them."""
    with pytest.raises(TableError, match="stage evaluate"):
        print_results(tmp_path / "results.csv")


def test_the_verdict_stands_below_the_table(tmp_path: Path) -> None:
    """The line of report.json beside the table is printed last; without one nothing is."""
    write_rows(tmp_path / "results.csv", [ROW])
    said = []
    contents: list[dict[str, object] | None] = [
        None,
        {"datasets": {}},
        {"verdict": {"line": "better: AVG +0.0200 [b]"}},
    ]
    for content in contents:
        if content is not None:
            (tmp_path / "report.json").write_text(json.dumps(content))
        console = Console(width=200, record=True, file=(tmp_path / "out").open("w"))
        print_results(tmp_path / "results.csv", console)
        said.append(console.export_text())
    assert said[0] == said[1]
    assert said[2] == f"{said[0]}better: AVG +0.0200 [b]\n"
    assert read_verdict(tmp_path / "report.json") == "better: AVG +0.0200 [b]"
