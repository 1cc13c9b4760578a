"""Mining: a teacher's scores become a run of bounded depth, and the judged passages' scores and ranks."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder import schemas
from embedder.params.models import Dataset
from embedder.progress import track
from embedder.ranking import Always, Ints, Judgements, Ranked, rank, scored_queries, wanted
from embedder.teachers import Queries, Teacher


@dataclass(frozen=True)
class Mined:
    """The tables of a dataset's mining, `members` of a fusion alone; and how many queries fall short of the depth."""

    run: pa.Table
    judged: pa.Table
    members: pa.Table | None
    short: int


def always_kept(entry: Dataset) -> Always:
    """Return what a dataset's run holds whatever its depth: judged passages for reranking, labels where they are few."""
    if entry.label_mode == "label":
        return "everything"
    return "judged" if entry.task == "reranking" else "nothing"


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
    name: str,
    what: str,
    interval: float = 10.0,
) -> Mined:
    """Rank the corpus for every query.

    Args:
        teacher: has indexed the corpus in the order of `passage_ids`.
        queries: the queries to mine, in order.
        passage_ids: sorted.
        qrels: the judgements, of other queries too.
        entry: the dataset's entry.
        depth: how many non-positives a run keeps.
        name: what the teacher is called.
        what: the words before the count in the progress line.
        interval: seconds between two of these lines.
    """
    query_ids, corpus, always = queries["query_id"].to_pylist(), len(passage_ids), always_kept(entry)
    judgements = judgements_of(query_ids, passage_ids, qrels)
    most = np.array([wanted(one, entry.positive_at, depth, always, corpus) for one in judgements], dtype=np.int64)
    judged = [one.passages for one in judgements]
    texts = queries["text"].to_pylist()
    blocks = teacher.score(
        Queries(query_ids, texts, most, judged, deep=always == "judged", everything=always == "everything")
    )
    scores = (one for block in blocks for one in scored_queries(block, corpus))
    ranked = [
        rank(scored, judgement, entry.positive_at, depth, always)
        for scored, judgement in zip(track(scores, len(query_ids), what, interval), judgements, strict=True)
    ]
    # Known only now: a teacher of several members builds them one after the other.
    made_by = {"teacher": name, "revision": teacher.revision, "depth": str(depth)}
    rows = _rows(query_ids, passage_ids, [one.passages for one in ranked])
    run = rows | {"rank": _flat([one.ranks for one in ranked]), "score": _floats([one.scores for one in ranked])}
    return Mined(
        schemas.build(schemas.RUN, run, made_by),
        _judged(query_ids, passage_ids, judgements, ranked, made_by),
        _members(rows, ranked, made_by),
        sum(one.candidates < depth for one in ranked),
    )


def mine_report(queries: pa.Table, asked: pa.Table, passages: int, mined: Mined) -> dict[str, object]:
    """Count what was mined of a dataset's queries, and what the run holds."""
    dev = queries["split"].to_pylist().count("dev")
    counts: dict[str, object] = {
        "queries": {"dev": dev, "no_positive": queries.num_rows - dev - asked.num_rows, "mined": asked.num_rows},
        "passages": passages,
        "run_rows": mined.run.num_rows,
        "queries_short_of_depth": mined.short,
        "judged_rows": mined.judged.num_rows,
        "judged_beyond_depth": mined.judged.column("rank").null_count,
        "judged_without_score": mined.judged.column("score").null_count,
    }
    if mined.members is not None:
        counted = pc.value_counts(mined.members["member"]).to_pylist()
        counts["members"] = {row["values"]: row["counts"] for row in counted}
    return counts


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


def _judged(
    query_ids: Sequence[str],
    passage_ids: Sequence[str],
    judgements: Sequence[Judgements],
    ranked: Sequence[Ranked],
    metadata: dict[str, str],
) -> pa.Table:
    ranks = np.concatenate([one.judged_ranks for one in ranked]) if ranked else np.empty(0, np.int64)
    scores = _floats([one.judged_scores for one in ranked])
    columns = _rows(query_ids, passage_ids, [one.passages for one in judgements]) | {
        "relevance": _floats([one.relevance for one in judgements]),
        "score": pa.array(scores, pa.float32(), mask=np.isneginf(scores)),
        "rank": pa.array(ranks, pa.int32(), mask=ranks == 0),
    }
    return schemas.build(schemas.JUDGED, columns, metadata)


def _members(rows: dict[str, pa.Array], ranked: Sequence[Ranked], metadata: dict[str, str]) -> pa.Table | None:
    """Which teachers of a fusion proposed each row of its run, and where each had it."""
    names = sorted({name for one in ranked for name in one.members})
    if not names:
        return None
    parts = []
    for name in names:
        ranks = np.concatenate([one.members[name].ranks for one in ranked])
        proposed = np.flatnonzero(ranks)
        columns = {column: values.take(pa.array(proposed)) for column, values in rows.items()}
        columns["member"] = pa.array([name] * len(proposed), pa.string())
        columns["rank"] = pa.array(ranks[proposed], pa.int32())
        columns["score"] = pa.array(_floats([one.members[name].scores for one in ranked])[proposed], pa.float32())
        parts.append(pa.table(columns))
    return schemas.build(schemas.MEMBERS, pa.concat_tables(parts), metadata)


def _rows(query_ids: Sequence[str], passage_ids: Sequence[str], parts: Sequence[Ints]) -> dict[str, pa.Array]:
    """The query_id and passage_id columns of one part a query, passages given as indices."""
    counts = [len(part) for part in parts]
    queries = pa.array(np.repeat(np.arange(len(query_ids)), counts), pa.int64())
    return {
        "query_id": pa.array(query_ids, pa.string()).take(queries),
        "passage_id": pa.array(passage_ids, pa.string()).take(_flat(parts)),
    }


def _flat(parts: Iterable[Ints]) -> pa.Array:
    return pa.array(np.concatenate([np.empty(0, np.int64), *parts]), pa.int64())


def _floats(parts: Iterable[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.concatenate([np.empty(0, np.float32), *parts])
