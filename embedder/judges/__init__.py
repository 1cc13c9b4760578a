"""Judges say how relevant a passage is. Adding one: one module with `Options` and `build`, one line below."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from embedder.params.base import Model, module
from embedder.params.runtime import Runtime

JUDGES = {
    "cross-encoder": "embedder.judges.cross_encoder",
    "llm": "embedder.judges.llm",
    "none": "embedder.judges.none",
    "person": "embedder.judges.person",
}


@dataclass(frozen=True)
class Subject:
    """What a judge must know of a dataset: its name, and its instruction."""

    dataset: str
    instruction: str


@dataclass(frozen=True)
class Pairs:
    """What is asked, one entry a pair, no pair twice.

    Attributes:
        query_ids: of each pair.
        passage_ids: of each pair.
        queries: the queries' texts.
        passages: the passages' joined texts.
    """

    query_ids: Sequence[str]
    passage_ids: Sequence[str]
    queries: Sequence[str]
    passages: Sequence[str]

    def __len__(self) -> int:
        return len(self.query_ids)


@dataclass(frozen=True)
class Cost:
    """What asking would take, before it is done.

    Attributes:
        pairs: how many there are.
        stored: how many of them have an answer already.
        tokens: about how many tokens are read and written for the others.
        money: what those would cost; None where nobody knows.
    """

    pairs: int
    stored: int
    tokens: int
    money: float | None = None


@dataclass(frozen=True)
class Answers:
    """What a judge says.

    Attributes:
        scores: [pairs] float32, larger is more relevant; NaN where there is no answer.
        failures: by reason, which pairs were asked in vain. A pair without a score that stands in none was not asked.
        facts: what report.json should say: no clock, no host, nothing that depends on what was stored before.
    """

    scores: NDArray[np.float32]
    failures: Mapping[str, NDArray[np.int64]] = field(default_factory=dict)
    facts: Mapping[str, object] = field(default_factory=dict)


class Judge(Protocol):
    """A judge of one dataset."""

    def identity(self) -> Mapping[str, object]:
        """Return all that changes an answer, in JSON values."""
        ...

    def known(self) -> Collection[tuple[str, str]]:
        """Return query_id and passage_id of the pairs it must be asked about wherever they are kept candidates.

        They are the verdicts of people. A model has none: what is asked is chosen, whatever it was asked before.
        """
        ...

    def cost(self, pairs: Pairs) -> Cost:
        """Estimate what asking takes; asks nothing and writes nothing."""
        ...

    def ask(self, pairs: Pairs) -> Answers:
        """Return the scores of pairs: stored ones, and for the others the judge is asked.

        Raises:
            EmbedderError: it cannot be asked, or too many pairs were asked in vain.
        """
        ...


class JudgeModule(Protocol):
    """What a judge's module has."""

    Options: type[Model]

    @staticmethod
    def build(options: Model, subject: Subject, runtime: Runtime) -> Judge:
        """Return the judge; nothing is loaded or asked yet."""
        ...


def build(options: Model, subject: Subject, runtime: Runtime) -> Judge:
    """Return the judge that `options` describe; nothing is loaded or asked yet."""
    chosen = cast("JudgeModule", module(JUDGES, "kind", str(getattr(options, "kind", ""))))
    return chosen.build(options, subject, runtime)
