"""Tests of embedder.progress."""

import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from embedder import progress
from embedder.progress import Meter, meter, track


@pytest.mark.parametrize("terminal", [True, False])
def test_everything_is_passed_on_in_order(
    terminal: bool,  # noqa: FBT001 - a case
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What is tracked comes out as it went in, on a terminal or not, and nothing is said on stdout."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert list(track(iter("abc"), 3, "mine [faq]: queries")) == ["a", "b", "c"]
    assert capsys.readouterr().out == ""


def test_a_line_an_interval_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a terminal a line says how many are done, how fast, and how long the rest will take."""
    list(track(range(2), 2000, "mine faq: queries", interval=0.0))
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" of ")[0] for line in lines] == ["mine faq: queries: 1", "mine faq: queries: 2"]
    assert all(re.search(r"of 2,000, [\d,.]+/s, [\d,]+ s left$", line) for line in lines)


@pytest.mark.parametrize("terminal", [True, False])
def test_several_may_be_done_at_once(
    terminal: bool,  # noqa: FBT001 - a case
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Batches are counted by their texts."""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    with meter(3, "encode: texts", 0.0) as shown:
        shown.more(2)
        shown.more(1)
    assert shown.done == 3
    if not terminal:
        lines = capsys.readouterr().err.splitlines()
        assert [line.partition(", ")[0] for line in lines] == ["encode: texts: 2 of 3", "encode: texts: 3 of 3"]


def test_what_was_done_before_says_nothing_about_the_rest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of 100 texts 80 are stored: with 10 encoded in 2 s the other 10 take 2 s more, not a quarter of one."""
    clock = iter([0.0, 0.0, 1.0, 1.0, *[2.0] * 9])
    monkeypatch.setattr("embedder.progress.time.monotonic", lambda: next(clock))
    with meter(100, "encode: texts", 0.0) as shown:
        shown.skip(80)
        shown.more(10)
    assert capsys.readouterr().err.splitlines() == [
        "encode: texts: 80 of 100",
        "encode: texts: 90 of 100, 5.0/s, 2 s left",
    ]


def test_nothing_is_shown_while_the_first_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is tracked may be made by long work that shows progress of its own: two bars at once would clash."""
    opened: list[str] = []

    def noted(total: int, what: str, interval: float) -> AbstractContextManager[Meter]:
        opened.append(what)
        return meter(total, what, interval)

    monkeypatch.setattr(progress, "meter", noted)

    def things() -> Iterator[int]:
        assert opened == []
        yield 1
        assert opened == ["mine"]

    assert list(track(things(), 1, "mine")) == [1]


def test_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Work shorter than the interval leaves no line."""
    list(track(range(5), 5, "mine"))
    assert capsys.readouterr().err == ""
