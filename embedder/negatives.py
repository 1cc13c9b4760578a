"""Which candidates may be negatives: of their query, and, where margins are about a row's own positive, of a row."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder import schemas
from embedder.decontamination import Contaminated
from embedder.filters import BIT, KEEP, too_close, within_margin
from embedder.params.models import Dataset, Filter

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Pool:
    """The candidates of a dataset as arrays, one entry a row of their table.

    Attributes:
        passage_ids: the distinct passages.
        passage: index into them.
        score: the teacher's.
        kept: no rule refuses it, and it is no positive.
        judged: judged not relevant.
        neither: graded between a negative and a positive.
        masked: not to count in a batch of its query either, and no positive of it.
        near_dev: a near copy of a dev text.
    """

    passage_ids: pa.Array
    passage: NDArray[np.int32]
    score: NDArray[np.float32]
    kept: Bools
    judged: Bools
    neither: Bools
    masked: Bools
    near_dev: Bools

    def ids(self, rows: Ints) -> list[str]:
        """The passages of some rows."""
        if not len(rows):
            return []
        names: list[str] = self.passage_ids.take(pa.array(self.passage[rows])).to_pylist()
        return names


def pool(candidates: pa.Table, judged: pa.Table, entry: Dataset, contaminated: Contaminated) -> Pool:
    """Look up what decides of each candidate whether it may be a negative.

    Args:
        candidates: table `candidates` of the judge stage.
        judged: table `judged` of the judge stage; what it relabelled is a positive, whatever the candidates say.
        entry: the dataset's entry.
        contaminated: passages that are near copies of dev texts.
    """
    # Numbers in place of strings: a passage is a candidate of many queries.
    encoded = candidates["passage_id"].combine_chunks().dictionary_encode()
    passage = np.asarray(encoded.indices.to_numpy())
    near_dev = pc.is_in(encoded.dictionary, pa.array(sorted(contaminated.passages), pa.string()))
    refused = candidates["refused_by"].to_numpy()
    is_negative, neither = _graded(candidates, entry)
    relabelled = _relabelled(candidates, judged)
    return Pool(
        passage_ids=encoded.dictionary,
        passage=passage,
        score=candidates["score"].to_numpy(),
        kept=np.asarray(pc.equal(candidates["verdict"], KEEP).to_numpy()) & ~relabelled,
        judged=is_negative,
        neither=neither,
        masked=((too_close(refused) & ((refused & BIT["is_positive"]) == 0)) | neither) & ~relabelled,
        near_dev=near_dev.to_numpy(zero_copy_only=False)[passage],
    )


def _graded(candidates: pa.Table, entry: Dataset) -> tuple[Bools, Bools]:
    """Say which candidates are judged negatives, and which are graded between a negative and a positive: neither."""
    relevance = pc.fill_null(candidates["relevance"], np.nan).to_numpy()
    below = relevance < np.float32(entry.positive_at)
    if entry.negative_at is None:
        return np.zeros(len(relevance), dtype=bool), below
    is_negative = relevance <= np.float32(entry.negative_at)
    return is_negative, below & ~is_negative


def _relabelled(candidates: pa.Table, judged: pa.Table) -> Bools:
    """Say which candidates the judge made positives."""
    out = np.zeros(candidates.num_rows, dtype=bool)
    made = judged.filter(judged["relabelled"])
    pairs = set(zip(made["query_id"].to_pylist(), made["passage_id"].to_pylist(), strict=True))
    rows = np.flatnonzero(pc.is_in(candidates["passage_id"], pc.unique(made["passage_id"])).to_numpy())
    found = candidates.select(["query_id", "passage_id"]).take(pa.array(rows)).to_pydict()
    out[rows] = [pair in pairs for pair in zip(found["query_id"], found["passage_id"], strict=True)]
    return out


class OwnMargin:
    """The margins to each row's own positive; with none, or about the query's lowest positive, they refuse nothing.

    Args:
        rules: those of the dataset.
        judged: table `judged` of the judge stage.
        entry: the dataset's entry.

    Attributes:
        applies: whether rows of one query may have different negatives.
    """

    def __init__(self, rules: Filter, judged: pa.Table, entry: Dataset) -> None:
        margins = (rules.absolute_margin, rules.relative_margin, rules.percentile_margin)
        self.applies = rules.reference == "own" and not entry.labelled and any(one is not None for one in margins)
        self._rules = rules
        self._score = pc.fill_null(judged["score"], np.nan).to_numpy().astype(np.float64)
        known = schemas.positives(judged.filter(pc.invert(judged["relabelled"])), entry.positive_at)["score"]
        self._scale = np.sort(known.drop_null().to_numpy().astype(np.float64))

    def refuses(self, found: Pool, rows: Ints, positive: int) -> Bools:
        """Say which candidates lie too close to a positive, a row of `judged`; judged negatives never do."""
        if not self.applies:
            return np.zeros(len(rows), dtype=bool)
        own = np.full(len(rows), self._score[positive])
        return within_margin(found.score[rows].astype(np.float64), own, self._scale, self._rules) & ~found.judged[rows]


class Reuse:
    """For how many queries each passage is a negative, and whether it may be one of one more.

    Args:
        most: the largest number; None for any.
        passages: how many there are.
    """

    def __init__(self, most: int | None, passages: int) -> None:
        self._most = most
        self._uses = np.zeros(passages if most else 0, dtype=np.int64)

    def used_up(self, passage: NDArray[np.int32]) -> Bools:
        """Say which passages are negatives of so many queries that no other may have them."""
        return np.zeros(len(passage), dtype=bool) if self._most is None else self._uses[passage] >= self._most

    def use(self, passage: NDArray[np.int32]) -> None:
        """Count the negatives of one query, each once."""
        if self._most is not None:
            self._uses[np.unique(passage)] += 1
