"""The next thing is made in a thread while the caller is busy with this one."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Part = TypeVar("Part")
Made = TypeVar("Made")


def ahead(make: Callable[[Part], Made], parts: Iterable[Part]) -> Iterator[Made]:
    """Yield `make` of each part in order; no more than one is made before it is asked for.

    What `make` raises is raised here, in the place of the part it was made of.
    """
    with ThreadPoolExecutor(1) as thread:
        waiting: Future[Made] | None = None
        for part in parts:
            made = thread.submit(make, part)
            if waiting:
                yield waiting.result()
            waiting = made
        if waiting:
            yield waiting.result()
