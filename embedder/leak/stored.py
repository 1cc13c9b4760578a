"""A filtered dataset read back, as far as rules can be asked again of it: no texts, no teacher."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder import layout, row_groups, schemas
from embedder.errors import EmbedderError, TableError
from embedder.filters import BIT, Candidates
from embedder.judged import positives_above
from embedder.leak import left_out
from embedder.leak.kept import take
from embedder.leak.left_out import Ints, LeftOut
from embedder.params.models import Dataset, Filter

_COLUMNS = ("query_id", "rank", "score", "relevance", "refused_by")
_SAME = ("teacher", "revision", "depth", "rules")
_ROWS = 2**17
# Queries may have no candidates at all.
_QUERIES = 2**14


@dataclass(frozen=True)
class Part:
    """Some whole queries: of each candidate the query as an index, what rules ask, and the rules that refused it."""

    of: Ints
    candidates: Candidates
    refused_by: NDArray[np.int32]
    left: LeftOut


class Stored:
    """What the filter wrote of a dataset, and the judge if there is one.

    Attributes:
        made_by: what made the candidates: teacher, revision, depth, window, judge.
        rules: those that applied.
        query_ids: the mined queries, sorted.
        left: all positives.

    Raises:
        EmbedderError: a label task: its labels have no window, margins or near copies.
        TableError: a table is missing, of another run, or older than this version.
    """

    def __init__(self, dataset: str, entry: Dataset) -> None:
        if entry.labelled:
            raise EmbedderError(f"dataset '{dataset}' is a {entry.task} task, and labels are kept whatever the rules")
        self._negative_at = entry.negative_at
        judged = layout.table("judge", dataset, "candidates")
        filtered = layout.table("filter", dataset, "candidates")
        self._table = schemas.JUDGED_CANDIDATES if judged.exists() else schemas.CANDIDATES
        self._path = judged if judged.exists() else filtered
        self.made_by = schemas.metadata(schemas.peek(self._path, self._table))
        if "rules" not in self.made_by:
            raise TableError(f"{self._path}: made by an older version; run dvc repro filter@{dataset}")
        self.rules = Filter.model_validate_json(self.made_by["rules"])
        same = {name: self.made_by[name] for name in _SAME if name in self.made_by}
        rows = schemas.read(layout.table("filter", dataset, "left_out"), schemas.LEFT_OUT, same)
        ids = pc.unique(rows["query_id"])
        self._ids, self.query_ids, self.left = ids, ids.to_pylist(), left_out.read(rows, ids)

    def parts(self, rows: int = _ROWS) -> Iterator[Part]:
        """Yield candidates and positives, about `rows` rows and at most `_QUERIES` queries at a time, each query whole."""
        ends = np.searchsorted(self.left.query, np.arange(len(self.query_ids) + 1))
        lowest, highest = (
            ufunc.reduceat(self.left.score, ends[:-1]) if len(ends) > 1 else np.empty(0)
            for ufunc in (np.minimum, np.maximum)
        )
        scale, first = known_scores(self.left), 0
        for table in row_groups.whole_queries(row_groups.read(self._path, self._table, _COLUMNS), rows):
            of = pc.index_in(table["query_id"], self._ids).to_numpy().astype(np.int64)
            next_one = int(of[-1]) + 1
            candidates = _candidates(table, of, self._negative_at, (lowest[of], highest[of], scale))
            whole = Part(of, candidates, table["refused_by"].to_numpy(), self.left)
            yield from _cut(whole, ends, first, next_one)
            first = next_one
        nothing = self.left.take(np.empty(0, np.int64))
        rest = Part(nothing.query, nothing.candidates(scale), nothing.refused_by, self.left)
        yield from _cut(rest, ends, first, len(self.query_ids))


def _cut(whole: Part, ends: Ints, first: int, last: int) -> Iterator[Part]:
    """Cut the queries from `first` to before `last` apart; positives of query i are those from `ends[i]` on."""
    for start in range(first, last, _QUERIES):
        end = min(start + _QUERIES, last)
        rows = np.arange(*np.searchsorted(whole.of, [start, end]))
        left = whole.left.take(np.arange(ends[start], ends[end]))
        yield Part(whole.of[rows], take(whole.candidates, rows), whole.refused_by[rows], left)


def known_scores(left: LeftOut) -> NDArray[np.float64]:
    """Return the scores of positives that have one, ascending: what percentiles are of."""
    return np.sort(left.score[~np.isnan(left.score)])


def _candidates(
    table: pa.Table,
    of: Ints,
    negative_at: float | None,
    scores: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
) -> Candidates:
    """`scores`: of each row's query the lowest and the highest positive's, and all positives'."""
    refused_by = table["refused_by"].to_numpy()
    is_positive = (refused_by & BIT["is_positive"]) != 0
    relevance = pc.fill_null(table["relevance"], np.nan).to_numpy()
    return Candidates(
        rank=table["rank"].to_numpy().astype(np.int64),
        score=table["score"].to_numpy().astype(np.float64),
        positive_score=scores[0],
        highest_score=scores[1],
        positives_above=positives_above(of, is_positive),
        is_positive=is_positive,
        is_negative=np.zeros(len(of), dtype=bool) if negative_at is None else relevance <= np.float32(negative_at),
        same_text=(refused_by & BIT["same_text_as_query"]) != 0,
        held_out=(refused_by & BIT["held_out"]) != 0,
        near_copy=(refused_by & BIT["duplicates_positive"]) != 0,
        scale=scores[2],
    )
