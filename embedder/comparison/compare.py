"""How runs and negatives of one dataset moved from one state of the project to another: tables in, figures out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder import schemas
from embedder.filters import KEEP

FIRST = 10

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
# Groups and their members, one entry a pair: queries and passages as integers that mean the same on both sides.
Pairs = tuple[Ints, Ints]


@dataclass(frozen=True)
class Mined:
    """What is compared of one state of a dataset; `shards` is None where nothing was materialised."""

    run: pa.Table
    judged: pa.Table
    candidates: pa.Table
    shards: pa.Table | None


@dataclass(frozen=True)
class Facts:
    """One side, over the queries of both.

    Attributes:
        kept: candidates with verdict keep, mean of a query.
        above: the share of kept candidates that score above the lowest positive; None where no score is known.
        positives: how many there are.
        within: the share of positives within the run's depth; None without positives.
        median_rank: of a positive; infinite where half of them or more lie beyond depth, None without positives.
        mean_rank: of the positives within depth; None where there are none.
    """

    kept: float
    above: float | None
    positives: int
    within: float | None
    median_rank: float | None
    mean_rank: float | None


@dataclass(frozen=True)
class Move:
    """A query whose kept candidates changed: what came in and what left, best rank first."""

    query_id: str
    shared: float
    came: tuple[tuple[int, str], ...]
    left: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class Comparison:
    """What moved between two states.

    Attributes:
        both: queries mined in both.
        only_before: queries mined before alone.
        only_after: queries mined after alone.
        before: figures of the first state.
        after: figures of the second.
        shared: by name the mean overlap of what the two states have of a query, see `overlaps`; None where neither
            has anything.
        moves: the queries whose kept candidates changed most, the most changed first, ties by query_id.
        changed: how many queries have other kept candidates.
    """

    both: int
    only_before: int
    only_after: int
    before: Facts
    after: Facts
    shared: Mapping[str, float | None]
    moves: Sequence[Move]
    changed: int


def compare(before: Mined, after: Mined, positive_at: float, most: int) -> Comparison:
    """Compare two states of a dataset.

    Args:
        before: the first.
        after: the second.
        positive_at: the relevance of a positive, on both sides.
        most: how many moves are told.
    """
    old, new = pc.unique(before.judged["query_id"]), pc.unique(after.judged["query_id"])
    both = old.filter(pc.is_in(old, new)).sort()
    kept = _kept(before.candidates, both), _kept(after.candidates, both)
    overlap = overlaps(*_pairs(*kept, both), len(both))
    return Comparison(
        both=len(both),
        only_before=len(old) - len(both),
        only_after=len(new) - len(both),
        before=facts(before, both, positive_at),
        after=facts(after, both, positive_at),
        shared={
            f"first {FIRST} of the run": _mean(overlaps(*_pairs(_first(before), _first(after), both), len(both))),
            "the whole run": _mean(overlaps(*_pairs(before.run, after.run, both), len(both))),
            "kept candidates": _mean(overlap),
            "negatives in the shards": _shared_negatives(before.shards, after.shards),
        },
        moves=[_move(both[i].as_py(), overlap[i], *kept) for i in most_changed(overlap, most)],
        changed=int(np.count_nonzero(overlap < 1)),
    )


def overlaps(before: Pairs, after: Pairs, groups: int) -> Floats:
    """Return for each group the Jaccard overlap of its members: shared by both sides / on either side.

    Args:
        before: group and member of each pair; no pair twice.
        after: the same of the other side.
        groups: how many there are.

    Returns:
        [groups] 1 where both sides have the same members, 0 where they share none, NaN where neither has any.
    """
    width = 1 + max((int(members.max()) for _, members in (before, after) if len(members)), default=0)
    old, new = (group * width + member for group, member in (before, after))
    shared = np.bincount(np.intersect1d(old, new, assume_unique=True) // width, minlength=groups)
    either = np.bincount(before[0], minlength=groups) + np.bincount(after[0], minlength=groups) - shared
    out = np.full(groups, np.nan)
    np.divide(shared, either, out=out, where=either > 0)
    return out


def most_changed(overlap: Floats, most: int) -> list[int]:
    """Return up to `most` indices of overlaps below 1, the smallest first, ties by index."""
    changed = np.flatnonzero(overlap < 1)
    order = changed[np.argsort(overlap[changed], kind="stable")][:most]
    return [int(i) for i in order]


def facts(mined: Mined, query_ids: pa.Array, positive_at: float) -> Facts:
    """Count what one side says of some queries."""
    kept = _kept(mined.candidates, query_ids)
    scored = kept.filter(pc.is_valid(kept["positive_score"]))
    above = pc.sum(pc.greater(scored["score"], scored["positive_score"])).as_py()
    positives = schemas.positives(_of(mined.judged, query_ids), positive_at)["rank"]
    ranks = positives.drop_null().to_numpy()
    deep = np.append(ranks, np.full(positives.null_count, np.inf))
    return Facts(
        kept=kept.num_rows / max(len(query_ids), 1),
        above=above / scored.num_rows if scored.num_rows else None,
        positives=len(deep),
        within=len(ranks) / len(deep) if len(deep) else None,
        median_rank=_median(deep),
        mean_rank=float(ranks.mean()) if len(ranks) else None,
    )


def _median(ranks: Floats) -> float | None:
    """The lower of the middle two, for half a rank is none."""
    return float(np.sort(ranks)[(len(ranks) - 1) // 2]) if len(ranks) else None


def _move(query_id: str, shared: float, before: pa.Table, after: pa.Table) -> Move:
    old, new = (_ranked(table, query_id) for table in (before, after))
    return Move(query_id, float(shared), _missing(new, old), _missing(old, new))


def _ranked(kept: pa.Table, query_id: str) -> dict[str, int]:
    rows = kept.filter(pc.equal(kept["query_id"], query_id))
    return dict(zip(rows["passage_id"].to_pylist(), rows["rank"].to_pylist(), strict=True))


def _missing(ranks: Mapping[str, int], other: Collection[str]) -> tuple[tuple[int, str], ...]:
    return tuple(sorted((rank, passage) for passage, rank in ranks.items() if passage not in other))


def _kept(candidates: pa.Table, query_ids: pa.Array) -> pa.Table:
    return _of(candidates.filter(pc.equal(candidates["verdict"], KEEP)), query_ids)


def _first(mined: Mined) -> pa.Table:
    return mined.run.filter(pc.less_equal(mined.run["rank"], FIRST))


def _of(rows: pa.Table, query_ids: pa.Array) -> pa.Table:
    return rows.filter(pc.is_in(rows["query_id"], query_ids))


def _pairs(before: pa.Table, after: pa.Table, query_ids: pa.Array) -> tuple[Pairs, Pairs]:
    before, after = _of(before, query_ids), _of(after, query_ids)
    passage_ids = _either(before["passage_id"], after["passage_id"])
    old, new = (
        (_numbers(rows["query_id"], query_ids), _numbers(rows["passage_id"], passage_ids)) for rows in (before, after)
    )
    return old, new


def _shared_negatives(before: pa.Table | None, after: pa.Table | None) -> float | None:
    """The mean overlap of the negatives of a query and positive that are in both; None where there are none."""
    if before is None or after is None:
        return None
    names = {name: _either(before[name], after[name]) for name in ("query_id", "positive_id")}
    old, new = (
        _numbers(rows["query_id"], names["query_id"]) * len(names["positive_id"])
        + _numbers(rows["positive_id"], names["positive_id"])
        for rows in (before, after)
    )
    both = np.intersect1d(old, new)
    negatives = _either(*(pc.list_flatten(rows["negative_ids"]) for rows in (before, after)))
    exploded = [_exploded(rows, key, both, negatives) for rows, key in ((before, old), (after, new))]
    return _mean(overlaps(exploded[0], exploded[1], len(both)))


def _exploded(rows: pa.Table, key: Ints, both: Ints, negatives: pa.Array) -> Pairs:
    shared = np.isin(key, both)
    lists = rows["negative_ids"].filter(pa.array(shared))
    row = np.repeat(np.searchsorted(both, key[shared]), pc.list_value_length(lists).to_numpy())
    return row.astype(np.int64), _numbers(pc.list_flatten(lists), negatives)


def _either(before: pa.ChunkedArray, after: pa.ChunkedArray) -> pa.Array:
    return pc.unique(pa.chunked_array([*before.chunks, *after.chunks], pa.string()))


def _numbers(ids: pa.ChunkedArray, names: pa.Array) -> Ints:
    return np.asarray(pc.index_in(ids, names).to_numpy(), dtype=np.int64)


def _mean(values: Floats) -> float | None:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None
