"""From what a loader read to the tables of ingest: identity settled, labels made passages, everything counted."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from embedder import schemas
from embedder.errors import SourceError
from embedder.identity import Passage, Qrel, Query, merge_passages, merge_qrels, merge_queries
from embedder.labels import example_passages, label_passages
from embedder.loaders import Reject, Source


@dataclass(frozen=True)
class Ingested:
    """The five tables of ingest and what report.json says of them."""

    queries: pa.Table
    corpus: pa.Table
    qrels: pa.Table
    aliases: pa.Table
    rejects: pa.Table
    report: dict[str, object]


def ingest(source: Source, task: str, positive_at: float, label_mode: str | None) -> Ingested:
    """Settle identity and refuse what cannot be used.

    Args:
        source: what the loader read.
        task: the dataset's task; label tasks take their passages from the queries' labels.
        positive_at: the relevance from which a passage is a positive.
        label_mode: `label` or `example` for label tasks, else None.

    Raises:
        SourceError: no query or no passage is left.
    """
    read_queries, read_passages, read_qrels = _rows(source)
    queries, query_aliases = merge_queries(read_queries)
    if label_mode is not None:
        read_passages, read_qrels = (label_passages if label_mode == "label" else example_passages)(queries)
    passages, passage_aliases = merge_passages(read_passages)
    ids = {q.query_id: q.query_id for q in queries} | query_aliases
    qrels, lost, merged = merge_qrels(read_qrels, ids, {p.passage_id: p.passage_id for p in passages} | passage_aliases)
    queries, qrels, unusable = _usable(queries, qrels, _needs(task, positive_at))
    if not queries or not passages:
        reasons = Counter(reject.reason for reject in [*source.rejects, *lost, *unusable])
        raise SourceError(
            f"no {'query' if not queries else 'passage'} is left of {len(read_queries)} queries and "
            f"{len(read_passages)} passages; refused: {dict(reasons.most_common(3)) or 'none'}; check the source's columns"
        )
    rejects = [*source.rejects, *lost, *unusable]
    merges = {"query": len(query_aliases), "passage": len(passage_aliases), "qrel": merged}
    kept = {"query": len(queries), "passage": len(passages), "qrel": len(qrels)}
    report = {
        "source": source.facts,
        **_counts(kept, merges, rejects),
        "queries_by_split": dict(Counter(q.split for q in queries)),
    }
    return Ingested(
        *_tables(queries, passages, qrels), _alias_table(query_aliases, passage_aliases), _reject_table(rejects), report
    )


def _rows(source: Source) -> tuple[list[Query], list[Passage], list[Qrel]]:
    queries = [
        Query(
            row["query_id"],
            row["text"],
            row["split"],
            row["group_id"],
            None if row["labels"] is None else tuple(row["labels"]),
        )
        for row in source.queries.to_pylist()
    ]
    passages = [Passage(**row) for row in source.corpus.to_pylist()]
    qrels = [Qrel(**row) for row in source.qrels.to_pylist()]
    return queries, passages, qrels


def _needs(task: str, positive_at: float) -> Callable[[Query, Sequence[Qrel]], str | None]:
    """Return the rule that names why a query of `task` cannot be used, or None where it can."""
    bound = np.float32(positive_at)  # relevance is stored as float32

    def reason(query: Query, judged: Sequence[Qrel]) -> str | None:
        if query.labels is not None:
            return None if query.labels else "no_label"
        if task == "sts":
            return None if judged else "not_judged"
        return None if any(np.float32(qrel.relevance) >= bound for qrel in judged) else "no_positive"

    return reason


def _usable(
    queries: Sequence[Query], qrels: Sequence[Qrel], reason: Callable[[Query, Sequence[Qrel]], str | None]
) -> tuple[list[Query], list[Qrel], list[Reject]]:
    judged: dict[str, list[Qrel]] = {query.query_id: [] for query in queries}
    for qrel in qrels:
        judged[qrel.query_id].append(qrel)
    refused = {q.query_id: why for q in queries if (why := reason(q, judged[q.query_id]))}
    rejects = [Reject("query", query_id, why, "", 0) for query_id, why in refused.items()]
    rejects += [
        Reject("qrel", f"{qrel.query_id}\t{qrel.passage_id}", "query_refused", "", 0)
        for query_id in refused
        for qrel in judged[query_id]
    ]
    kept = [query for query in queries if query.query_id not in refused]
    return kept, [qrel for qrel in qrels if qrel.query_id not in refused], rejects


def _counts(kept: Mapping[str, int], merged: Mapping[str, int], rejects: Sequence[Reject]) -> dict[str, object]:
    """Count rows: read = kept + merged + rejected for queries, passages and qrels; a loader's other kinds are rejects."""
    refused: dict[str, Counter[str]] = {}
    for reject in rejects:
        refused.setdefault(reject.kind, Counter())[reject.reason] += 1
    rejected = {kind: sum(refused.get(kind, Counter()).values()) for kind in {*kept, *refused}}
    return {
        "read": {kind: count + merged[kind] + rejected[kind] for kind, count in kept.items()},
        "kept": dict(kept),
        "merged": dict(merged),
        "rejected": rejected,
        "reject_reasons": {kind: dict(sorted(reasons.items())) for kind, reasons in sorted(refused.items())},
    }


def _tables(
    queries: Sequence[Query], passages: Sequence[Passage], qrels: Sequence[Qrel]
) -> tuple[pa.Table, pa.Table, pa.Table]:
    return (
        schemas.build(
            schemas.QUERIES,
            {
                "query_id": [q.query_id for q in queries],
                "text": [q.text for q in queries],
                "split": [q.split for q in queries],
                "group_id": [q.group_id for q in queries],
                "labels": [None if q.labels is None else list(q.labels) for q in queries],
            },
        ),
        schemas.build(
            schemas.CORPUS,
            {
                "passage_id": [p.passage_id for p in passages],
                "title": [p.title for p in passages],
                "text": [p.text for p in passages],
            },
        ),
        schemas.build(
            schemas.QRELS,
            {
                "query_id": [q.query_id for q in qrels],
                "passage_id": [q.passage_id for q in qrels],
                "relevance": [q.relevance for q in qrels],
            },
        ),
    )


def _alias_table(queries: Mapping[str, str], passages: Mapping[str, str]) -> pa.Table:
    rows = [("query", *pair) for pair in queries.items()] + [("passage", *pair) for pair in passages.items()]
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    return schemas.build(schemas.ALIASES, dict(zip(schemas.ALIASES.schema.names, map(list, columns), strict=True)))


def _reject_table(rejects: Sequence[Reject]) -> pa.Table:
    rows = [(r.kind, r.id, r.reason, r.file, r.row) for r in rejects]
    columns = zip(*rows, strict=True) if rows else ((), (), (), (), ())
    return schemas.build(schemas.REJECTS, dict(zip(schemas.REJECTS.schema.names, map(list, columns), strict=True)))
