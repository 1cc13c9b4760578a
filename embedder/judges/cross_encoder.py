"""A CrossEncoder as judge: it reads query and passage together."""

from collections.abc import Collection, Mapping
from typing import Literal

import numpy as np

from embedder import layout
from embedder.judges import Answers, Cost, Pairs, Subject
from embedder.judges.options import Judging
from embedder.judges.tokens import estimated
from embedder.pairs.cross_encoder import Reading, scores
from embedder.pairs.stored import StoredScores
from embedder.params.base import Model
from embedder.params.runtime import Runtime


class Options(Reading, Judging):
    """A CrossEncoder of one label, and what its logits mean."""

    kind: Literal["cross-encoder"]


class CrossEncoderJudge:
    """Scores that are stored, or computed across queries in batches."""

    def __init__(self, options: Options, stored: StoredScores) -> None:
        self._options, self._stored = options, stored

    def identity(self) -> Mapping[str, object]:
        """Return what fixes a pair's score."""
        return self._stored.identity()

    def known(self) -> Collection[tuple[str, str]]:
        """Return nothing."""
        return ()

    def cost(self, pairs: Pairs) -> Cost:
        """Estimate the tokens to be read."""
        known = self._stored.known(pairs.queries, pairs.passages)
        texts = zip(pairs.queries, pairs.passages, known, strict=True)
        most, prompt = self._options.max_length, estimated(self._options.query_prompt)
        tokens = sum(min(most, prompt + estimated(q) + estimated(p)) for q, p, done in texts if not done)
        return Cost(len(pairs), int(known.sum()), tokens)

    def ask(self, pairs: Pairs) -> Answers:
        """Return the logits."""
        from embedder.locking import locked

        with locked(layout.VECTORS):
            found = list(self._stored.score(pairs.queries, pairs.passages))
        return Answers(np.concatenate([np.empty(0, np.float32), *found]))


def build(options: Model, subject: Subject, runtime: Runtime) -> CrossEncoderJudge:
    """Return the judge; the model is loaded when a score is missing."""
    if not isinstance(options, Options):
        raise TypeError(f"not options of cross-encoder: {options!r}")
    return CrossEncoderJudge(options, scores(options, subject.instruction, runtime, f"judge {subject.dataset}"))
