"""One ranking of several teachers': their best by turns (union), or reciprocal rank fusion (rrf)."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from embedder import teachers
from embedder.params.base import Model
from embedder.params.models import Name, Positive, Teacher
from embedder.params.runtime import Runtime
from embedder.teachers import Block, Corpus, Cosines, Places, Queries
from embedder.teachers.rankings import Floats, Ints, Ranking, rankings

_QUERIES = 256


class Member(Model):
    """A teacher that is asked.

    Attributes:
        name: what its ranks and scores are called.
        quota: how many places of a run are its share, for the union; null for rrf.
        teacher: its whole entry.
    """

    name: Name
    quota: Positive | None
    teacher: Teacher

    @model_validator(mode="after")
    def _flat(self) -> "Member":
        if getattr(self.teacher, "kind", "") == "fusion":
            raise ValueError(f"member '{self.name}' is a fusion itself; write its members here")
        return self


class Options(Model):
    """How several rankings become one.

    Attributes:
        method: union: a member's passage at rank r stands at place r / quota, and the first place of a passage counts.
            rrf: a passage's score is the sum over the members of 1 / (k + rank), of Cormack, Clarke and Büttcher
            2009, "Reciprocal rank fusion outperforms Condorcet and individual rank learning methods".
        k: the constant of rrf, 60 in that paper; null for the union.
        members: those asked; their order decides between passages at the same place of a union.
    """

    kind: Literal["fusion"]
    method: Literal["union", "rrf"]
    k: Positive | None
    members: Annotated[list[Member], Field(min_length=2)]

    @model_validator(mode="after")
    def _consistent(self) -> "Options":
        names = [member.name for member in self.members]
        if len(set(names)) < len(names):
            raise ValueError(f"members: {', '.join(names)}: each needs a name of its own")
        if (self.k is None) == (self.method == "rrf"):
            raise ValueError("k: rrf needs its constant, such as 60; the union has none, write null")
        wrong = [member.name for member in self.members if (member.quota is None) == (self.method == "union")]
        if wrong:
            raise ValueError(f"quota of {', '.join(wrong)}: each member of a union needs one; for rrf write null")
        return self


@dataclass(frozen=True)
class Fused:
    """One query's passages in fused order; [members, n] the ranks that count, 0 for none, and the members' scores."""

    passages: Ints
    scores: Floats
    member_ranks: Ints
    member_scores: Floats


class Fusion:
    """Teachers of one corpus, asked one after the other."""

    def __init__(self, options: Options, corpus: Corpus, runtime: Runtime) -> None:
        self._options, self._corpus, self._runtime = options, corpus, runtime
        self._built: dict[str, teachers.Teacher] = {}
        self._revisions: dict[str, str] = {}
        self._reports: dict[str, Mapping[str, object]] = {}
        self._cosines: dict[str, Cosines] = {}

    @property
    def revision(self) -> str:
        """The SHA-256 of the options and the members' revisions; before scoring, this builds the members."""
        for member in self._options.members:
            if member.name not in self._revisions:
                self._built[member.name] = self._build(member)
        members = [[member.name, member.quota, self._revisions[member.name]] for member in self._options.members]
        content = json.dumps([self._options.method, self._options.k, members])
        return hashlib.sha256(content.encode()).hexdigest()[:40]

    def score(self, queries: Queries) -> Iterator[Block]:
        """Yield the fused ranks of `queries`, block by block.

        What any member has among its best `queries.most` is retrieved, and only those places count for its order: a
        judgement moves no passage. Judged passages that are not retrieved follow, where `queries.deep` wants them and
        a member knows their ranks.
        """
        found = [self._ask(member, queries) for member in self._options.members]
        for start in range(0, len(queries.ids), _QUERIES):
            end = min(start + _QUERIES, len(queries.ids))
            of = [[ranking[query] for ranking in found] for query in range(start, end)]
            fused = [fuse(one, int(queries.most[start + i]), self._options) for i, one in enumerate(of)]
            yield _block(fused, self._options)

    def report(self) -> Mapping[str, object]:
        """Return what each member reports."""
        return {"members": self._reports}

    def cosines(self) -> Mapping[str, Cosines]:
        """Return what compares passages by the vectors of each member that has some, after it was asked."""
        return self._cosines

    def _ask(self, member: Member, queries: Queries) -> list[Ranking]:
        """Ask one member, which is gone afterwards: two models need not be in memory at once."""
        teacher = self._built.pop(member.name, None) or self._build(member)
        found = list(rankings(teacher, queries, len(self._corpus.ids)))
        self._reports[member.name] = teacher.report()
        # What it keeps of the member: no model.
        for inner, compare in teachers.cosines(teacher).items():
            self._cosines[f"{member.name}/{inner}" if inner else member.name] = compare
        return found

    def _build(self, member: Member) -> teachers.Teacher:
        teacher = teachers.build(member.teacher, self._corpus, self._runtime)
        self._revisions[member.name] = teacher.revision
        return teacher


def build(options: Model, corpus: Corpus, runtime: Runtime) -> Fusion:
    """Return the members' fusion; each is built when it is asked."""
    if not isinstance(options, Options):
        raise TypeError(f"not options of fusion: {options!r}")
    return Fusion(options, corpus, runtime)


def fuse(members: Sequence[Ranking], most: int, options: Options) -> Fused:
    """Fuse what the members say of one query.

    Args:
        members: their rankings, in the order of `options.members`.
        most: a passage is retrieved where one of its ranks is at most this.
        options: the method and its constants.
    """
    passages = np.unique(np.concatenate([member.passages for member in members]))
    ranks = np.zeros((len(members), len(passages)), np.int64)
    scores = np.zeros(ranks.shape, np.float32)
    for row, member in enumerate(members):
        at = np.searchsorted(passages, member.passages)
        ranks[row, at], scores[row, at] = member.ranks, member.scores
    near = np.where(ranks <= most, ranks, 0)
    retrieved = near.any(axis=0)
    counted = np.where(retrieved, near, ranks)
    merit = _reciprocal(counted, options.k) if options.k is not None else _places(counted, options.members)
    order = np.lexsort((passages, -merit, ~retrieved))
    fused = merit[order] if options.k is not None else -np.arange(1, len(order) + 1)
    counting = np.where(counted > 0, scores, np.float32(0))
    return Fused(passages[order], fused.astype(np.float32), counted[:, order], counting[:, order])


def _reciprocal(ranks: Ints, k: int) -> Floats:
    """Score by rrf. The terms are added in order of size, so that equal ranks of other members add up alike."""
    terms = np.divide(1.0, k + ranks, out=np.zeros(ranks.shape), where=ranks > 0)
    return np.asarray(np.sort(terms, axis=0).sum(axis=0), np.float32)


def _places(ranks: Ints, members: Sequence[Member]) -> NDArray[np.int64]:
    """Score by the first place among the members' lists: the larger the earlier, then by the order of members."""
    quotas = np.array([[member.quota or 1] for member in members])
    places = np.where(ranks > 0, ranks / quotas, np.inf)
    first = places.argmin(axis=0)
    order = np.lexsort((first, places.min(axis=0)))
    merit = np.empty(len(order), np.int64)
    # Equal places of one member cannot be: a member has one passage at a rank.
    merit[order] = -np.arange(len(order))
    return merit


def _block(fused: Sequence[Fused], options: Options) -> Block:
    sizes = [len(one.passages) for one in fused]
    member_ranks = np.concatenate([one.member_ranks for one in fused], axis=1).astype(np.int32)
    member_scores = np.concatenate([one.member_scores for one in fused], axis=1)
    floor = 0.0 if options.method == "rrf" else -np.inf
    return Block(
        np.cumsum([0, *sizes]),
        np.concatenate([one.passages for one in fused]).astype(np.int32),
        np.concatenate([one.scores for one in fused]),
        np.full(len(fused), floor, np.float32),
        np.concatenate([np.arange(1, size + 1) for size in sizes]),
        {member.name: Places(member_ranks[row], member_scores[row]) for row, member in enumerate(options.members)},
    )
