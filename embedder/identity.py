"""Identity: texts that are the same become one row, so that from here on equal ids and equal texts are one thing."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from embedder.loaders import Reject
from embedder.texts import normalise, passage_text


@dataclass(frozen=True)
class Query:
    """A query as ingest knows it; `labels` is None where the dataset has none."""

    query_id: str
    text: str
    split: str
    group_id: str
    labels: tuple[str, ...] | None


@dataclass(frozen=True)
class Passage:
    """A passage of the corpus; the title may be empty."""

    passage_id: str
    title: str
    text: str


@dataclass(frozen=True)
class Qrel:
    """A judgement: how relevant a passage is to a query, as the source grades it."""

    query_id: str
    passage_id: str
    relevance: float


def merge_queries(queries: Sequence[Query]) -> tuple[list[Query], dict[str, str]]:
    """Make queries of equal text one, with the smallest id and the labels of all; one of several splits is dev.

    Returns:
        The queries that remain, and merged id -> id that remains.
    """
    groups: dict[str, list[Query]] = defaultdict(list)
    for query in sorted(queries, key=lambda q: q.query_id):
        groups[normalise(query.text)].append(query)
    return [_merge_query(same) for same in groups.values()], _aliases(
        [[q.query_id for q in g] for g in groups.values()]
    )


def merge_passages(passages: Sequence[Passage]) -> tuple[list[Passage], dict[str, str]]:
    """Make passages of equal text (title and text) one, with the smallest id.

    Returns:
        The passages that remain, and merged id -> id that remains.
    """
    groups: dict[str, list[Passage]] = defaultdict(list)
    for passage in sorted(passages, key=lambda p: p.passage_id):
        groups[normalise(passage_text(passage.title, passage.text))].append(passage)
    kept = [same[0] for same in groups.values()]
    return kept, _aliases([[p.passage_id for p in same] for same in groups.values()])


def merge_qrels(
    qrels: Iterable[Qrel], queries: dict[str, str], passages: dict[str, str]
) -> tuple[list[Qrel], list[Reject], int]:
    """Point qrels at what remains; of two for one pair the higher relevance wins.

    Args:
        qrels: judgements as read.
        queries: every known query id -> the id that remains.
        passages: every known passage id -> the id that remains.

    Returns:
        The qrels that remain, those that cannot be used, and how many were merged into another.
    """
    best: dict[tuple[str, str], float] = {}
    rejects: list[Reject] = []
    merged = 0
    for qrel in qrels:
        if reason := _unusable(qrel, queries, passages):
            rejects.append(Reject("qrel", f"{qrel.query_id}\t{qrel.passage_id}", reason, "", 0))
            continue
        pair = queries[qrel.query_id], passages[qrel.passage_id]
        merged += pair in best
        best[pair] = max(qrel.relevance, best.get(pair, qrel.relevance))
    return [Qrel(query, passage, relevance) for (query, passage), relevance in best.items()], rejects, merged


def _unusable(qrel: Qrel, queries: dict[str, str], passages: dict[str, str]) -> str | None:
    if qrel.query_id not in queries:
        return "unknown_query"
    if qrel.passage_id not in passages:
        return "unknown_passage"
    return None if math.isfinite(qrel.relevance) else "relevance_not_finite"


def _merge_query(same: Sequence[Query]) -> Query:
    first = same[0]
    split = "dev" if any(query.split == "dev" for query in same) else "train"
    labels = None if first.labels is None else tuple(sorted({label for q in same for label in q.labels or ()}))
    return Query(first.query_id, first.text, split, first.group_id, labels)


def _aliases(groups: Iterable[Sequence[str]]) -> dict[str, str]:
    return {merged: same[0] for same in groups for merged in same[1:]}
