"""Mining: a teacher's scores become a run of bounded depth, and the judged passages' scores and ranks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder import schemas
from embedder.params.models import Dataset
from embedder.progress import track
from embedder.teachers import Block, Queries, Teacher

Ints = NDArray[np.int64]

Always = Literal["nothing", "judged", "everything"]
"""What a run holds whatever its depth."""


def always_kept(entry: Dataset) -> Always:
    """Return what a dataset's run holds whatever its depth: judged passages for reranking, labels where they are few."""
    if entry.label_mode == "label":
        return "everything"
    return "judged" if entry.task == "reranking" else "nothing"


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
    """The scores of one query: `passages` ascending; every other passage has the score `floor`, -inf for unknown."""

    passages: Ints
    scores: NDArray[np.float32]
    floor: np.float32
    corpus: int

    def of(self, passages: Ints) -> NDArray[np.float32]:
        """Return the scores of any passages of the corpus."""
        at = np.searchsorted(self.passages, passages)
        stored = at < len(self.passages)
        stored[stored] = self.passages[at[stored]] == passages[stored]
        scores = np.full(len(passages), self.floor, dtype=np.float32)
        scores[stored] = self.scores[at[stored]]
        return scores

    def rank_of(self, passage: int) -> int:
        """Return the rank of a passage among all of the corpus: best score first, ties by passage_id."""
        score = self.of(np.array([passage]))[0]
        better = int((self.scores > score).sum()) + int(((self.scores == score) & (self.passages < passage)).sum())
        if score > self.floor:
            return better + 1
        earlier = passage - int((self.passages < passage).sum())
        return better + earlier + 1

    def best(self, most: int) -> Ints:
        """Return at least the `most` best passages (fewer where fewer are stored), best first, ties by passage_id."""
        chosen = np.arange(len(self.scores))
        if len(chosen) > most:
            chosen = np.flatnonzero(self.scores >= np.partition(self.scores, -most)[-most])
        order = np.lexsort((self.passages[chosen], -self.scores[chosen]))
        return self.passages[chosen][order]

    def everything(self) -> "Scored":
        """Return the same scores with no passage left to the floor, unless nobody knows their scores."""
        if np.isneginf(self.floor):
            return self
        passages = np.arange(self.corpus)
        return Scored(passages, self.of(passages), np.float32(-np.inf), self.corpus)


@dataclass(frozen=True)
class Ranked:
    """One query's part of the run and of the judged table; a judged rank of 0 lies beyond depth, -inf is no score."""

    passages: Ints
    ranks: Ints
    scores: NDArray[np.float32]
    judged_scores: NDArray[np.float32]
    judged_ranks: Ints


def rank(scored: Scored, judged: Judgements, positive_at: float, depth: int, always: Always) -> Ranked:
    """Keep of one query `depth` non-positives and every positive above the last of them, and what is `always` kept.

    A passage without a score has no rank and is never kept.
    """
    positives = judged.positives(positive_at)
    if always == "everything":
        scored, depth = scored.everything(), scored.corpus
    best = scored.best(depth + len(positives))
    others = ~np.isin(best, positives)
    passages = best[np.cumsum(others) - others < depth]
    ranks = np.arange(1, len(passages) + 1)
    at = {passage: position for position, passage in enumerate(passages.tolist(), 1)}
    judged_scores = scored.of(judged.passages)
    judged_ranks = np.array([at.get(passage, 0) for passage in judged.passages.tolist()], dtype=np.int64)
    if always == "judged":
        deeper = judged.passages[(judged_ranks == 0) & ~np.isneginf(judged_scores)]
        deep_ranks = np.array([scored.rank_of(passage) for passage in deeper.tolist()], dtype=np.int64)
        passages, ranks = np.append(passages, deeper), np.append(ranks, deep_ranks)
    return Ranked(passages, ranks, scored.of(passages), judged_scores, judged_ranks)


def scored_queries(block: Block, corpus: int) -> list[Scored]:
    """Cut a teacher's block into its queries, passages in ascending order, what is not above the floor left out."""
    out = []
    for i, floor in enumerate(block.floor):
        part = slice(int(block.indptr[i]), int(block.indptr[i + 1]))
        passages, scores = block.passages[part].astype(np.int64), block.scores[part]
        above = scores > floor
        passages, scores = passages[above], scores[above]
        order = np.argsort(passages)
        out.append(Scored(passages[order], scores[order], floor, corpus))
    return out


def minable(queries: pa.Table, qrels: pa.Table, positive_at: float) -> pa.Table:
    """Return the queries of the train split that have a positive; dev queries are never mined."""
    train = queries.filter(pc.equal(queries["split"], "train"))
    answered = schemas.positives(qrels, positive_at)["query_id"]
    return train.filter(pc.is_in(train["query_id"], answered.combine_chunks()))


def mine(
    teacher: Teacher,
    queries: pa.Table,
    passage_ids: Sequence[str],
    qrels: pa.Table,
    entry: Dataset,
    depth: int,
    made_by: dict[str, str],
    what: str,
) -> tuple[pa.Table, pa.Table]:
    """Rank the corpus for every query.

    Args:
        teacher: has indexed the corpus in the order of `passage_ids`.
        queries: the queries to mine, in order.
        passage_ids: sorted.
        qrels: the judgements, of other queries too.
        entry: the dataset's entry.
        depth: how many non-positives a run keeps.
        made_by: what the tables say of themselves, see `schemas.metadata`.
        what: the words before the count in the progress line.

    Returns:
        The tables `run` and `judged`.
    """
    query_ids = queries["query_id"].to_pylist()
    judgements = judgements_of(query_ids, passage_ids, qrels)
    blocks = teacher.score(Queries(query_ids, queries["text"].to_pylist()))
    scores = (one for block in blocks for one in scored_queries(block, len(passage_ids)))
    always = always_kept(entry)
    ranked = [
        rank(scored, judged, entry.positive_at, depth, always)
        for scored, judged in zip(track(scores, len(query_ids), what), judgements, strict=True)
    ]
    return _run(query_ids, passage_ids, ranked, made_by), _judged(query_ids, passage_ids, judgements, ranked, made_by)


def judgements_of(query_ids: Sequence[str], passage_ids: Sequence[str], qrels: pa.Table) -> list[Judgements]:
    """Return the judged passages of each of `query_ids`, as indices into the sorted `passage_ids`."""
    positions = {passage: i for i, passage in enumerate(passage_ids)}
    judged: dict[str, list[tuple[int, float]]] = {query: [] for query in query_ids}
    columns = (qrels.column(name).to_pylist() for name in ("query_id", "passage_id", "relevance"))
    for query, passage, relevance in zip(*columns, strict=True):
        if query in judged:
            judged[query].append((positions[passage], relevance))
    return [
        Judgements(np.array([p for p, _ in rows], dtype=np.int64), np.array([r for _, r in rows], dtype=np.float32))
        for rows in map(sorted, judged.values())
    ]


def _run(
    query_ids: Sequence[str], passage_ids: Sequence[str], ranked: Sequence[Ranked], metadata: dict[str, str]
) -> pa.Table:
    columns = {
        "query_id": _repeat(query_ids, [len(one.passages) for one in ranked]),
        "rank": _join([one.ranks for one in ranked]),
        "passage_id": pa.array(passage_ids, pa.string()).take(_join([one.passages for one in ranked])),
        "score": pa.array(np.concatenate([one.scores for one in ranked]) if ranked else [], pa.float32()),
    }
    return schemas.build(schemas.RUN, columns, metadata)


def _judged(
    query_ids: Sequence[str],
    passage_ids: Sequence[str],
    judgements: Sequence[Judgements],
    ranked: Sequence[Ranked],
    metadata: dict[str, str],
) -> pa.Table:
    ranks = np.concatenate([one.judged_ranks for one in ranked]) if ranked else np.empty(0, np.int64)
    scores = np.concatenate([one.judged_scores for one in ranked]) if ranked else np.empty(0, np.float32)
    columns = {
        "query_id": _repeat(query_ids, [len(one.passages) for one in judgements]),
        "passage_id": pa.array(passage_ids, pa.string()).take(_join([one.passages for one in judgements])),
        "relevance": pa.array(
            np.concatenate([one.relevance for one in judgements]) if judgements else [], pa.float32()
        ),
        "score": pa.array(scores, pa.float32(), mask=np.isneginf(scores)),
        "rank": pa.array(ranks, pa.int32(), mask=ranks == 0),
    }
    return schemas.build(schemas.JUDGED, columns, metadata)


def _repeat(names: Sequence[str], counts: Sequence[int]) -> pa.Array:
    return pa.array(names, pa.string()).take(pa.array(np.repeat(np.arange(len(names)), counts), pa.int64()))


def _join(parts: Sequence[Ints]) -> pa.Array:
    return pa.array(np.concatenate(parts) if parts else [], pa.int64())
