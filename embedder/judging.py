"""What becomes of candidates, judgements and sample by a judge's scores."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from embedder import schemas
from embedder.asked import IDS, Asked, Bools, Floats, Ints, Tables, take
from embedder.filters import BIT
from embedder.near_copies import are_similar, shingle
from embedder.params.models import Filter

_RELEVANT, _COPY = "judge_says_relevant", "duplicates_positive"
MARGINS_STAY = (
    "near copies of what the judge made positives are refused; margins about the lowest positive and near_copy_cosine are "
    "not asked again: a negative may score higher than such a positive"
)


@dataclass(frozen=True)
class Said:
    """What a judge said of the pairs that it was asked about.

    Attributes:
        scores: [pairs] NaN where there is none.
        failed: which pairs were asked about in vain.
        threshold: the score from which a passage is relevant; None where there are no scores.
    """

    scores: Floats
    failed: Ints
    threshold: float | None

    def calls_relevant(self, scores: Floats) -> Bools:
        """Say which scores reach the threshold, as exact as a score is; NaN does not."""
        return np.asarray(scores >= np.float32(np.inf if self.threshold is None else self.threshold))


@dataclass(frozen=True)
class Judged:
    """What a judge leaves.

    Attributes:
        candidates: table `candidates` of the judge.
        judged: table `judged` of the judge.
        labels: table `labels`.
        counts: of candidates; they add up.
    """

    candidates: pa.Table
    judged: pa.Table
    labels: pa.Table
    counts: Mapping[str, int]


def relevant(tables: Tables, asked: Asked, said: Said) -> Bools:
    """Say which candidates the judge refuses: kept ones it calls relevant, but no judged negative."""
    return tables.kept & ~tables.negative & said.calls_relevant(take(said.scores, asked.candidates))


def near_copies(
    tables: Tables,
    refused: Bools,
    rules: Filter,
    unit: Literal["word", "character"],
    texts: Callable[[Collection[str]], Mapping[str, str]],
) -> Bools:
    """Say which other kept candidates are near copies of one of their query that the judge refuses.

    What is as good as a relevant passage is relevant, so the filter's rule on near copies is asked again, as it is
    there: of judged negatives too.

    Args:
        tables: what was judged.
        refused: [rows of candidates] what `relevant` returned.
        rules: those of the filter.
        unit: what shingles are made of in the dataset's language.
        texts: returns passages' joined texts by their ids; only those to be compared are asked for.
    """
    out = np.zeros(len(refused), bool)
    if rules.near_copy_jaccard is None or not refused.any():
        return out
    row, other = _beside(tables.candidates["query_id"], tables.kept & ~refused, refused)
    passage = tables.candidates["passage_id"]
    ids = pc.unique(passage.take(pa.array(np.concatenate([row, other]))))
    found = texts(ids.to_pylist())
    shingles = shingle([found[name] for name in ids.to_pylist()], unit, rules.near_copy_size)
    left, right = (pc.index_in(passage.take(pa.array(rows)), ids).to_numpy().astype(np.int64) for rows in (row, other))
    out[row[are_similar(shingles, left, right, rules.near_copy_jaccard)]] = True
    return out


def apply(tables: Tables, asked: Asked, said: Said, copies: Bools, *, relabel: bool, judge: str) -> Judged:
    """Refuse the kept candidates that a judge calls relevant, and write its scores beside all that it was asked about.

    Of near copies of those the verdict is `duplicates_positive`. A judged negative keeps its verdict, whatever the judge
    says of it. A pair without a score is never refused for one. Margins are not asked again: where they are about the
    query's lowest positive, a kept candidate may score higher than a passage that is made a positive here.

    Args:
        tables: what was judged.
        asked: the pairs that were asked about.
        said: what the judge said of them.
        copies: [rows of candidates] what `near_copies` returned.
        relabel: whether what is called relevant becomes a positive.
        judge: the name of its entry.
    """
    refused = relevant(tables, asked, said)
    new = tables.candidates.append_column("judge_score", _nullable(take(said.scores, asked.candidates)))
    return Judged(
        _candidates(tables, asked, said.scores, {_RELEVANT: refused, _COPY: copies}, judge),
        _judgements(tables, take(said.scores, asked.judged), new.filter(pa.array(refused & relabel)), judge),
        labels(tables.sample, asked.sample, said),
        _counts(tables, asked, said, refused, copies) | {"relabelled": int(refused.sum()) if relabel else 0},
    )


def labels(sample: pa.Table, asked: Ints, said: Said) -> pa.Table:
    """Make table `labels` of the rows of a sample that were asked about.

    Args:
        sample: the table.
        asked: [rows] the index of each row into the pairs, -1 where it was not asked about.
        said: what the judge said of the pairs.
    """
    found = take(said.scores, asked)
    calls = pa.array(said.calls_relevant(found), mask=np.isnan(found))
    columns = {name: sample[name] for name in schemas.SAMPLE.schema.names}
    every = pa.table({**columns, "judge_score": _nullable(found), "relevant": calls})
    return schemas.build(schemas.LABELS, every.filter(pa.array(asked >= 0)), schemas.metadata(sample))


def _beside(query: pa.ChunkedArray, these: Bools, those: Bools) -> tuple[Ints, Ints]:
    """Pair each of these rows with each of those of its query."""
    left, right = (
        pa.table({"query_id": query.filter(pa.array(of)), name: np.flatnonzero(of)})
        for name, of in (("row", these), ("other", those))
    )
    joined = left.join(right, "query_id", join_type="inner")
    return joined["row"].to_numpy(), joined["other"].to_numpy()


def _nullable(scores: Floats) -> pa.Array:
    return pa.array(scores, pa.float32(), mask=np.isnan(scores))


def _counts(tables: Tables, asked: Asked, said: Said, refused: Bools, copies: Bools) -> dict[str, int]:
    """Count kept candidates: by what the judge said, judged negatives aside, and by what becomes of them."""
    kept, negative = tables.kept, tables.negative
    answered = ~np.isnan(take(said.scores, asked.candidates))
    failed = np.isin(asked.candidates, said.failed) & ~answered
    parts = {
        "kept_before": kept,
        "judged_negatives": kept & negative,
        "judged": kept & ~negative & answered,
        "failed": kept & ~negative & failed,
        "not_asked": kept & ~negative & ~answered & ~failed,
        "relevant": refused,
        "near_copies_of_relevant": copies,
        "kept_after": kept & ~refused & ~copies,
    }
    return {"candidates": len(kept), **{name: int(rows.sum()) for name, rows in parts.items()}}


def _candidates(tables: Tables, asked: Asked, scores: Floats, refused: Mapping[str, Bools], judge: str) -> pa.Table:
    """Write verdicts and scores; `refused` has the rows of each rule, and no row of two."""
    rows = tables.candidates
    verdict, refused_by = rows["verdict"], rows["refused_by"].to_numpy()
    for rule, which in refused.items():
        verdict = pc.if_else(pa.array(which), rule, verdict)
        refused_by = refused_by | np.where(which, BIT[rule], 0).astype(np.int32)
    columns = {
        **{name: rows[name] for name in schemas.CANDIDATES.schema.names},
        "verdict": verdict,
        "refused_by": pa.array(refused_by, pa.int32()),
        "judge_score": _nullable(take(scores, asked.candidates)),
        "positive_judge_score": _lowest(tables, take(scores, asked.judged)),
    }
    return schemas.build(schemas.JUDGED_CANDIDATES, columns, schemas.metadata(rows) | {"judge": judge})


def _lowest(tables: Tables, scores: Floats) -> pa.ChunkedArray:
    """Return for each candidate the lowest score of its query's positives; null without any, or where one has none."""
    # A score that nobody knows may be the lowest of all.
    known = pa.array(np.where(np.isnan(scores), np.float32(-np.inf), scores))
    positives = pa.table({"query_id": tables.judged["query_id"], "score": known}).filter(pa.array(tables.positive))
    lowest = positives.group_by("query_id").aggregate([("score", "min")])
    of = pc.index_in(tables.candidates["query_id"], lowest["query_id"])
    found = lowest["score_min"].take(of)
    return pc.if_else(pc.is_finite(found), found, pa.scalar(None, pa.float32()))


def _judgements(tables: Tables, scores: Floats, new: pa.Table, judge: str) -> pa.Table:
    """Write the judge's scores beside the judgements, and put `new` candidates among them as positives."""
    old = tables.judged.append_column("judge_score", _nullable(scores))
    # A grade between a negative's and a positive's gives way.
    staying = old.join(new.select(IDS), IDS, join_type="left anti")
    relevance = pa.repeat(pa.scalar(tables.positive_at, pa.float32()), len(new))
    added = new.drop_columns("relevance").append_column("relevance", relevance)
    data = [
        rows.append_column("relabelled", pa.repeat(made, len(rows))).select(schemas.JUDGEMENTS.schema.names)
        for rows, made in ((staying, False), (added, True))
    ]
    every = pa.concat_tables(data, promote_options="default")
    return schemas.build(schemas.JUDGEMENTS, every, schemas.metadata(old) | {"judge": judge})
