"""Labels as passages: what makes a classification or clustering dataset one that can be mined."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from embedder.identity import Passage, Qrel, Query

EXAMPLES_PER_LABEL = 16


def label_passages(queries: Sequence[Query]) -> tuple[list[Passage], list[Qrel]]:
    """Make each label of a training query a passage (SFR-Embedding-Mistral); a label seen in dev alone is no passage."""
    labels = sorted({label for q in queries if q.split == "train" for label in q.labels or ()})
    passages = [Passage(label, "", readable(label)) for label in labels]
    known = set(labels)
    qrels = [Qrel(q.query_id, label, 1.0) for q in queries for label in q.labels or () if label in known]
    return passages, qrels


def example_passages(queries: Sequence[Query]) -> tuple[list[Passage], list[Qrel]]:
    """Make up to 16 training queries of each label its passages (NV-Embed, arXiv 2405.17428, section 4.2).

    A query is relevant to the examples that share a label with it, and never to itself.
    """
    members: dict[str, list[Query]] = defaultdict(list)
    for query in queries:
        for label in query.labels or ():
            if query.split == "train":
                members[label].append(query)
    chosen = {label: sorted(same, key=_draw)[:EXAMPLES_PER_LABEL] for label, same in members.items()}
    passages = {q.query_id: Passage(q.query_id, "", q.text) for same in chosen.values() for q in same}
    pairs = {
        (q.query_id, example.query_id)
        for q in queries
        for label in q.labels or ()
        for example in chosen.get(label, ())
        if example.query_id != q.query_id
    }
    return list(passages.values()), [Qrel(query, passage, 1.0) for query, passage in sorted(pairs)]


def readable(label: str) -> str:
    """Write a label as words: `card_arrival` -> `card arrival`, `scipy/stats` -> `scipy stats`."""
    return " ".join(label.replace("_", " ").replace("-", " ").replace("/", " ").split()) or label


def _draw(query: Query) -> tuple[bytes, str]:
    return hashlib.sha256(query.query_id.encode()).digest(), query.query_id
