"""The texts of a planned batch, each once, and which passage counts for which row."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from embedder.params.recipe import Distilled, Recipe
from embedder.prompts import Prompts
from embedder.texts import normalise
from embedder.training.plans import Batch, Ints
from embedder.training.shards import TrainingSet

# Elsewhere another row's positive is as likely right as wrong: two queries of one label.
IN_BATCH = frozenset({"retrieval", "reranking", "sts"})

Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Texts:
    """One batch, ready to be tokenized.

    Attributes:
        queries: [rows] one a row, after its prompt.
        passages: [passages] distinct, positives and negatives of all rows, after their prompts, in the order of ids.
        targets: [rows] the column of each row's positive.
        allowed: [rows, passages] whether the passage counts for the row.
        listed: [rows, 1 + negatives] the columns of a row's positive and of its own negatives; the positive's again
            where a row has fewer.
        wanted: [rows, 1 + negatives] the shares to distil, see `losses.Compared`; None where nothing is distilled.
        temperature: [rows, 1].
    """

    queries: list[str]
    passages: list[str]
    targets: Ints
    allowed: Bools
    listed: Ints
    wanted: Floats | None
    temperature: Floats


@dataclass(frozen=True)
class _Row:
    """A row of a batch, its dataset, and which of its stored negatives it sees."""

    dataset: str
    prompts: Prompts
    in_batch: bool
    temperature: float
    found: Mapping[str, Any]
    drawn: Sequence[int]

    def passages(self) -> Iterator[tuple[str, str]]:
        """Yield id and text of its positive and of its own negatives."""
        yield self.found["positive_id"], self.prompts.passage + self.found["positive"]
        for one in self.drawn:
            yield self.found["negative_ids"][one], self.prompts.passage + self.found["negatives"][one]


def in_batch(dataset: TrainingSet, recipe: Recipe) -> bool:
    """Whether other rows' passages count as negatives: never for label tasks, else as the recipe says."""
    return dataset.task in IN_BATCH and recipe.of(dataset.name).in_batch_negatives is not False


def compose(sets: Mapping[str, TrainingSet], prompts: Mapping[str, Prompts], recipe: Recipe, batch: Batch) -> Texts:
    """Look up the texts of a planned batch; passages are distinct by text, which within a dataset is by id.

    Args:
        sets: the rows, by dataset.
        prompts: what stands before each dataset's texts.
        recipe: which negatives count, and how sharply.
        batch: which rows.
    """
    rows = list(_rows(sets, prompts, recipe, batch))
    passages = sorted({(row.dataset, *one, row.in_batch) for row in rows for one in row.passages()})
    places = {text: place for place, text in enumerate(dict.fromkeys(text for _, _, text, _ in passages))}
    column = {(dataset, passage_id): places[text] for dataset, passage_id, text, _ in passages}
    listed = _listed(rows, column)
    return Texts(
        queries=[row.prompts.query + row.found["query"] for row in rows],
        passages=list(places),
        targets=listed[:, 0],
        allowed=_allowed(rows, column, listed, [places[text] for *_, text, shared in passages if shared]),
        listed=listed,
        wanted=_wanted(rows, listed, recipe.distilled) if recipe.distilled else None,
        temperature=np.array([[row.temperature] for row in rows], dtype=np.float32),
    )


def _rows(
    sets: Mapping[str, TrainingSet], prompts: Mapping[str, Prompts], recipe: Recipe, batch: Batch
) -> Iterator[_Row]:
    for part in batch.parts:
        dataset = sets[part.dataset]
        shared = in_batch(dataset, recipe)
        temperature = recipe.of(part.dataset).temperature or recipe.temperature
        found = dataset.rows.take(pa.array(part.rows)).to_pylist()
        for row, drawn in zip(found, part.negatives, strict=True):
            yield _Row(part.dataset, prompts[part.dataset], shared, temperature, row, drawn.tolist())


def _listed(rows: Sequence[_Row], column: Mapping[tuple[str, str], int]) -> Ints:
    """The columns of each row's positive and own negatives, filled up with the positive's."""
    width = 1 + max(len(row.drawn) for row in rows)
    found = [[column[row.dataset, passage_id] for passage_id, _ in row.passages()] for row in rows]
    return np.array([one + [one[0]] * (width - len(one)) for one in found], dtype=np.int64)


def _allowed(rows: Sequence[_Row], column: Mapping[tuple[str, str], int], listed: Ints, shared: Sequence[int]) -> Bools:
    """Which passages count: own negatives; others of the batch where they may; never what is known to be close."""
    allowed = np.zeros((len(rows), 1 + max(column.values())), dtype=bool)
    others = np.zeros(allowed.shape[1], dtype=bool)
    others[shared] = True
    allowed[[row.in_batch for row in rows]] = others
    np.put_along_axis(allowed, listed, values=True, axis=1)
    for place, row in enumerate(rows):
        known = {*row.found["positive_ids"], *row.found["masked_ids"]}
        allowed[place, [column[row.dataset, one] for one in known if (row.dataset, one) in column]] = False
    allowed[_same_text(rows, column)] = False
    allowed[np.arange(len(rows)), listed[:, 0]] = True
    return allowed


def _same_text(rows: Sequence[_Row], column: Mapping[tuple[str, str], int]) -> tuple[Ints, Ints]:
    """Rows and columns where the passage says the query itself: where queries are passages too, a row may bring it."""
    said: defaultdict[str, set[int]] = defaultdict(set)
    for row in rows:
        first = len(row.prompts.passage)
        for passage_id, text in row.passages():
            said[normalise(text[first:])].add(column[row.dataset, passage_id])
    pairs = [(place, one) for place, row in enumerate(rows) for one in said.get(normalise(row.found["query"]), ())]
    found = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _wanted(rows: Sequence[_Row], listed: Ints, distilled: Distilled) -> Floats:
    """The softmax of the scores of each row's passages; zeros where one has none."""
    kind = "" if distilled.scores == "teacher" else "judge_"
    scores = np.full(listed.shape, -np.inf)
    for place, row in enumerate(rows):
        own = row.found[f"negative_{kind}scores"]
        found = [row.found[f"positive_{kind}score"], *(own[one] if own else None for one in row.drawn)]
        scores[place, : len(found)] = [np.nan if one is None else one for one in found]
    scores /= distilled.temperature
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    filled: Floats = np.nan_to_num(shares).astype(np.float32)
    return filled
