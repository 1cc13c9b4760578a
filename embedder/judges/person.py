"""A person as judge: the verdicts that `embedder show DATASET --label` has written."""

import hashlib
from collections.abc import Collection, Mapping
from typing import Literal

import numpy as np

from embedder import labels, layout
from embedder.judges import Answers, Cost, Pairs, Subject
from embedder.judges.options import Judging
from embedder.labels import Verdict
from embedder.params.base import Model
from embedder.params.runtime import Runtime

_SCORES = {"yes": 1.0, "no": 0.0}


class Options(Judging):
    """A yes is relevant."""

    kind: Literal["person"]
    threshold: Literal[1]
    threshold_percentile: None


class Person:
    """Verdicts that are there; of other pairs nobody is asked."""

    def __init__(self, verdicts: Mapping[tuple[str, str], Verdict]) -> None:
        self._verdicts = verdicts

    def identity(self) -> Mapping[str, object]:
        """Return what the verdicts are."""
        lines = "".join(f"{pair!r} {said!r}\n" for pair, said in sorted(self._verdicts.items()))
        return {"verdicts": hashlib.sha256(lines.encode()).hexdigest()}

    def known(self) -> Collection[tuple[str, str]]:
        """Return all pairs with a verdict: the sample that it was given on may be another by now."""
        return self._verdicts.keys()

    def cost(self, pairs: Pairs) -> Cost:
        """Say how many verdicts there are."""
        return Cost(len(pairs), sum(said is not None and said.is_of(*texts) for said, texts in self._said(pairs)), 0)

    def ask(self, pairs: Pairs) -> Answers:
        """Return 1 for a yes, 0 for a no; a verdict on texts that have changed since counts as none.

        Of the facts, `stale` counts those, and `verdicts_unused` the verdicts on pairs that are not asked about.
        """
        scores = np.full(len(pairs), np.nan, np.float32)
        unsure, stale, every = [], 0, self._said(pairs)
        for place, (said, texts) in enumerate(every):
            if said is None:
                continue
            if not said.is_of(*texts):
                stale += 1
            elif said.verdict == "unsure":
                unsure.append(place)
            else:
                scores[place] = _SCORES[said.verdict]
        unused = len(self._verdicts) - sum(said is not None for said, _ in every)
        return Answers(scores, {"unsure": np.array(unsure, np.int64)}, {"stale": stale, "verdicts_unused": unused})

    def _said(self, pairs: Pairs) -> list[tuple[Verdict | None, tuple[str, str]]]:
        ids = zip(pairs.query_ids, pairs.passage_ids, strict=True)
        return list(zip(map(self._verdicts.get, ids), zip(pairs.queries, pairs.passages, strict=True), strict=True))


def build(options: Model, subject: Subject, runtime: Runtime) -> Person:
    """Return the verdicts on a dataset.

    Raises:
        TableError: the file of verdicts is not as it was written.
    """
    del runtime
    if not isinstance(options, Options):
        raise TypeError(f"not options of person: {options!r}")
    return Person(labels.read(layout.labels(subject.dataset)))
