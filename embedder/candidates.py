"""From a run to candidates with verdicts, block by block: what the rules need to know of each row, in arrays."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from embedder import languages, row_groups, schemas
from embedder.filters import ON_SCORES, SETTINGS, VERDICTS, Candidates, refusals, verdicts
from embedder.judged import Judged, index, positives_above
from embedder.near_copies import Shingles, are_similar, shingle
from embedder.params.models import Dataset, Filter
from embedder.texts import normalise, passage_text

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BLOCK_ROWS = 2**17
# Queries may have no candidates at all, and positives nevertheless.
_QUERIES = 2**14

OFF_FOR_LABELS = ("min_rank", "max_rank", *ON_SCORES, "near_copy_jaccard", "near_copy_cosine")


@dataclass(frozen=True)
class Positives:
    """The positives of a block's queries, each as the candidate that it would be, had nobody judged it.

    Attributes:
        query: [n] ascending indices into the mined queries.
        passage: [n] indices into the corpus.
        rank: [n] in the run; 0 beyond its depth.
        score: [n] NaN where the teacher gave none.
        refused_by: [n] the bits of the rules that refuse it whatever the window, the scores and the margins are.
    """

    query: Ints
    passage: Ints
    rank: Ints
    score: NDArray[np.float64]
    refused_by: NDArray[np.int32]


@dataclass(frozen=True)
class Block:
    """Some whole queries of a run, one entry a row, in order.

    Attributes:
        query: [rows] ascending indices into the mined queries.
        passage: [rows] indices into the corpus.
        candidates: what the rules ask.
        refused_by: [rows] what they say.
        positives: of the same queries, those included of which nothing was retrieved.
        table: the rows as table `candidates`.
    """

    query: Ints
    passage: Ints
    candidates: Candidates
    refused_by: NDArray[np.int32]
    positives: Positives
    table: pa.Table


class Filtering:
    """A dataset's texts and judgements, looked up once; the blocks of its run pass through one at a time.

    Args:
        queries: table `queries`; only texts are read.
        corpus: table `corpus`.
        judged: table `judged` of the run.
        held_out: ids of the passages that are positives of dev queries.
        entry: the dataset's entry; label tasks have neither window nor margins nor near copies.
        rules: the rules that apply to it.
        cosines: table `cosines` of the run, where mine wrote it.

    Attributes:
        query_ids: the mined queries, sorted.
        passage_ids: of the corpus, sorted.
        query_texts: of the mined queries.
        judged: their judgements.
        shingles: of the corpus; None of labels.
        rules: those that apply, without what label tasks don't have.
        rules_without_data: the names of those that refuse nothing, as mine did not write what they ask for.
    """

    def __init__(
        self,
        queries: pa.Table,
        corpus: pa.Table,
        judged: pa.Table,
        held_out: pa.Array,
        entry: Dataset,
        rules: Filter,
        cosines: Path | None = None,
    ) -> None:
        self.rules = rules.model_copy(update=dict.fromkeys(OFF_FOR_LABELS)) if entry.labelled else rules
        self._entry, self._cosines = entry, cosines
        asked = self.rules.near_copy_cosine is not None and cosines is None
        self.rules_without_data = ["near_copy_cosine"] if asked else []
        self.query_ids = pc.unique(judged["query_id"])
        self.passage_ids = corpus["passage_id"].combine_chunks()
        self.judged = Judged(judged, self.query_ids, self.passage_ids, entry.positive_at)
        self.query_texts: list[str] = queries["text"].take(pc.index_in(self.query_ids, queries["query_id"])).to_pylist()
        columns = corpus.select(["title", "text"]).to_pydict().values()
        texts = [passage_text(*row) for row in zip(*columns, strict=True)]
        self._says = _numbered(self.query_texts, texts)
        self._held_out = np.asarray(pc.is_in(self.passage_ids, held_out).to_numpy(zero_copy_only=False))
        self.shingles: Shingles | None = None
        if not entry.labelled:
            self.shingles = shingle(texts, languages.of(entry.language).unit, rules.near_copy_size)

    def blocks(self, run: Iterable[pa.RecordBatch], rows: int = BLOCK_ROWS) -> Iterator[Block]:
        """Yield the run's queries with their verdicts, about `rows` rows and at most `_QUERIES` queries at a time.

        No query is cut in two.
        """
        first = 0
        for table in row_groups.whole_queries(run, rows):
            query = index(table["query_id"], self.query_ids)
            last = int(query[-1]) + 1
            yield from self._cut(table, query, first, last)
            first = last
        yield from self._cut(schemas.RUN.schema.empty_table(), np.empty(0, np.int64), first, len(self.query_ids))

    def _cut(self, run: pa.Table, query: Ints, first: int, last: int) -> Iterator[Block]:
        for start in range(first, last, _QUERIES):
            end = min(start + _QUERIES, last)
            rows = slice(*np.searchsorted(query, [start, end]).tolist())
            yield self._block(run.slice(rows.start, rows.stop - rows.start), query[rows], start, end)

    def _block(self, run: pa.Table, query: Ints, first: int, last: int) -> Block:
        passage = index(run["passage_id"], self.passage_ids)
        close = self._close(first, last)
        candidates = self._candidates(run, query, passage, close)
        refused_by = refusals(candidates, self.rules)
        relevance = self.judged.relevance(query, passage)
        lowest = candidates.positive_score
        columns = {
            **{name: run[name] for name in schemas.RUN.schema.names},
            "relevance": pa.array(relevance, pa.float32(), mask=np.isnan(relevance)),
            "positive_score": pa.array(lowest, pa.float32(), mask=np.isnan(lowest)),
            "margin": pa.array(candidates.margin, pa.float32(), mask=np.isnan(lowest)),
            "verdict": pa.array(VERDICTS).take(pa.array(verdicts(refused_by))),
            "refused_by": pa.array(refused_by, pa.int32()),
        }
        positives = self._positives(first, last, close)
        return Block(query, passage, candidates, refused_by, positives, schemas.conform(schemas.CANDIDATES, columns))

    def _candidates(self, run: pa.Table, query: Ints, passage: Ints, close: Ints) -> Candidates:
        relevance = self.judged.relevance(query, passage)
        is_positive = relevance >= np.float32(self._entry.positive_at)
        near_copy = self._near_copies(query, passage, ~is_positive) | np.isin(self._pairs(query, passage), close)
        return Candidates(
            rank=run["rank"].to_numpy().astype(np.int64),
            score=run["score"].to_numpy().astype(np.float64),
            positive_score=self.judged.lowest[query],
            highest_score=self.judged.highest[query],
            positives_above=positives_above(query, is_positive),
            is_positive=is_positive,
            is_negative=at_most(relevance, self._entry.negative_at),
            same_text=self._says[0][query] == self._says[1][passage],
            held_out=self._held_out[passage],
            near_copy=near_copy & ~is_positive,
            scale=self.judged.scale,
        )

    def _positives(self, first: int, last: int, close: Ints) -> Positives:
        """Return the positives of the queries from `first` to before `last`, without themselves.

        Those beyond the run's depth have no cosines, and are kept by no rules either.
        """
        rows = self.judged.positives_of(first, last)
        query, passage = self.judged.query[rows], self.judged.passage[rows]
        nothing = np.zeros(len(rows))
        no = nothing.astype(bool)
        alone = Candidates(
            *(nothing.astype(np.int64), nothing, nothing, nothing, nothing.astype(np.int64), no, no),
            same_text=self._says[0][query] == self._says[1][passage],
            held_out=self._held_out[passage],
            near_copy=self._near_copies(query, passage, ~no) | np.isin(self._pairs(query, passage), close),
            scale=self.judged.scale,
        )
        fixed = [name for name in _FIXED if name != "is_positive"]
        score = self.judged.score[rows]
        return Positives(
            query,
            passage,
            self.judged.rank[rows],
            np.where(np.isneginf(score), np.nan, score),
            refusals(alone, self.rules, fixed),
        )

    def _near_copies(self, query: Ints, passage: Ints, asked: Bools) -> Bools:
        """Say which of the rows asked for are near copies of any positive of their query, other than themselves."""
        out = np.zeros(len(query), dtype=bool)
        if self.shingles is None or self.rules.near_copy_jaccard is None:
            return out
        row, other = self.judged.beside_positives(query, np.flatnonzero(asked))
        apart = passage[row] != other
        row, other = row[apart], other[apart]
        out[row[are_similar(self.shingles, passage[row], other, self.rules.near_copy_jaccard)]] = True
        return out

    def _close(self, first: int, last: int) -> Ints:
        """Return the pairs that a dense teacher has as close to a positive as `near_copy_cosine`, other than itself."""
        least = self.rules.near_copy_cosine
        if least is None or self._cosines is None:
            return np.empty(0, np.int64)
        names = (pc.field("query_id") >= self.query_ids[first], pc.field("query_id") <= self.query_ids[last - 1])
        close = pc.field("cosine") >= pa.scalar(least, pa.float32())
        found = pq.read_table(self._cosines, columns=["query_id", "passage_id"], filters=names[0] & names[1] & close)
        return self._pairs(index(found["query_id"], self.query_ids), index(found["passage_id"], self.passage_ids))

    def _pairs(self, query: Ints, passage: Ints) -> Ints:
        """Number pairs of a query and a passage."""
        return query * len(self.passage_ids) + passage


_FIXED = [name for name in VERDICTS[:-1] if name not in SETTINGS]


def made_by(run: pa.Schema, rules: Filter) -> dict[str, str]:
    """Return what table `candidates` says of itself: what the run does, the window, and all rules as JSON."""
    return schemas.metadata(run.empty_table()) | {"window": _window(rules), "rules": rules.model_dump_json()}


def judge_candidates(
    run: pa.Table,
    judged: pa.Table,
    queries: pa.Table,
    corpus: pa.Table,
    held_out: pa.Array,
    entry: Dataset,
    rules: Filter,
    rows: int = BLOCK_ROWS,
) -> pa.Table:
    """Give every row of a run that is held in memory its verdict, as `Filtering` does; return table `candidates`."""
    filtering = Filtering(queries, corpus, judged, held_out, entry, rules)
    found = [block.table for block in filtering.blocks(run.to_batches(), rows)]
    table = pa.concat_tables([schemas.CANDIDATES.schema.empty_table(), *found])
    return schemas.build(schemas.CANDIDATES, table, made_by(run.schema, filtering.rules))


def _numbered(queries: list[str], passages: list[str]) -> tuple[Ints, Ints]:
    """Number the texts so that equal ones, once normalised, have one number."""
    numbers: dict[str, int] = {}
    both = [
        np.array([numbers.setdefault(normalise(text), len(numbers)) for text in texts], dtype=np.int64)
        for texts in (queries, passages)
    ]
    return both[0], both[1]


def at_most(relevance: NDArray[np.float32], bound: float | None) -> Bools:
    """Say which grades are known and no higher than `bound`; None: none is."""
    return np.zeros(len(relevance), dtype=bool) if bound is None else relevance <= np.float32(bound)


def _window(rules: Filter) -> str:
    if rules.min_rank is None and rules.max_rank is None:
        return "none"
    return f"{rules.min_rank or 1}-{rules.max_rank or ''} {rules.counted}"
