"""Which rows a person is shown: of some queries those that tell most, and the kept candidates that look most relevant."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder.filters import BIT

Ints = NDArray[np.int64]

KEPT, REFUSED, POSITIVES = 8, 4, 4
_POSITIVE = BIT["is_positive"]
# Refused for what they say: what a person wants to see first.
_CLOSE = BIT["duplicates_positive"] | BIT["judge_says_relevant"]
# What no judge looked at: the smallest margin, without margins the highest score. Then what a judge called not relevant.
_HARDEST = (
    ("judged", "ascending"),
    ("judge_score", "descending"),
    ("margin", "ascending"),
    ("score", "descending"),
    ("query_id", "ascending"),
    ("rank", "ascending"),
)


def shown_candidates(rows: pa.Table) -> pa.Table:
    """Keep of each query its best-ranked kept and refused candidates, near copies of a positive before others.

    Args:
        rows: all candidates of some queries, sorted by query_id and rank.
    """
    refused_by, rank = rows["refused_by"].to_numpy(), rows["rank"].to_numpy()
    group = np.where(refused_by == 0, 0, np.where(refused_by & _POSITIVE, 2, 1))
    far = (refused_by & _CLOSE) == 0
    limits = np.array([KEPT, REFUSED, 0])
    return rows.filter(pa.array(first(numbers(rows), group, (far, rank), limits)))


def shown_positives(rows: pa.Table) -> pa.Table:
    """Keep of each query the positives that score highest; those without a score come last.

    Args:
        rows: all positives of some queries, sorted by query_id.
    """
    score = np.nan_to_num(rows["score"].to_numpy().astype(np.float64), nan=-np.inf)
    group = np.zeros(rows.num_rows, dtype=np.int64)
    return rows.filter(pa.array(first(numbers(rows), group, (-score,), np.array([POSITIVES]))))


def first(query: Ints, group: Ints, order: tuple[NDArray[np.generic], ...], limits: Ints) -> NDArray[np.bool_]:
    """Choose of each query and group the first rows in an order.

    Args:
        query: [rows] the query of each row.
        group: [rows] its group.
        order: keys of [rows], the first decides.
        limits: [groups] how many to choose.
    """
    sorted_rows = np.lexsort((*reversed(order), group, query))
    whole = query[sorted_rows] * len(limits) + group[sorted_rows]
    starts = np.flatnonzero(np.diff(whole, prepend=-1))
    place = np.arange(len(whole)) - np.repeat(starts, np.diff(np.append(starts, len(whole))))
    chosen = np.zeros(len(query), dtype=bool)
    chosen[sorted_rows[place < limits[group[sorted_rows]]]] = True
    return chosen


def numbers(rows: pa.Table) -> Ints:
    """Number the queries of a table in the order in which they appear."""
    return np.asarray(rows["query_id"].combine_chunks().dictionary_encode().indices.to_numpy(), dtype=np.int64)


def hardest(rows: pa.Table, most: int, *, final: bool = False) -> pa.Table:
    """Keep the kept candidates that are most likely relevant, one a query, hardest first, as `show --worst` does.

    What somebody graded is known not to be; what a judge scored and did not refuse comes last. The hardest of parts hold
    the hardest of the whole.

    Args:
        rows: candidates.
        most: how many.
        final: whether the judge's word is not doubted, as a person's is: what it scored is left out.
    """
    guessed = rows.filter(pc.is_null(rows["relevance"]))
    kept = guessed.filter(pa.array(guessed["refused_by"].to_numpy() == 0))
    judged = pc.is_valid(kept["judge_score"])
    if final:
        kept, judged = kept.filter(pc.invert(judged)), judged.filter(pc.invert(judged))
    best = kept.append_column("judged", judged).sort_by(list(_HARDEST)).drop_columns("judged")
    _, firsts = np.unique(numbers(best), return_index=True)
    return best.take(pa.array(np.sort(firsts)[:most]))
