"""Tests of embedder.progress."""

import sys

import pytest

from embedder.progress import track


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
    """Without a terminal a line says how many are done and how long the rest will take."""
    list(track(range(2), 2000, "mine faq: queries", interval=0.0))
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" of ")[0] for line in lines] == ["mine faq: queries: 1", "mine faq: queries: 2"]
    assert all("of 2,000, " in line and line.endswith(" s left") for line in lines)


def test_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """Work shorter than the interval leaves no line."""
    list(track(range(5), 5, "mine"))
    assert capsys.readouterr().err == ""
