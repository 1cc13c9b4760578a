"""Work that waits, done by several threads."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def concurrently(do: Callable[[A], B], work: Iterable[A], most: int) -> Iterator[tuple[A, B]]:
    """Yield each piece of work with what became of it, in the order in which they are done.

    The next piece is taken when a thread is free, so that whoever ends `work` early loses nothing that is begun.

    Args:
        do: raises nothing.
        work: what is done.
        most: how many pieces at a time.
    """
    running: dict[Future[B], A] = {}
    with ThreadPoolExecutor(most) as threads:
        for piece in work:
            running[threads.submit(do, piece)] = piece
            if len(running) == most:
                yield from _finished(running)
        while running:
            yield from _finished(running)


def _finished(running: dict[Future[B], A]) -> Iterator[tuple[A, B]]:
    for future in wait(running, return_when=FIRST_COMPLETED).done:
        yield running.pop(future), future.result()
