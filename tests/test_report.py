"""Facts about the page and about the table in the terminal."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from embedder import schemas
from embedder.errors import TableError
from embedder.evaluation.results import Row, write_rows
from embedder.report.html import Html, tag
from embedder.report.page import Section, render
from embedder.report.results import lines_to_show, print_results, read_results
from embedder.report.samples import Line, Sample, samples

ROW = Row(
    "faq", "retrieval", "nDCG@10", 1000, 0.4, 0.41, 0.5, 0.01, -0.002, 0.022, "not resolvable here", 2345, "a note"
)
FILTERED = {
    "candidates": 30,
    "verdicts": {"is_positive": 3, "before_rank_window": 20, "keep": 7, "score_too_high": 0},
    "known_false_negatives": [{"min_rank": 1, "max_rank": 10, "rows": 50, "share": 0.125}],
}
STORED = {"rows": 3, "queries": {"mined": 4, "stored": 3, "short": 1, "dropped": {"too_few_negatives": 1}}}
SECTION = Section("faq", "retrieval", "Find it", "CC0-1.0", FILTERED, STORED, [])
HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(1)>\"'&"


@pytest.fixture
def lines(tmp_path: Path) -> list[dict[str, str]]:
    """Two lines of a written results.csv."""
    write_rows(
        tmp_path / "results.csv", [ROW, replace(ROW, dataset="", bm25=None, note="", outcome="better", needed=None)]
    )
    return read_results(tmp_path / "results.csv")


class _Elements(HTMLParser):
    """Every element a browser would see, with its attributes; and whether all of them are closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.attributes: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(name)
        self.attributes += [key for key, _ in attrs]
        if name != "meta":
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        assert self.open.pop() == name


def test_the_page_loads_nothing_and_runs_nothing(lines: list[dict[str, str]]) -> None:
    """There is no script, link, image or event handler, and the policy allows only the page's own style, by its hash."""
    page = render(lines, [SECTION], "bm25", "offline")
    seen = _Elements(page)
    assert not seen.open
    assert not {"script", "link", "img", "iframe", "a", "form"} & set(seen.found)
    assert not [name for name in seen.attributes if name in {"src", "href", "style"} or name.startswith("on")]
    style = re.search(r"<style>(.*)</style>", page, re.DOTALL)
    assert style
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"default-src &#x27;none&#x27;; style-src &#x27;sha256-{digest}&#x27;" in page
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def test_what_comes_from_data_stays_text(lines: list[dict[str, str]]) -> None:
    """Markup in a query, a passage, a verdict, a note or a reason shows as text and makes no element."""
    sample = Sample("1", HOSTILE, [Line(1, 0.5, HOSTILE, HOSTILE), Line(None, None, "keep", HOSTILE)])
    filtered = {"verdicts": {HOSTILE: 3}, "known_false_negatives": []}
    section = Section("faq", HOSTILE, HOSTILE, HOSTILE, filtered, {"queries": {"dropped": {HOSTILE: 1}}}, [sample])
    harmless = Section(
        "faq",
        "x",
        "x",
        "x",
        {"verdicts": {"x": 3}},
        {"queries": {"dropped": {"x": 1}}},
        [Sample("1", "x", [Line(1, 0.5, "x", "x"), Line(None, None, "keep", "x")])],
    )
    hostile = _Elements(render([line | {"note": HOSTILE} for line in lines], [section], HOSTILE, HOSTILE))
    plain = _Elements(render([line | {"note": "x"} for line in lines], [harmless], "x", "x"))
    assert hostile.found == plain.found
    assert hostile.attributes == plain.attributes


@given(st.text(), st.text())
def test_a_tag_escapes_text_and_attributes(text: str, value: str) -> None:
    """Whatever the text, it comes back as one element's text and one attribute's value."""
    made = tag("b", text, title=value)
    assert made.count("<") == 2
    assert made.count('"') == 2
    assert tag("p", made) == f"<p>{made}</p>"
    assert tag("p", Html("<i></i>")) == "<p><i></i></p>"


def test_same_input_same_bytes(lines: list[dict[str, str]]) -> None:
    """Two pages of the same results are equal, and tell results, counts, shares and outcomes."""
    page = render(lines, [SECTION], "bm25", "offline")
    assert page == render(lines, [SECTION], "bm25", "offline")
    for said in (
        "0.4000",
        "+0.0100",
        "-0.0020 to +0.0220",
        "about 2,300 queries",
        "12.50%",
        "too_few_negatives",
        "a note",
    ):
        assert said in page


def test_a_missing_report_leaves_a_gap_not_an_error(lines: list[dict[str, str]]) -> None:
    """Without the filter's and materialize's reports the page still shows the results."""
    page = render(lines, [Section("faq", "sts", "Find it", "CC0-1.0", {}, {}, [])], "bm25", "offline")
    assert "There is no report of the filter" in page


def test_verdicts_that_do_not_occur_are_not_listed(lines: list[dict[str, str]]) -> None:
    """A verdict with no candidate has no entry in the legend."""
    page = render(lines, [SECTION], "bm25", "offline")
    assert "before_rank_window" in page
    assert "score_too_high" not in page


def test_samples_show_positives_then_others_by_rank() -> None:
    """A sample has its positive first, even one beyond the run, then refused and kept passages by rank."""
    ids = ["a", "b", "c", "d"]
    queries = {"query_id": ["q"], "text": ["find"], "split": ["train"], "group_id": ["q"], "labels": [None]}
    run = {
        "query_id": ["q"] * 3,
        "rank": [1, 2, 3],
        "passage_id": ["c", "b", "a"],
        "score": [3.0, 2.0, 1.0],
        "relevance": [None] * 3,
        "positive_score": [0.5] * 3,
        "margin": [0.0] * 3,
        "refused_by": [1, 0, 0],
        "verdict": ["before_rank_window", "keep", "keep"],
    }
    found = samples(
        schemas.build(schemas.CANDIDATES, run),
        schemas.build(schemas.QUERIES, queries),
        schemas.build(schemas.CORPUS, {"passage_id": ids, "title": ["", "T", "", ""], "text": ids}),
        schemas.build(schemas.QRELS, {"query_id": ["q"], "passage_id": ["d"], "relevance": [1.0]}),
        positive_at=1,
    )
    assert [(line.rank, line.verdict, line.text) for line in found[0].lines] == [
        (None, "is_positive", "d"),
        (1, "before_rank_window", "c"),
        (2, "keep", "T\nb"),
        (3, "keep", "a"),
    ]


def test_the_terminal_table_holds_every_line(tmp_path: Path) -> None:
    """Printed results name dataset, figures, interval and outcome; markup in a note stays text."""
    table = [replace(ROW, note="[red]note[/red]"), replace(ROW, dataset="code"), replace(ROW, dataset="", note="")]
    write_rows(tmp_path / "results.csv", table)
    console = Console(width=200, record=True, file=(tmp_path / "out").open("w"))
    print_results(tmp_path / "results.csv", console)
    said = console.export_text()
    for part in ("faq", "all retrieval", "0.4000", "+0.0100", "-0.0020 to +0.0220", "about 2,300", "[red]note[/red]"):
        assert part in said


def test_a_task_with_one_dataset_is_shown_once(lines: list[dict[str, str]]) -> None:
    """The task's row repeats its only dataset's, so it is left out where it is shown, but not AVG."""
    average = lines[1] | {"task": "AVG"}
    assert lines_to_show([*lines, average]) == [lines[0], average]


def test_without_results_the_message_names_the_stage(tmp_path: Path) -> None:
    """Printing results that do not exist says which stage makes them."""
    with pytest.raises(TableError, match="stage evaluate"):
        print_results(tmp_path / "results.csv")
