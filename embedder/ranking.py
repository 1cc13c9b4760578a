"""Ranking: what is kept of one query's scores, with an order of equal scores that no library decides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from embedder.teachers import Block, Places

Ints = NDArray[np.int64]

Always = Literal["nothing", "judged", "everything"]
"""What a run holds whatever its depth."""


@dataclass(frozen=True)
class Judgements:
    """The judged passages of one query, as indices into the corpus, in ascending order."""

    passages: Ints
    relevance: NDArray[np.float32]

    def positives(self, positive_at: float) -> Ints:
        """Return the passages whose relevance is at least `positive_at`."""
        return self.passages[self.relevance >= np.float32(positive_at)]


@dataclass(frozen=True)
class Scored:
    """The scores of one query.

    Attributes:
        passages: ascending.
        scores: of these; every other passage has the score `floor`, -inf for unknown.
        floor: see above.
        corpus: how many passages there are.
        ranks: of these in the whole corpus, 0 for unknown; None where scores and floor tell them.
        members: of a fusion, where each teacher has these.
    """

    passages: Ints
    scores: NDArray[np.float32]
    floor: np.float32
    corpus: int
    ranks: Ints | None = None
    members: Mapping[str, Places] = field(default_factory=dict)

    def of(self, passages: Ints) -> NDArray[np.float32]:
        """Return the scores of any passages of the corpus."""
        at, stored = _find(passages, self.passages)
        scores = np.full(len(passages), self.floor, dtype=np.float32)
        scores[stored] = self.scores[at]
        return scores

    def ranks_of(self, passages: Ints) -> Ints:
        """Return the ranks of passages among all of the corpus, best score first, ties by passage_id; 0 for unknown."""
        if self.ranks is None:
            return np.array([self._rank_of(passage) for passage in passages.tolist()], dtype=np.int64)
        at, stored = _find(passages, self.passages)
        ranks = np.zeros(len(passages), dtype=np.int64)
        ranks[stored] = self.ranks[at]
        return ranks

    def places(self, passages: Ints) -> dict[str, Places]:
        """Return where each member of a fusion has `passages`, which are stored."""
        if not self.members:
            return {}
        at, _ = _find(passages, self.passages)
        return {name: Places(one.ranks[at], one.scores[at]) for name, one in self.members.items()}

    def best(self, most: int) -> tuple[Ints, Ints]:
        """Return at least the `most` best passages (fewer where fewer are known) and their ranks, best first."""
        if self.ranks is not None:
            known = np.flatnonzero(self.ranks)
            order = known[np.argsort(self.ranks[known])]
            return self.passages[order], self.ranks[order]
        chosen = np.arange(len(self.scores))
        if len(chosen) > most:
            chosen = np.flatnonzero(self.scores >= np.partition(self.scores, -most)[-most])
        order = np.lexsort((self.passages[chosen], -self.scores[chosen]))
        return self.passages[chosen][order], np.arange(1, len(order) + 1)

    def everything(self) -> "Scored":
        """Return the same scores with no passage left to the floor, unless nobody knows their scores."""
        if np.isneginf(self.floor) or self.ranks is not None:
            return self
        passages = np.arange(self.corpus)
        return Scored(passages, self.of(passages), np.float32(-np.inf), self.corpus)

    def _rank_of(self, passage: int) -> int:
        score = self.of(np.array([passage]))[0]
        better = int((self.scores > score).sum()) + int(((self.scores == score) & (self.passages < passage)).sum())
        if score > self.floor:
            return better + 1
        earlier = passage - int((self.passages < passage).sum())
        return better + earlier + 1


@dataclass(frozen=True)
class Ranked:
    """One query's part of the run and of the judged table.

    Attributes:
        passages: of the run.
        ranks: theirs.
        scores: theirs.
        members: of a fusion, where each teacher has them.
        judged_scores: of all judged passages; -inf is no score.
        judged_ranks: 0 lies beyond depth.
        candidates: how many of the run's passages are no positives.
    """

    passages: Ints
    ranks: Ints
    scores: NDArray[np.float32]
    members: Mapping[str, Places]
    judged_scores: NDArray[np.float32]
    judged_ranks: Ints
    candidates: int


def wanted(judged: Judgements, positive_at: float, depth: int, always: Always, corpus: int) -> int:
    """How many of a query's best passages `rank` needs to see: every positive may stand above the last candidate."""
    return corpus if always == "everything" else min(corpus, depth + len(judged.positives(positive_at)))


def rank(scored: Scored, judged: Judgements, positive_at: float, depth: int, always: Always) -> Ranked:
    """Keep of one query `depth` non-positives and every positive above the last of them, and what is `always` kept.

    A passage without a score or a rank is never kept.
    """
    positives = judged.positives(positive_at)
    if always == "everything":
        scored, depth = scored.everything(), scored.corpus
    best, best_ranks = scored.best(depth + len(positives))
    others = ~_find(best, positives)[1]
    within = np.cumsum(others) - others < depth
    passages, ranks = best[within], best_ranks[within]
    judged_scores = scored.of(judged.passages)
    order = np.argsort(passages)
    at, known = _find(judged.passages, passages[order])
    judged_ranks = np.zeros(len(judged.passages), np.int64)
    judged_ranks[known] = ranks[order[at]]
    if always == "judged":
        deeper = judged.passages[(judged_ranks == 0) & ~np.isneginf(judged_scores)]
        deep_ranks = scored.ranks_of(deeper)
        passages, ranks = np.append(passages, deeper[deep_ranks > 0]), np.append(ranks, deep_ranks[deep_ranks > 0])
    scores, places, candidates = scored.of(passages), scored.places(passages), int(np.sum(others[within]))
    return Ranked(passages, ranks, scores, places, judged_scores, judged_ranks, candidates)


def scored_queries(block: Block, corpus: int) -> list[Scored]:
    """Cut a teacher's block into its queries, passages in ascending order, what is not above the floor left out."""
    out = []
    for i, floor in enumerate(block.floor):
        part = np.arange(int(block.indptr[i]), int(block.indptr[i + 1]))
        part = part[block.scores[part] > floor]
        part = part[np.argsort(block.passages[part])]
        ranks = None if block.ranks is None else block.ranks[part]
        members = {name: Places(one.ranks[part], one.scores[part]) for name, one in block.members.items()}
        passages = block.passages[part].astype(np.int64)
        out.append(Scored(passages, block.scores[part], floor, corpus, ranks, members))
    return out


def _find(wanted: Ints, among: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """Return where those of `wanted` stand that are in the ascending `among`, and which they are."""
    at = among.searchsorted(wanted)
    there = at < len(among)
    there[there] = among[at[there]] == wanted[there]
    return at[there], there
