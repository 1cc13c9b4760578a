"""No judge: nothing is asked."""

from collections.abc import Collection, Mapping
from typing import Literal

import numpy as np

from embedder.judges import Answers, Cost, Pairs, Subject
from embedder.params.base import Model
from embedder.params.runtime import Runtime


class Options(Model):
    """Nothing to choose."""

    kind: Literal["none"]


class Nobody:
    """Has no answer."""

    def identity(self) -> Mapping[str, object]:
        """Return nothing: there are no answers to change."""
        return {}

    def known(self) -> Collection[tuple[str, str]]:
        """Return nothing."""
        return ()

    def cost(self, pairs: Pairs) -> Cost:
        """Return no cost."""
        return Cost(len(pairs), 0, 0)

    def ask(self, pairs: Pairs) -> Answers:
        """Return no scores."""
        return Answers(np.full(len(pairs), np.nan, np.float32))


def build(options: Model, subject: Subject, runtime: Runtime) -> Nobody:
    """Return nobody."""
    del options, subject, runtime
    return Nobody()
