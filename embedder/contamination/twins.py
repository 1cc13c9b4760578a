"""Teacher twins: candidates that a dense teacher cannot tell from a positive. A hint that they are relevant, no evidence.

How close is close differs between models: where all cosines are high, merely similar passages have 0.95. So every teacher
is measured by what it makes of known twins, the positives of one query.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from embedder import row_groups, schemas
from embedder.contamination.evidence import Bools, Pairs, is_in
from embedder.judged import index

LEAST = 0.95
# Of fewer queries no median says what a teacher makes of twins.
FEWEST = 20

_COLUMNS = ["query_id", "passage_id", "member", "cosine"]
_ROWS = 2**18


@dataclass(frozen=True)
class Twins:
    """What table `cosines` says.

    Attributes:
        thresholds: of each member of the run the cosine from which a passage is a twin; None where too few queries have
            known twins to tell.
        pairs: of a query and a passage that reaches it and is no known positive.
    """

    thresholds: Mapping[str, float | None]
    pairs: Pairs


def read(path: Path, query_ids: pa.Array, passage_ids: pa.Array, positives: Pairs) -> Twins:
    """Find the twins in table `cosines`; of it only positives and what is very close are held.

    Args:
        path: the table.
        query_ids: that pairs are indices into.
        passage_ids: likewise.
        positives: of all queries.
    """
    known = np.unique(positives.keys(len(passage_ids)))
    members: set[str] = set()
    of_positives, close = ([schemas.COSINES.schema.empty_table().select(_COLUMNS)] for _ in range(2))
    for rows in row_groups.whole_queries(row_groups.read(path, schemas.COSINES, _COLUMNS), _ROWS):
        members.update(pc.unique(rows["member"]).to_pylist())
        is_positive = is_in(_pairs(rows, query_ids, passage_ids).keys(len(passage_ids)), known)
        of_positives.append(rows.select(_COLUMNS).filter(pa.array(is_positive)))
        is_close = rows["cosine"].to_numpy() >= np.float32(LEAST)
        close.append(rows.select(_COLUMNS).filter(pa.array(is_close & ~is_positive)))
    limits, candidates = thresholds(pa.concat_tables(of_positives), sorted(members)), pa.concat_tables(close)
    found = candidates.filter(pa.array(_reaches(candidates, limits)))
    return Twins(limits, _pairs(found, query_ids, passage_ids))


def thresholds(positives: pa.Table, members: Sequence[str]) -> dict[str, float | None]:
    """Return of each member the cosine from which a passage is a twin: the median of known ones, and no less than LEAST.

    A query with many positives counts once, with the two that are closest: a candidate is compared with its closest
    positive too, and the stricter of two readings is the safer one.

    Args:
        positives: the rows of table `cosines` whose passage is itself a positive.
        members: of the run.
    """
    grouped = positives.group_by(["member", "query_id"], use_threads=False).aggregate([("cosine", "max")])
    found: dict[str, float | None] = {}
    for member in members:
        closest = grouped.filter(pc.equal(grouped["member"], member))["cosine_max"].to_numpy().astype(np.float64)
        found[member] = max(LEAST, float(np.median(closest))) if len(closest) >= FEWEST else None
    return found


def _pairs(rows: pa.Table, query_ids: pa.Array, passage_ids: pa.Array) -> Pairs:
    return Pairs(index(rows["query_id"], query_ids), index(rows["passage_id"], passage_ids))


def _reaches(rows: pa.Table, limits: Mapping[str, float | None]) -> Bools:
    """Say which rows reach the threshold of their member."""
    members = rows["member"].combine_chunks().dictionary_encode()
    least = [np.inf if (limit := limits[name]) is None else limit for name in members.dictionary.to_pylist()]
    wanted = np.array(least, dtype=np.float32)[members.indices.to_numpy()]
    return np.asarray(rows["cosine"].to_numpy() >= wanted)
