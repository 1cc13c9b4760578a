"""A round of questions to a language model: answers are stored as they come, and it ends early where it must."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from embedder.errors import EmbedderError, JudgeError
from embedder.judges.concurrent import concurrently
from embedder.judges.spending import Spending
from embedder.progress import meter

if TYPE_CHECKING:
    from embedder.vectors.keys import Keys
    from embedder.vectors.store import Space

Ints = NDArray[np.int64]

# A kill loses so many answers, and those that are on their way.
_UNIT = 64
_WANTED = '{"grade": 0} to {"grade": 3}'


@dataclass(frozen=True)
class Graded:
    """A grade, and the tokens it took."""

    grade: int
    prompt: int
    completion: int


@dataclass(frozen=True)
class Failed:
    """Why there is no grade, what was said instead, and the tokens it took."""

    reason: str
    said: str
    prompt: int
    completion: int


class Asking:
    """The answers to some contents: those that a space holds, and those that are asked for now.

    Args:
        space: stores of each content grade, tokens read, tokens written; the caller holds its store's lock.
        keys: of the contents, which may repeat.
        spending: what the stored answers took; what is used now comes on top.
        most_failed: how many contents may have no answer.
    """

    def __init__(self, space: "Space", keys: "Keys", spending: Spending, most_failed: float) -> None:
        self._space, self._keys, self._spending, self._most_failed = space, keys, spending, most_failed
        self._waiting: list[tuple[int, Graded]] = []
        self._failed: dict[bytes, str] = {}
        self._stored = 0
        self._trouble: EmbedderError | None = None

    def run(
        self,
        missing: Ints,
        ask: Callable[[int], Graded | Failed | EmbedderError],
        threads: int,
        shown: tuple[str, float],
    ) -> None:
        """Ask for what is missing, until it is all there or there is trouble; what has come is stored in any case.

        Args:
            missing: which contents.
            ask: asks for one.
            threads: how many questions at a time.
            shown: the words before progress, and the seconds between two lines of it.

        Raises:
            EmbedderError: a budget is used up, too many answers cannot be read, or the server cannot be asked.
        """
        open_ones = takewhile(lambda _: self._trouble is None, missing.tolist())
        try:
            with meter(len(missing), *shown) as progress:
                for place, answer in concurrently(ask, open_ones, threads):
                    self._take(place, answer, len(missing))
                    progress.more(1)
        finally:
            self._store()
        if self._trouble:
            raise self._trouble

    def answers(self) -> tuple[NDArray[np.float32], dict[str, Ints]]:
        """Return the grade of each content, NaN where there is none, and by reason those without."""
        grades = np.full(len(self._keys), np.nan, np.float32)
        reasons = np.array([self._failed.get(key, "") for key in self._keys.tolist()], np.object_)
        held = np.flatnonzero(reasons == "")
        if len(held):
            grades[held] = self._space.vectors(self._keys[held])[:, 0]
        return grades, {reason: np.flatnonzero(reasons == reason) for reason in sorted(set(self._failed.values()))}

    def _take(self, place: int, answer: Graded | Failed | EmbedderError, asked: int) -> None:
        if isinstance(answer, EmbedderError):
            self._stop(answer)
            return
        self._spending.add(answer.prompt, answer.completion)
        if isinstance(answer, Failed):
            self._failed[self._keys[place]] = answer.reason
            self._check_failures(answer)
        else:
            self._waiting.append((place, answer))
            if len(self._waiting) >= _UNIT:
                self._store()
        done = self._stored + len(self._waiting) + len(self._failed)
        if done < asked and (limit := self._spending.reached()):
            self._stop(
                JudgeError(
                    f"stopped after {done:,} of {asked:,} pairs: {limit}; the answers are stored and are not asked for "
                    "again: raise the limit, or lower `top` or leak.sample, and run it again"
                )
            )

    def _check_failures(self, last: Failed) -> None:
        if (failed := len(self._failed)) > self._most_failed:
            reasons = ", ".join(f"{reason} {n:,}" for reason, n in sorted(Counter(self._failed.values()).items()))
            self._stop(
                JudgeError(
                    f"{failed:,} of {len(self._keys):,} pairs have no answer that can be read ({reasons}), more than "
                    f"max_failed_share allows; wanted is {_WANTED}; the last answer: {last.said or 'nothing'}; correct the "
                    "entry, or raise it"
                )
            )

    def _stop(self, trouble: EmbedderError) -> None:
        """End the round; what comes in afterwards is kept, and the first trouble is told."""
        self._trouble = self._trouble or trouble

    def _store(self) -> None:
        if self._waiting:
            keys = self._keys[[place for place, _ in self._waiting]]
            rows = [(one.grade, one.prompt, one.completion) for _, one in self._waiting]
            self._space.add(keys, np.array(rows, np.float32))
            self._stored += len(rows)
            self._waiting = []
