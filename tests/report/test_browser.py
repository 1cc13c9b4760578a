"""Facts about the page in a real browser: what a person can do with it, and that nothing leaves it."""

import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.report.made_up import HOSTILE, read_section, write_dataset, write_page, write_reports

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_CHROME = next(filter(None, map(shutil.which, _NAMES)), None)
_QUERIES = 2_000
pytestmark = pytest.mark.skipif(_CHROME is None, reason=f"no browser: none of {', '.join(_NAMES)} is on the PATH")

# The contrast (WCAG 2.2, 1.4.3) of every text that is seen, with what lies behind it; large text may have less.
_CONTRASTS = """() => {
  const paint = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    paint.clearRect(0, 0, 1, 1);
    paint.fillStyle = colour;
    paint.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = paint.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const over = (above, below) => above.slice(0, 3).map((part, i) => part * above[3] + below[i] * (1 - above[3]));
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(rgba(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, above) => over(above, below), [255, 255, 255]);
  };
  const light = (colour) => {
    const [red, green, blue] = colour.map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text = texts.nextNode(); text; text = texts.nextNode()) {
    const element = text.parentElement;
    if (!text.data.trim() || !element.checkVisibility() || element.closest("script, title, :disabled")) continue;
    const style = getComputedStyle(element);
    const background = behind(element);
    const colour = over(rgba(element instanceof SVGElement ? style.fill : style.color), background);
    const [dark, bright] = [light(colour), light(background)].sort((one, other) => one - other);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    found.push([(bright + 0.05) / (dark + 0.05), large ? 3 : 4.5, text.data.trim().slice(0, 40)]);
  }
  return found;
}"""
_ROLES: tuple[Literal["button", "checkbox", "searchbox", "combobox", "img"], ...]
_ROLES = ("button", "checkbox", "searchbox", "combobox", "img")
_WIDTHS = "[document.documentElement.scrollWidth, window.innerWidth]"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser without a window."""
    # Chromium refuses its sandbox to root, as whom containers run.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=_CHROME, args=arguments)
        yield started
        started.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of two datasets, one of them hostile, with all parts."""
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_dataset(queries=70)
        write_dataset("hostile", queries=len(HOSTILE), texts=HOSTILE)
        write_reports()
        return write_page(folder / "index.html", [read_section(), read_section("hostile")])


@pytest.fixture
def opened(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page; when the test ends, nothing may have been complained of or asked of a network."""
    complaints: list[str] = []
    contexts = []

    def open_page(path: Path, **options: Any) -> Page:  # noqa: ANN401 - any of playwright's options
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda request: complaints.append(request.url) if request.url != path.as_uri() else None)
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def queries(page: Page) -> list[str]:
    """The queries that are listed."""
    return page.locator(".queries .open").all_inner_texts()


def column(page: Page, name: str) -> list[str]:
    """The cells of a column."""
    return page.locator(f".queries > tbody > tr > td.c-{name}").all_inner_texts()


def sort(page: Page, name: str) -> str | None:
    """Sort by a column, and return in which direction it now says it is sorted."""
    head = page.locator(f".queries > thead th.c-{name}")
    head.get_by_role("button").click()
    return head.get_attribute("aria-sort")


def test_search_narrows(opened: Callable[..., Page], written: Path) -> None:
    """All words searched for must be in the query or its id; the status says how many were found."""
    page = opened(written)
    expect(page.get_by_role("status")).to_have_text("1 to 50 of 76 queries")
    page.get_by_label("Search").fill("NUMBER 42")
    assert [re.sub(r"\w+ (?=number)", "", text) for text in queries(page)] == ["number 42"]
    page.get_by_label("Search").fill("q00042")
    assert len(queries(page)) == 1
    page.get_by_label("Search").fill("no such words")
    expect(page.get_by_role("status")).to_have_text("0 queries")
    page.get_by_label("Search").fill("")
    page.get_by_label("Dataset").select_option("hostile")
    assert len(queries(page)) == len(HOSTILE)
    assert set(column(page, "dataset")) == {"hostile"}


def test_pages_turn(opened: Callable[..., Page], written: Path) -> None:
    """Every query is on one of the pages, and there is none beyond the last."""
    page = opened(written)
    first = queries(page)
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_role("status")).to_have_text("51 to 76 of 76 queries")
    assert len(first + queries(page)) == 76
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    page.get_by_role("button", name="Previous").click()
    assert queries(page) == first


def test_columns_sort_both_ways(opened: Callable[..., Page], written: Path) -> None:
    """Texts sort as a person would, numbers by size, and the heading says which way."""
    page = opened(written)
    page.get_by_label("Dataset").select_option("faq")
    assert sort(page, "query") == "ascending"
    ascending = queries(page)
    assert ascending == sorted(ascending, key=lambda text: (text.split()[0], int(text.split()[2])))
    assert sort(page, "query") == "descending"
    assert queries(page)[0].split()[0] >= ascending[-1].split()[0]
    assert sort(page, "positives") == "ascending"
    assert page.locator(".queries > thead th.c-query").get_attribute("aria-sort") is None
    assert sort(page, "positives") == "descending"
    positives = [int(cell) for cell in column(page, "positives")]
    assert positives == sorted(positives, reverse=True)
    assert positives[0] == 2


def test_a_query_opens_and_closes(opened: Callable[..., Page], written: Path) -> None:
    """A query opens by keyboard to its positives and candidates, with ranks, scores, and all rules that refuse one."""
    page = opened(written)
    button = page.locator(".queries .open").first
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    assert page.locator(f"#{button.get_attribute('aria-controls')}").is_visible()
    rows = page.locator(".opened .passages tbody tr")
    texts = rows.all_inner_texts()
    assert "positive" in texts[0]
    copy = page.locator(".opened tr.copy")
    expect(copy).to_have_count(1)
    expect(copy).to_contain_text("duplicates positive")
    expect(copy).to_contain_text("also: before rank window")
    assert copy.locator("mark").all_inner_texts() == ["again"]
    assert "judge says relevant" in "".join(texts)
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-expanded") == "false"
    expect(rows).to_have_count(0)


def test_rules_can_be_switched_off(opened: Callable[..., Page], written: Path) -> None:
    """A rule that is off lets through what it alone refuses; what another refuses too goes to that one."""
    page = opened(written)
    section = page.locator("#dataset-faq")

    def count(verdict: str) -> str:
        return section.locator(f'.verdicts li[data-verdict="{verdict}"] b').inner_text()

    assert [count("keep"), count("duplicates_positive"), count("before_rank_window")] == ["560", "70", "70"]
    section.get_by_label("duplicates positive").uncheck()
    assert [count("keep"), count("duplicates_positive"), count("before_rank_window")] == ["560", "0", "140"]
    section.get_by_label("before rank window").uncheck()
    assert count("keep") == "700"
    expect(section.locator('.verdicts li[data-verdict="keep"] em')).to_have_text("+140")
    widths = section.locator(".stack rect").evaluate_all("bars => bars.map(bar => Number(bar.getAttribute('width')))")
    assert sum(widths) == pytest.approx(1000)
    section.get_by_role("button", name="All rules on").click()
    assert [count("keep"), count("duplicates_positive"), count("before_rank_window")] == ["560", "70", "70"]
    assert page.locator("#dataset-hostile .verdicts b").first.inner_text() == "48"


def test_a_section_leads_to_its_queries(opened: Callable[..., Page], written: Path) -> None:
    """The button below a dataset lists its queries alone, whatever was searched for before."""
    page = opened(written)
    page.get_by_label("Search").fill("number 42")
    page.get_by_role("button", name="Look through queries of hostile").click()
    assert len(queries(page)) == len(HOSTILE)
    expect(page.get_by_label("Search")).to_be_focused()


def test_hostile_texts_are_shown_and_do_nothing(opened: Callable[..., Page], written: Path) -> None:
    """Markup, controls and right-to-left marks are read as they are; no element comes of them, and nothing runs."""
    page = opened(written)
    page.get_by_label("Dataset").select_option("hostile")
    for button in page.locator(".queries .open").all():
        button.click()
    assert page.locator("img, iframe, script:not([id]):not(:last-of-type)").count() == 0
    shown = set(page.locator(".queries .open").evaluate_all("buttons => buttons.map(button => button.textContent)"))
    assert shown == set(HOSTILE)
    passages = page.locator(".opened pre").evaluate_all("texts => texts.map(text => text.textContent)")
    assert set(HOSTILE) <= set(passages)
    directions = page.locator(".queries .open").evaluate_all("all => all.map(one => getComputedStyle(one).direction)")
    assert directions.count("rtl") == 1


@pytest.mark.parametrize("width", [320, 375, 768, 1280])
def test_nothing_is_wider_than_the_screen(opened: Callable[..., Page], written: Path, width: int) -> None:
    """On a phone as on a desktop the page scrolls downwards alone, also with a query open."""
    page = opened(written, viewport={"width": width, "height": 800})
    page.locator(".queries .open").first.click()
    page.locator("details").evaluate_all("all => all.forEach(one => (one.open = true))")
    inside, window = page.evaluate(_WIDTHS)
    assert inside == window == width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out(opened: Callable[..., Page], written: Path, scheme: str) -> None:
    """All text has the contrast that WCAG asks for, by day and by night."""
    page = opened(written, color_scheme=scheme)
    page.locator(".queries .open").first.click()
    page.locator("details").evaluate_all("all => all.forEach(one => (one.open = true))")
    found = page.evaluate(_CONTRASTS)
    assert len(found) > 300
    assert [text for contrast, least, text in found if contrast < least] == []


def test_without_scripts_results_and_pictures_are_there(opened: Callable[..., Page], written: Path) -> None:
    """Where scripts do not run, results, counts, pictures and the hardest negatives are read; the list says why it is not."""
    page = opened(written, java_script_enabled=False)
    for text in ("Did tuning help?", "What became of 840 candidates", "The hardest kept negatives", "needs JavaScript"):
        assert page.get_by_text(text).first.is_visible()
    assert page.locator(".look").first.is_hidden()
    assert page.locator(".verdicts input").first.is_disabled()
    assert page.locator(".ridges").count() == 4


def test_everything_that_is_operated_has_a_name(opened: Callable[..., Page], written: Path) -> None:
    """Buttons, boxes, fields and pictures say to a screen reader what they are."""
    page = opened(written)
    page.locator(".queries .open").first.click()
    for role in _ROLES:
        named = page.get_by_role(role, name=re.compile(r"\S"))
        assert named.count() == page.get_by_role(role).count() > 0


def test_many_queries_open_at_once(
    opened: Callable[..., Page], workspace: Path, record_property: Callable[[str, object], None]
) -> None:
    """A page of 2,000 queries lists the first of them; how long that takes is told, not judged."""
    write_dataset(queries=_QUERIES, depth=20)
    page = opened(write_page(workspace / "index.html", [read_section(queries=_QUERIES)]))
    expect(page.get_by_role("status")).to_have_text("1 to 50 of 2,000 queries")
    ready = page.evaluate("performance.getEntriesByName('ready')[0].startTime")
    record_property("ready_ms", round(ready))
    if ready > 1000:
        warnings.warn(f"the page of {_QUERIES} queries took {ready:.0f} ms to be ready", stacklevel=1)
