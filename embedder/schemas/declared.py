"""The columns of every table, and the key its rows are sorted by."""

from dataclasses import dataclass

import pyarrow as pa

_STRINGS = pa.list_(pa.string())


@dataclass(frozen=True)
class Table:
    """A table's columns and the key that its rows are sorted by and, where `unique`, no two rows share."""

    name: str
    key: tuple[str, ...]
    schema: pa.Schema
    unique: bool = True


def _table(name: str, key: str, *columns: tuple[str, pa.DataType] | pa.Field, unique: bool = True) -> Table:
    fields = [c if isinstance(c, pa.Field) else pa.field(*c, nullable=False) for c in columns]
    return Table(name, tuple(key.split()), pa.schema(fields), unique)


_ID = (("query_id", pa.string()), ("passage_id", pa.string()))
_RUN = (
    ("query_id", pa.string()),
    ("rank", pa.int32()),
    ("passage_id", pa.string()),
    ("score", pa.float32()),
)
_CANDIDATES = (
    *_RUN,
    pa.field("relevance", pa.float32()),
    # Null where a positive has no score: a run that came with the source need not hold it.
    pa.field("positive_score", pa.float32()),
    pa.field("margin", pa.float32()),
    ("verdict", pa.string()),
    ("refused_by", pa.int32()),
)

QUERIES = _table(
    "queries",
    "query_id",
    ("query_id", pa.string()),
    ("text", pa.string()),
    ("split", pa.string()),
    ("group_id", pa.string()),
    pa.field("labels", _STRINGS),
)
CORPUS = _table("corpus", "passage_id", ("passage_id", pa.string()), ("title", pa.string()), ("text", pa.string()))
QRELS = _table("qrels", "query_id passage_id", *_ID, ("relevance", pa.float32()))
ALIASES = _table("aliases", "kind id", ("kind", pa.string()), ("id", pa.string()), ("merged_into", pa.string()))
REJECTS = _table(
    "rejects",
    "kind id reason file row action",
    ("kind", pa.string()),
    ("id", pa.string()),
    ("reason", pa.string()),
    ("file", pa.string()),
    ("row", pa.int64()),
    # What became of it: refused, merged into an equal one, or repaired and kept.
    ("action", pa.string()),
    unique=False,
)
# Mined by somebody else; score is null where the source has none, metadata `scores` says `given` or `place`.
GIVEN = _table(
    "given",
    "query_id rank",
    ("query_id", pa.string()),
    ("rank", pa.int32()),
    ("passage_id", pa.string()),
    pa.field("score", pa.float32()),
)
RUN = _table("run", "query_id rank", *_RUN)
# Of a fusion: which teachers proposed each row of the run, and the rank and score each gave it.
MEMBERS = _table(
    "members",
    "query_id passage_id member",
    *_ID,
    ("member", pa.string()),
    ("rank", pa.int32()),
    ("score", pa.float32()),
)
JUDGED = _table(
    "judged",
    "query_id passage_id",
    *_ID,
    ("relevance", pa.float32()),
    pa.field("score", pa.float32()),
    pa.field("rank", pa.int32()),
)
CANDIDATES = _table("candidates", "query_id rank", *_CANDIDATES)
# The closest positive of each row of a run, other than itself, by the vectors of a dense teacher (`member` of a fusion,
# else "").
COSINES = _table(
    "cosines",
    "query_id passage_id member",
    *_ID,
    ("member", pa.string()),
    ("positive_id", pa.string()),
    ("cosine", pa.float32()),
)
# Each positive as a candidate it would be, had nobody judged it: what the rules ask of it, reckoned without it.
LEFT_OUT = _table(
    "left_out",
    "query_id passage_id",
    *_ID,
    pa.field("rank", pa.int32()),
    pa.field("score", pa.float32()),
    # Of the query's other positives: the lowest and the highest score, how many there are, and how many rank above.
    pa.field("lowest_other", pa.float32()),
    pa.field("highest_other", pa.float32()),
    ("others", pa.int32()),
    ("others_above", pa.int32()),
    # The rules that refuse it whatever the window and the margins are.
    ("refused_by", pa.int32()),
)
# Pairs to be labelled: kept candidates drawn by stratum, each standing for `weight` of them, and controls whose answer is
# known: positives, and random passages.
SAMPLE = _table(
    "sample",
    "query_id passage_id",
    *_ID,
    ("kind", pa.string()),
    ("stratum", pa.string()),
    ("weight", pa.float64()),
)
LABELS = _table(
    "labels",
    "query_id passage_id",
    *_ID,
    ("kind", pa.string()),
    ("stratum", pa.string()),
    ("weight", pa.float64()),
    # Null where the judge gave no answer that can be read.
    pa.field("judge_score", pa.float32()),
    pa.field("relevant", pa.bool_()),
)
JUDGED_CANDIDATES = _table(
    "candidates",
    "query_id rank",
    *_CANDIDATES,
    pa.field("judge_score", pa.float32()),
    pa.field("positive_judge_score", pa.float32()),
)
# Table `judged` with the judge's scores, and the negatives that it made positives.
JUDGEMENTS = _table(
    "judged",
    "query_id passage_id",
    *_ID,
    ("relevance", pa.float32()),
    pa.field("score", pa.float32()),
    pa.field("rank", pa.int32()),
    pa.field("judge_score", pa.float32()),
    ("relabelled", pa.bool_()),
)
SHARD = _table(
    "shard",
    "dataset query_id positive_id",
    ("dataset", pa.string()),
    ("query_id", pa.string()),
    ("positive_id", pa.string()),
    ("query", pa.string()),
    ("instruction", pa.string()),
    ("positive", pa.string()),
    ("positive_ids", _STRINGS),
    # Passages that must not count as in-batch negatives of this query although they are no positives of it:
    # near copies of one, and those the filter refused as too close to one.
    ("masked_ids", _STRINGS),
    pa.field("positive_score", pa.float32()),
    ("negative_ids", _STRINGS),
    ("negatives", _STRINGS),
    ("negative_ranks", pa.list_(pa.int32())),
    ("negative_scores", pa.list_(pa.float32())),
    pa.field("positive_judge_score", pa.float32()),
    pa.field("negative_judge_scores", pa.list_(pa.float32())),
    ("task", pa.string()),
    ("teacher", pa.string()),
    ("teacher_revision", pa.string()),
)
# The rows of every training step: `row` counts the rows of a dataset's shards in their order, `negatives` the stored
# negatives of that row, both from 0.
PLAN = _table(
    "plan",
    "step place",
    ("step", pa.int32()),
    ("place", pa.int32()),
    ("dataset", pa.string()),
    ("epoch", pa.int32()),
    ("row", pa.int64()),
    ("negatives", pa.list_(pa.int32())),
)
DROPPED = _table(
    "dropped",
    "dataset query_id passage_id reason",
    ("dataset", pa.string()),
    *_ID,
    ("reason", pa.string()),
)
SCORES = _table(
    "queries",
    "dataset model query_id",
    ("dataset", pa.string()),
    ("model", pa.string()),
    ("query_id", pa.string()),
    ("value", pa.float32()),
    pa.field("gold_rank", pa.int32()),
    ("query_words", pa.int32()),
    ("gold_words", pa.int32()),
)
