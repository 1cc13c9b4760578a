"""Progress of long work: a bar with its ETA on a terminal, one line per interval elsewhere."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TypeVar

T = TypeVar("T")

_SLOW = 10


class Meter:
    """How much of a known total is done, how fast, and how long the rest will take."""

    def __init__(self, total: int, show: Callable[["Meter"], None]) -> None:
        self.total, self.done, self._skipped, self._show = total, 0, 0, show
        self._start = time.monotonic()

    def more(self, count: int) -> None:
        """So many more are done."""
        self.done += count
        self._show(self)

    def skip(self, count: int) -> None:
        """So many more were done before: they say nothing about how long the others take."""
        self._skipped += count
        self.more(count)

    @property
    def rate(self) -> float:
        """How many a second; 0 before the first."""
        return (self.done - self._skipped) / max(time.monotonic() - self._start, 1e-9)

    @property
    def left(self) -> float | None:
        """How many seconds the rest will take; None before the first is done."""
        return (self.total - self.done) / self.rate if self.rate else None


@contextmanager
def meter(total: int, what: str, interval: float = 10.0) -> Iterator[Meter]:
    """Yield what is told of everything done, and shows on stderr how many of `total` that is.

    Args:
        total: how many there are.
        what: the words before the count: "mine faq: queries".
        interval: seconds between two lines where stderr is no terminal.
    """
    if sys.stderr.isatty():
        with _bar(total, what) as shown:
            yield shown
        return
    said = time.monotonic()

    def show(shown: Meter) -> None:
        nonlocal said
        if (now := time.monotonic()) - said >= interval:
            said = now
            print(f"{what}: {shown.done:,} of {total:,}{_pace(shown)}", file=sys.stderr, flush=True)

    yield Meter(total, show)


def say(line: str) -> None:
    """Say on stderr what is neither progress nor a result."""
    print(line, file=sys.stderr, flush=True)


def track(things: Iterable[T], total: int, what: str, interval: float = 10.0) -> Iterator[T]:
    """Yield `things` and show on stderr how many of `total` are done, as `meter` does.

    The first is waited for before anything is shown: it may be long work with progress of its own.
    """
    remaining = iter(things)
    for first in remaining:
        with meter(total, what, interval) as shown:
            for thing in chain((first,), remaining):
                yield thing
                shown.more(1)


def count(things: Iterable[T], what: str, interval: float = 10.0) -> Iterator[T]:
    """Yield `things`, of which nobody knows how many there are, and show on stderr how many are done.

    Args:
        things: what is worked on, in order.
        what: the words after the count: "records read of faq".
        interval: seconds between two lines.
    """
    end = "\r" if sys.stderr.isatty() else "\n"
    start = said = time.monotonic()
    for done, thing in enumerate(things, 1):
        yield thing
        # Asking the clock for each of many small things would take longer than they do.
        if not done % 1024 and (now := time.monotonic()) - said >= interval:
            said = now
            print(f"{done:,} {what}, {done / (now - start):,.0f}/s", end=end, file=sys.stderr, flush=True)


@contextmanager
def _bar(total: int, what: str) -> Iterator[Meter]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    pace = TextColumn("{task.fields[pace]}")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), pace)
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what.replace("[", r"\["), total=total, pace="")
        yield Meter(total, lambda shown: progress.update(task, completed=shown.done, pace=_pace(shown)))


def _pace(shown: Meter) -> str:
    if shown.left is None:
        return ""
    rate = f"{shown.rate:,.1f}/s" if shown.rate < _SLOW else f"{shown.rate:,.0f}/s"
    return f", {rate}, {shown.left:,.0f} s left"
