"""The closest positive of each mined passage, other than itself, by the vectors of dense teachers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder import schemas, teachers
from embedder.judged import Ints, Judged, index
from embedder.params.models import Dataset
from embedder.teachers import Teacher

# Of a row and a positive, in memory at once: some 1 GB.
_PAIRS = 2**23


@dataclass(frozen=True)
class Closest:
    """The table `cosines`, or the reason why there is none; neither where nobody wanted it."""

    table: pa.Table | None = None
    reason: str = ""

    def report(self) -> dict[str, object]:
        """Return what report.json says of it."""
        if self.table is not None:
            return {"cosines": self.table.num_rows}
        return {"cosines": None, "no_cosines": self.reason} if self.reason else {}


def closest_positives(
    teacher: Teacher, run: pa.Table, judged: pa.Table, passage_ids: Sequence[str], entry: Dataset
) -> Closest:
    """Find for each row of a run the closest positive of its query, other than itself, ties by positive_id.

    A query's only positive has no row: left out, it has no other to be a near copy of.

    Args:
        teacher: has made the run; nothing is encoded for this.
        run: table `run`.
        judged: table `judged` of the same run.
        passage_ids: sorted.
        entry: the dataset's entry.
    """
    if entry.labelled:
        return Closest(reason="labels and examples of labels have no near copies")
    members = teachers.cosines(teacher)
    if not members:
        return Closest(reason="the teacher makes no vectors of passages")
    ids, query_ids = pa.array(passage_ids, pa.string()), pc.unique(judged["query_id"])
    known = Judged(judged, query_ids, ids, entry.positive_at)
    query, passage = index(run["query_id"], query_ids), index(run["passage_id"], ids)
    parts = [schemas.COSINES.schema.empty_table()]
    for rows in _parts(query, known):
        row, positive = known.beside_positives(query, rows)
        other = passage[row] != positive
        row, positive = row[other], positive[other]
        for member, compare in members.items():
            cosines = compare(passage[row], positive)
            best = _best(row, cosines)
            columns = {
                "query_id": run["query_id"].take(pa.array(row[best])),
                "passage_id": run["passage_id"].take(pa.array(row[best])),
                "member": pa.array([member] * len(best), pa.string()),
                "positive_id": ids.take(pa.array(positive[best])),
                "cosine": pa.array(cosines[best], pa.float32()),
            }
            parts.append(schemas.conform(schemas.COSINES, columns))
    return Closest(schemas.build(schemas.COSINES, pa.concat_tables(parts), schemas.metadata(run)))


def _parts(query: Ints, known: Judged) -> Iterator[Ints]:
    """Cut the rows, of which `query` has the queries, where their pairs with positives become too many to hold."""
    positives = known.query[known.positives_of(0, len(known.lowest))]
    pairs = np.cumsum(np.bincount(positives, minlength=len(known.lowest))[query])
    for part in np.split(np.arange(len(query)), np.flatnonzero(np.diff(pairs // _PAIRS)) + 1):
        if len(part):
            yield part


def _best(row: Ints, cosines: NDArray[np.float32]) -> Ints:
    """Return the pair of the largest cosine of each row, the first of equal ones: positives ascend within a row."""
    starts = np.flatnonzero(np.diff(row, prepend=-1))
    counts = np.diff(np.append(starts, len(row)))
    largest = np.flatnonzero(cosines == np.repeat(np.maximum.reduceat(cosines, starts), counts))
    return largest[np.flatnonzero(np.diff(row[largest], prepend=-1))]
