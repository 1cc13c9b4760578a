"""Progress of long work: a bar with its ETA on a terminal, one line per interval elsewhere."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def track(things: Iterable[T], total: int, what: str, interval: float = 10.0) -> Iterator[T]:
    """Yield `things` and show on stderr how many of `total` are done and how long the rest will take.

    Args:
        things: what is worked on, in order.
        total: how many there are.
        what: the words before the count: "mine faq: queries".
        interval: seconds between two lines where stderr is no terminal.
    """
    if sys.stderr.isatty():
        yield from _bar(things, total, what)
        return
    start = said = time.monotonic()
    for done, thing in enumerate(things, 1):
        yield thing
        now = time.monotonic()
        if now - said >= interval:
            said = now
            left = (now - start) / done * (total - done)
            print(f"{what}: {done:,} of {total:,}, {left:,.0f} s left", file=sys.stderr, flush=True)


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


def _bar(things: Iterable[T], total: int, what: str) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(things, total=total, description=what.replace("[", r"\["))
