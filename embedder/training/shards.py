"""Shards as training reads them: every text once, and rows that are numbers of texts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder import schemas
from embedder.errors import StudentError
from embedder.params.recipe import Recipe
from embedder.training.numbered import Lists, Numbers, numbered, starts
from embedder.training.plans import Ints, Rows

Floats = NDArray[np.float32]

_IDS, _TEXTS = ("positive_id", "positive_ids", "masked_ids", "negative_ids"), ("query", "positive", "negatives")
_LISTS = ("positive_ids", "masked_ids", "negative_ids", "negatives")
# They repeat: a passage is a negative of many rows.
_ENCODED = [f"{name}.list.element" if name in _LISTS else name for name in ("query_id", *_IDS, *_TEXTS)]
_SCORES = {"teacher": "score", "judge": "judge_score"}
_SAID = ("task", "weight", "instruction", "instruct_passages")


@dataclass(frozen=True)
class Scores:
    """What a teacher or a judge said of rows; NaN where it said nothing.

    Attributes:
        positives: [rows].
        negatives: of each row's stored negatives, one row's after another's.
    """

    positives: Floats
    negatives: Floats


@dataclass(frozen=True)
class TrainingSet:
    """The rows of one dataset's shards, in their order, and what their metadata say of it.

    Attributes:
        texts: distinct; the same for all datasets that were read together, so that a number is a text in all of them.
        asked: [rows] the query, numbered by its id: one with several positives has several rows.
        queries: [rows] the number of the query's text.
        positives: [rows] the number of the positive's text.
        negatives: the numbers of the stored negatives' texts, by rank.
        known: the numbers of the texts that are any positive of the query or masked for it, as far as the dataset's
            shards have the text.
        scores: by who gave them: teacher, judge.
    """

    name: str
    task: str
    weight: float
    instruction: str
    instruct_passages: bool
    texts: pa.LargeStringArray
    asked: Ints
    queries: Numbers
    positives: Numbers
    negatives: Lists
    known: Lists
    scores: Mapping[str, Scores]

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.asked)

    def said(self, numbers: NDArray[np.integer]) -> list[str]:
        """The texts of some numbers."""
        found: list[str] = self.texts.take(pa.array(numbers)).to_pylist()
        return found

    def unscored(self, kind: str) -> NDArray[np.bool_]:
        """[rows] whether the positive or a stored negative has no score of a kind."""
        scores = self.scores[kind]
        owners = np.repeat(np.arange(len(self)), self.negatives.counts)
        missing = np.bincount(owners[np.isnan(scores.negatives)], minlength=len(self))
        return np.isnan(scores.positives) | (missing > 0)

    def outline(self, recipe: Recipe) -> Rows:
        """What a plan must know of it."""
        batch_size = recipe.of(self.name).batch_size or recipe.batch_size
        return Rows(self.weight, self.asked, self.negatives.counts, batch_size)


def read_shards(folder: Path) -> list[TrainingSet]:
    """Read every dataset that has shards in `folder`, sorted by name.

    Raises:
        StudentError: there are no shards, or shards of one dataset disagree on what it is.
        TableError: a shard is not what its schema says.
    """
    paths = sorted(folder.glob("*.parquet"))
    if not paths:
        raise StudentError(f"{folder}: no shards to train on; run `python -m stages.materialize`")
    found: dict[str, list[Path]] = {}
    for path in paths:
        name = schemas.metadata(schemas.peek(path, schemas.SHARD)).get("dataset", path.stem)
        found.setdefault(name, []).append(path)
    return together(_read(name, files) for name, files in sorted(found.items()))


def training_set(name: str, said: Mapping[str, str], rows: pa.Table) -> TrainingSet:
    """Number the texts of a dataset.

    Args:
        name: the dataset's.
        said: what its shards' metadata say.
        rows: its shards' rows, texts dictionary-encoded or not.
    """
    _, asked = numbered({"query_id": rows["query_id"].chunks})
    ids, id_of = numbered({name: _values(rows[name]) for name in _IDS})
    texts, text_of = numbered({name: _values(rows[name]) for name in _TEXTS})
    text_by_id = np.full(len(ids), -1, dtype=np.int32)
    text_by_id[id_of["positive_id"]] = text_of["positive"]
    text_by_id[id_of["negative_ids"]] = text_of["negatives"]
    known = [(rows[name], text_by_id[id_of[name]]) for name in ("positive_ids", "masked_ids")]
    return TrainingSet(
        name,
        said["task"],
        float(said["weight"]),
        said["instruction"],
        said["instruct_passages"] == "true",
        texts,
        asked["query_id"].astype(np.int64),
        text_of["query"],
        text_of["positive"],
        Lists(text_of["negatives"], starts(_counts(rows["negatives"]))),
        _merged([_counts(column) for column, _ in known], [values for _, values in known]),
        {kind: _scores(rows, column) for kind, column in _SCORES.items()},
    )


def together(sets: Iterable[TrainingSet]) -> list[TrainingSet]:
    """Number the texts of several datasets in one go, so that a text they share has one number in all of them."""
    own = {one.name: one for one in sets}
    texts, number = numbered({name: [one.texts] for name, one in own.items()})
    return [
        replace(
            one,
            texts=texts,
            queries=number[name][one.queries],
            positives=number[name][one.positives],
            negatives=replace(one.negatives, values=number[name][one.negatives.values]),
            known=replace(one.known, values=number[name][one.known.values]),
        )
        for name, one in own.items()
    ]


def _read(name: str, paths: Sequence[Path]) -> TrainingSet:
    tables = [schemas.read(path, schemas.SHARD, encoded=_ENCODED) for path in paths]
    said = [schemas.metadata(table) for table in tables]
    for key in _SAID:
        if len({one.get(key) for one in said}) > 1 or key not in said[0]:
            raise StudentError(
                f"{paths[0].parent}: the shards of '{name}' disagree on {key} or lack it; materialize them again"
            )
    return training_set(name, said[0], pa.concat_tables([table.replace_schema_metadata(None) for table in tables]))


def _values(column: pa.ChunkedArray) -> list[pa.Array]:
    return [chunk.flatten() if pa.types.is_list(chunk.type) else chunk for chunk in column.chunks]


def _counts(column: pa.ChunkedArray) -> Ints:
    counts: Ints = pc.fill_null(pc.list_value_length(column), 0).to_numpy().astype(np.int64)
    return counts


def _merged(counts: Sequence[Ints], values: Sequence[Numbers]) -> Lists:
    """Put the lists that a row has in several columns one after another, less what is no text (-1)."""
    every = np.concatenate(values)
    owners = np.concatenate([np.repeat(np.arange(len(one)), one) for one in counts])[every >= 0]
    order = np.argsort(owners, kind="stable")
    return Lists(every[every >= 0][order], starts(np.bincount(owners, minlength=len(counts[0]))))


def _scores(rows: pa.Table, column: str) -> Scores:
    counts, given = _counts(rows["negatives"]), rows[f"negative_{column}s"]
    negatives = np.full(counts.sum(), np.nan, dtype=np.float32)
    scored = np.repeat(pc.is_valid(given).to_numpy(), counts)
    negatives[scored] = _floats(pa.chunked_array(_values(given), pa.float32()))
    return Scores(_floats(rows[f"positive_{column}"]), negatives)


def _floats(column: pa.ChunkedArray) -> Floats:
    found: Floats = pc.fill_null(column, float("nan")).to_numpy()
    return found
