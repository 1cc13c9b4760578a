"""A few mined queries to look at: their positives, what was refused first, what was kept first."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from embedder import schemas
from embedder.texts import passage_text

QUERIES = 3
_POSITIVES, _REFUSED, _KEPT = 2, 3, 4


@dataclass(frozen=True)
class Line:
    """One passage of a query: its place in the run (None: beyond its depth), the verdict, the text."""

    rank: int | None
    score: float | None
    verdict: str
    text: str


@dataclass(frozen=True)
class Sample:
    """One query with some of its passages: positives first, the others by rank."""

    query_id: str
    query: str
    lines: list[Line]


def samples(
    candidates: pa.Table, queries: pa.Table, corpus: pa.Table, qrels: pa.Table, positive_at: float
) -> list[Sample]:
    """Take the queries with the smallest hashes among those that kept a negative.

    Args:
        candidates: table `candidates`, of the filter or of the judge.
        queries: table `queries`.
        corpus: table `corpus`.
        qrels: table `qrels`.
        positive_at: the relevance from which a passage is a positive.
    """
    kept = candidates.filter(pc.equal(candidates["verdict"], "keep"))
    chosen = sorted(pc.unique(kept["query_id"]).to_pylist(), key=_hash)[:QUERIES]
    relevant = schemas.positives(qrels, positive_at)
    return [_sample(query_id, candidates, queries, corpus, relevant) for query_id in chosen]


def _sample(query_id: str, candidates: pa.Table, queries: pa.Table, corpus: pa.Table, relevant: pa.Table) -> Sample:
    run = {row["passage_id"]: row for row in _of(candidates, "query_id", [query_id]).to_pylist()}
    positives = _of(relevant, "query_id", [query_id])["passage_id"].to_pylist()
    others = [passage for passage in run if passage not in set(positives)]
    refused = [passage for passage in others if run[passage]["verdict"] != "keep"][:_REFUSED]
    kept = [passage for passage in others if run[passage]["verdict"] == "keep"][:_KEPT]
    shown = positives[:_POSITIVES] + sorted(refused + kept, key=lambda passage: int(run[passage]["rank"]))
    rows = _of(corpus, "passage_id", shown).to_pylist()
    texts = {row["passage_id"]: passage_text(row["title"], row["text"]) for row in rows}
    text = _of(queries, "query_id", [query_id])["text"].to_pylist()[0]
    return Sample(query_id, text, [_line(run.get(passage), texts[passage]) for passage in shown])


def _line(row: Mapping[str, object] | None, text: str) -> Line:
    if row is None:
        return Line(None, None, "is_positive", text)
    return Line(int(str(row["rank"])), float(str(row["score"])), str(row["verdict"]), text)


def _of(table: pa.Table, column: str, ids: list[str]) -> pa.Table:
    return table.filter(pc.is_in(table[column], pa.array(ids, pa.string())))


def _hash(query_id: str) -> bytes:
    return hashlib.sha256(query_id.encode()).digest()
