"""Facts about the whole page, read from tables."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder import layout, schemas
from embedder.errors import TableError
from embedder.filters import BIT
from embedder.report.inspection import cut
from embedder.report.page import render
from tests import tables
from tests.report import made_up
from tests.report.made_up import HOSTILE, RESULT, WHOLE, read_section, write_dataset, write_reports

LINES = [RESULT, WHOLE]


class Elements(HTMLParser):
    """Every element a browser would see, with its attributes; and whether all of them are closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, name: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element and its attributes."""
        self.found.append(name)
        self.attributes += attrs
        if name not in {"meta", "input"}:
            self.open.append(name)

    def handle_endtag(self, name: str) -> None:
        """Close the element that was opened last."""
        assert self.open.pop() == name


def read_data(page: str, name: str) -> Any:  # noqa: ANN401 - JSON
    """Return a block of the page's data."""
    found = re.search(rf'<script type="application/json" id="{name}">(.*?)</script>', page)
    assert found
    return json.loads(found[1])


@pytest.mark.usefixtures("workspace")
def test_the_page_loads_nothing() -> None:
    """There is no link to elsewhere, image, frame or event handler; scripts are data and the page's own."""
    write_dataset()
    write_reports()
    seen = Elements(render(LINES, [read_section()], "bm25", "offline"))
    assert not seen.open
    assert not {"link", "img", "iframe", "form", "object"} & set(seen.found)
    assert seen.found.count("script") == 3
    for name, value in seen.attributes:
        assert not name.startswith("on")
        assert name not in {"src", "style"}
        assert name != "href" or (value or "").startswith("#")


@pytest.mark.usefixtures("workspace")
def test_what_comes_from_data_stays_text() -> None:
    """Markup in queries, passages, names and notes makes no element and no attribute."""
    write_dataset(texts=HOSTILE, queries=len(HOSTILE))
    write_dataset("tame", texts=["x"] * len(HOSTILE), queries=len(HOSTILE))
    entries = [tables.entry(instruction=text, licence=text) for text in (HOSTILE[0], "x")]
    pages = [
        render(
            [line | {"note": entry.licence} for line in LINES], [read_section(name, entry=entry)], entry.licence, "x"
        )
        for name, entry in zip(("faq", "tame"), entries, strict=True)
    ]
    hostile, tame = map(Elements, pages)
    assert hostile.found == tame.found
    assert [name for name, _ in hostile.attributes] == [name for name, _ in tame.attributes]
    assert set(HOSTILE) <= set(read_data(pages[0], "passages")["faq"])


@pytest.mark.usefixtures("workspace")
def test_same_input_same_bytes() -> None:
    """Two pages of the same tables are equal, and tell results, counts, shares and outcomes."""
    write_dataset()
    write_reports()
    page = render(LINES, [read_section()], "bm25", "offline")
    assert page == render(LINES, [read_section()], "bm25", "offline")
    for part in (
        "0.4000",
        "+0.0100",
        "about 2,300 queries",
        "12.50%",
        "too few negatives",
        "a note",
        "reranker",
        "among 7 negatives drawn",
    ):
        assert part in page


@pytest.mark.usefixtures("workspace")
def test_what_the_stages_decided_is_counted() -> None:
    """The page has the judge's counts, what materialize relabelled and passed over, and rules that could not be asked."""
    write_dataset()
    write_reports()
    page = render(LINES, [read_section()], "bm25", "offline")
    for part in (
        "<dt>asked in vain</dt><dd>3</dd>",
        "<dt>near copies of those</dt><dd>4</dd>",
        "<dt>rows whose positive the judge made one</dt><dd>5</dd>",
        "<dt>candidates passed over: margin too small for row</dt><dd>11</dd>",
        "nothing is refused by near_copy_cosine.",
        "drawn at random (in force)",
    ):
        assert part in page
    assert "over max reuse" not in page


@pytest.mark.usefixtures("workspace")
def test_a_persons_no_is_not_asked_about_again() -> None:
    """Of what a person judged nothing is among the hardest; what another judge let pass is, after all others."""
    write_dataset()
    write_reports()
    assert read_section().inspection.hardest.num_rows
    path = layout.report("judge", "faq")
    path.write_text(json.dumps(made_up.judge(kind="person")))
    assert not read_section().inspection.hardest.num_rows


@pytest.mark.usefixtures("workspace")
def test_missing_reports_leave_gaps_not_errors() -> None:
    """Without the reports, leak.csv and the judge's table of positives the page shows what there is."""
    write_dataset()
    layout.table("judge", "faq", "judged").unlink()
    page = render(LINES, [read_section()], "bm25", "offline")
    assert "What became of 36 candidates" in page
    assert "Shortages" not in page
    assert "known positive?" not in page


@pytest.mark.usefixtures("workspace")
def test_missing_candidates_name_the_stage() -> None:
    """Without candidates there is nothing to inspect."""
    with pytest.raises(TableError, match="run the stage"):
        read_section()


@pytest.mark.usefixtures("workspace")
def test_a_dataset_without_candidates_has_a_section() -> None:
    """Where nothing was mined the page says so."""
    write_dataset()
    empty = schemas.JUDGED_CANDIDATES.schema.empty_table().replace_schema_metadata(schemas.stored(tables.MADE_BY))
    schemas.write(layout.table("judge", "faq", "candidates"), schemas.JUDGED_CANDIDATES, empty)
    assert "There are no candidates" in render(LINES, [read_section()], "bm25", "offline")


@pytest.mark.usefixtures("workspace")
def test_queries_come_with_their_positives_and_candidates() -> None:
    """A query has its counts, its positives, the best-ranked kept and refused, and the rules that refuse each."""
    write_dataset(queries=4)
    page = render(LINES, [read_section()], "bm25", "offline")
    found = read_data(page, "inspection")
    assert found["rules"] == BIT
    (faq,) = found["datasets"]
    assert sum(count for _, count in faq["refusals"]) == 4 * 12
    query = faq["queries"][0]
    counts = {"found": 12, "kept": 8, "copies": 1, "positives": 2, "best": 1, "margin": 0.75, "judge": 0.5}
    assert counts.items() <= query.items()
    assert [row[1:] for row in query["known"]] == [[1, 10.0, 0.9, False], [None, None, None, False]]
    assert [row[1] for row in query["mined"]] == list(range(2, 13))
    texts = read_data(page, "passages")["faq"]
    copy = query["mined"][0]
    assert texts[copy[0]] == f"{texts[query['known'][0][0]]} again"
    assert copy[5] == BIT["duplicates_positive"] | BIT["before_rank_window"]


@pytest.mark.usefixtures("workspace")
def test_no_more_queries_than_asked_for_are_shown() -> None:
    """The sample is as large as asked for, the same every time, and not merely the first queries."""
    write_dataset(queries=40)
    shown = list(read_section(queries=10).inspection.sampled)
    assert len(shown) == 10
    assert shown == list(read_section(queries=10).inspection.sampled)
    assert shown != [f"q{i:05}" for i in range(10)]


@pytest.mark.usefixtures("workspace")
def test_long_texts_are_cut() -> None:
    """A text of a megabyte does not make a page of a megabyte."""
    write_dataset(texts=["word " * 200_000])
    page = render(LINES, [read_section()], "bm25", "offline")
    assert len(page) < 200_000
    assert "word …" in page


@given(st.text(min_size=1), st.integers(1, 900))
def test_a_cut_text_is_a_beginning(text: str, times: int) -> None:
    """What is cut is the beginning of the text and a sign that more follows, with or without blanks in it."""
    whole = text * times
    shown = cut(whole)
    assert shown == whole or (whole.startswith(shown.removesuffix(" …")) and len(shown) <= 402 < len(whole) + 2)


def test_a_text_is_cut_between_words() -> None:
    """A word is not cut in two where there is a blank near the end."""
    assert cut("ninechars " * 60).endswith("ninechars …")
    assert len(cut("字" * 500)) == 402


def test_the_page_of_a_stage_is_one_file(workspace: Path) -> None:
    """The page is written as text that needs nothing beside it."""
    write_dataset()
    path = made_up.write_page(workspace / "index.html", [read_section()])
    assert path.read_bytes().startswith(b"<!doctype html>")


@pytest.mark.usefixtures("workspace")
def test_the_verdict_leads_the_page() -> None:
    """The line on the run as a whole stands above all figures, its outcome in its colour; without one there is none."""
    write_dataset()
    write_reports()
    page = render(LINES, [read_section()], "bm25", "offline", "not better: all sts <b> got worse")
    lead = '<p class="lead"><strong class="outcome not-better">not better</strong>: all sts &lt;b&gt; got worse</p>'
    assert lead in page
    assert page.index(lead) == page.index('<p class="lead">')
    assert "got worse" not in render(LINES, [read_section()], "bm25", "offline")
