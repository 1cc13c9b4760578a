"""Scoring another teacher's best again: what all rescorers share but the score of a pair."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import compress
from typing import Protocol

import numpy as np
from pydantic import model_validator

from embedder import layout, teachers
from embedder.params.base import Model
from embedder.params.models import Positive, Teacher
from embedder.params.runtime import Runtime
from embedder.teachers import Block, Corpus, Cosines, Queries
from embedder.teachers.rankings import Floats, Ints, Ranking, by_score, judged_of, rankings

RESCORERS = frozenset({"cross-encoder", "endpoint", "multi-vector", "sparse"})

# The distinct passages of so many pairs are in memory at once: some 100 MB. The corpus is read once for them.
_PAIRS = 100_000


class RescorerOptions(Model):
    """What every rescorer says.

    Attributes:
        first: the whole entry of the teacher whose best are scored again.
        top: how many of them, of each query; no others are retrieved.
    """

    first: Teacher
    top: Positive

    @model_validator(mode="after")
    def _one_rescorer(self) -> "RescorerOptions":
        if (kind := getattr(self.first, "kind", "")) in RESCORERS:
            raise ValueError(f"first is of kind {kind}, which scores another teacher's best itself; name that teacher")
        return self


class PairScorer(Protocol):
    """What a kind of rescorer brings."""

    def identity(self) -> Mapping[str, object]:
        """Return all that changes a pair's score, in JSON values."""
        ...

    def score(self, queries: Sequence[str], passages: Sequence[str]) -> Iterator[Floats]:
        """Yield the scores of consecutive pairs, part by part; the pairs of one passage follow each other."""
        ...

    def report(self) -> Mapping[str, object]:
        """Return what report.json should say of the scoring that is done."""
        ...


class Rescored:
    """A teacher that orders the best of another by its own scores."""

    def __init__(self, options: RescorerOptions, corpus: Corpus, runtime: Runtime, scorer: PairScorer) -> None:
        self._options, self._corpus, self._runtime, self._scorer = options, corpus, runtime, scorer
        self._first: teachers.Teacher | None = None
        self._first_revision = ""
        self._first_report: Mapping[str, object] = {}
        self._cosines: Mapping[str, Cosines] = {}

    @property
    def revision(self) -> str:
        """The SHA-256 of what fixes the scores, the first teacher's revision included; this builds that teacher."""
        if not self._first_revision:
            self._first = self._build()
        content = json.dumps([self._first_revision, self._options.top, self._scorer.identity()], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:40]

    def score(self, queries: Queries) -> Iterator[Block]:
        """Yield the new scores of the first teacher's best `top` and of judged passages, block by block.

        The best `top` have the ranks 1, 2, ...; a judged passage beyond them keeps the first teacher's rank, which is
        larger than `top`, where that teacher knows it. No other passage is retrieved.
        """
        from embedder.locking import locked

        found = self._ask(queries)
        with locked(layout.VECTORS):
            for start, end in _blocks(found, queries):
                yield self._block(found[start:end], queries, start)

    def report(self) -> Mapping[str, object]:
        """Return what the first teacher and the scorer report."""
        return {"first": self._first_report, **self._scorer.report()}

    def cosines(self) -> Mapping[str, Cosines]:
        """Return what compares passages by the first teacher's vectors, if it has some, after it was asked."""
        return self._cosines

    def _ask(self, queries: Queries) -> list[Ranking]:
        """Ask the first teacher, which is gone afterwards: two models need not be in memory at once."""
        first, self._first = self._first or self._build(), None
        wanted = np.full(len(queries.ids), self._top(queries), np.int64)
        found = list(rankings(first, replace(queries, most=wanted), len(self._corpus.ids)))
        self._first_report, self._cosines = first.report(), teachers.cosines(first)
        return found

    def _top(self, queries: Queries) -> int:
        """How many are scored again: of labels all."""
        return len(self._corpus.ids) if queries.everything else min(self._options.top, len(self._corpus.ids))

    def _build(self) -> teachers.Teacher:
        first = teachers.build(self._options.first, self._corpus, self._runtime)
        self._first_revision = first.revision
        return first

    def _block(self, found: Sequence[Ranking], queries: Queries, start: int) -> Block:
        chosen = [_chosen(ranking, judged_of(queries, start + i)) for i, ranking in enumerate(found)]
        indptr = np.cumsum([0, *map(len, chosen)])
        passages = np.concatenate(chosen)
        owners = np.repeat(np.arange(start, start + len(found)), np.diff(indptr))
        scores = self._score([queries.texts[owner] for owner in owners.tolist()], passages)
        parts = zip(found, chosen, np.split(scores, indptr[1:-1]), strict=True)
        ranks = [_ranks(ranking, its, new, self._top(queries)) for ranking, its, new in parts]
        floor = np.full(len(found), -np.inf, np.float32)
        return Block(indptr, passages.astype(np.int32), scores, floor, np.concatenate(ranks))

    def _score(self, queries: Sequence[str], passages: Ints) -> Floats:
        """Score pairs, passage by passage, so that a scorer reads none twice."""
        texts = dict(zip(*self._texts(passages), strict=True))
        order = np.argsort(passages, kind="stable")
        asked, answered = [queries[i] for i in order], [texts[passage] for passage in passages[order].tolist()]
        scores = np.empty(len(passages), np.float32)
        scores[order] = np.concatenate([np.empty(0, np.float32), *self._scorer.score(asked, answered)])
        return scores

    def _texts(self, passages: Ints) -> tuple[list[int], list[str]]:
        """Read the distinct passages' texts in one pass over the corpus, which need not be in memory."""
        wanted = np.zeros(len(self._corpus.ids), bool)
        wanted[passages] = True
        return np.flatnonzero(wanted).tolist(), list(compress(self._corpus.texts, wanted.tolist()))


def _chosen(ranking: Ranking, judged: Ints) -> Ints:
    """Return the passages to score: the first teacher's best, in ascending order, and the judged ones."""
    return np.union1d(ranking.passages, judged)


def _ranks(ranking: Ranking, passages: Ints, scores: Floats, top: int) -> Ints:
    """Rank the first teacher's best by their new scores; others keep the rank that teacher knows, 0 for none."""
    at = np.searchsorted(passages, ranking.passages)
    ranks = np.zeros(len(passages), np.int64)
    ranks[at] = ranking.ranks
    best = np.sort(at[ranking.ranks <= top])
    ranks[best[by_score(passages[best], scores[best])]] = np.arange(1, len(best) + 1)
    return ranks


def _blocks(found: Sequence[Ranking], queries: Queries) -> Iterator[tuple[int, int]]:
    """Cut the queries where their pairs become too many to hold."""
    start = pairs = 0
    for query, ranking in enumerate(found):
        its = len(ranking.passages) + len(judged_of(queries, query))
        if query > start and pairs + its > _PAIRS:
            yield start, query
            start, pairs = query, 0
        pairs += its
    if found:
        yield start, len(found)
