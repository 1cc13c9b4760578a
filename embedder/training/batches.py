"""The texts of a planned batch, each once, and which passage counts for which row."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import add
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedder.params.recipe import Distilled, Recipe
from embedder.prompts import Prompts
from embedder.texts import normalise
from embedder.training.numbered import Lists, starts
from embedder.training.plans import Batch, Ints, Part
from embedder.training.shards import Floats, TrainingSet

# Elsewhere another row's positive is as likely right as wrong: two queries of one label.
IN_BATCH = frozenset({"retrieval", "reranking", "sts"})

Bools = NDArray[np.bool_]
Pairs = tuple[Ints, Ints]
Rows = tuple[TrainingSet, Part]


@dataclass(frozen=True)
class Texts:
    """One batch, ready to be tokenized.

    Attributes:
        queries: [rows] one a row, after its prompt.
        passages: [passages] distinct, positives and negatives of all rows, after their prompts; each is some row's.
        targets: [rows] the column of each row's positive.
        allowed: [rows, passages] whether the passage counts for the row.
        listed: [rows, 1 + negatives] the columns of a row's positive and of its own negatives that count; the
            positive's again where a row has fewer.
        wanted: [rows, 1 + negatives] the shares to distil, see `losses.Compared`; None where nothing is distilled.
        temperature: [rows, 1].
        masked_own: how many of the negatives that rows draw do not count, because they are known to be right or nearly so.
        masked_in_batch: how many pairs of a row and a passage that another row brings do not count for the same reason.
    """

    queries: list[str]
    passages: list[str]
    targets: Ints
    allowed: Bools
    listed: Ints
    wanted: Floats | None
    temperature: Floats
    masked_own: int
    masked_in_batch: int


def in_batch(dataset: TrainingSet, recipe: Recipe) -> bool:
    """Whether other rows' passages count as negatives: never for label tasks, else as the recipe says."""
    return dataset.task in IN_BATCH and recipe.of(dataset.name).in_batch_negatives is not False


def compose(sets: Mapping[str, TrainingSet], prompts: Mapping[str, Prompts], recipe: Recipe, batch: Batch) -> Texts:
    """Look up the texts of a planned batch, and say which passages count for a row.

    Its positive does, and no other passage that is known to be right or nearly so for the query: in whichever dataset
    the text is, and also where it is the row's own negative. Of the others, the row's own negatives do; and, unless
    either row's dataset does without them, those that other rows bring.

    Args:
        sets: the rows, by dataset; read together.
        prompts: what stands before each dataset's texts.
        recipe: which negatives count, and how sharply.
        batch: which rows.
    """
    parts = [(sets[part.dataset], part) for part in batch.parts]
    said, texts = parts[0][0].said, len(parts[0][0].texts)
    asked, passage = ([getattr(prompts[one.name], kind) for one, _ in parts] for kind in ("query", "passage"))
    queries = np.concatenate([one.queries[part.rows] for one, part in parts])
    drawn = _stacked([_looked_up(part, one.negatives, one.positives, one.negatives.values) for one, part in parts])
    close = _close(parts, queries, drawn)
    own = (drawn >= 0) & ~_among(drawn, close, texts)
    own[:, 0] = True
    # A column is a text after a prompt: `prompt * texts + text`.
    prefixes, prefix = np.unique(_by_row(parts, passage), return_inverse=True)
    columns, listed = np.unique(prefix[:, None] * texts + np.where(own, drawn, drawn[:, :1]), return_inverse=True)
    before = prefixes[columns // texts].tolist()
    temperature = [recipe.of(one.name).temperature or recipe.temperature for one, _ in parts]
    counting = _counting(listed, _by_row(parts, [in_batch(one, recipe) for one, _ in parts]))
    allowed = _less(counting, _columns_of(close, columns, texts, len(prefixes)), listed[:, 0])
    return Texts(
        queries=list(map(add, _by_row(parts, asked).tolist(), said(queries))),
        passages=list(map(add, before, said(columns % texts))),
        targets=listed[:, 0],
        allowed=allowed,
        listed=listed,
        wanted=_wanted(parts, own, recipe.distilled) if recipe.distilled else None,
        temperature=_by_row(parts, temperature).astype(np.float32)[:, None],
        masked_own=int(np.count_nonzero(drawn >= 0) - np.count_nonzero(own)),
        masked_in_batch=int(np.count_nonzero(counting) - np.count_nonzero(allowed)),
    )


def _by_row(parts: Sequence[Rows], values: Sequence[Any]) -> NDArray[Any]:
    """Each row's value, of those of the parts."""
    return np.repeat(np.asarray(values), [len(part.rows) for _, part in parts])


def _looked_up(part: Part, lists: Lists, positives: NDArray[Any], negatives: NDArray[Any]) -> NDArray[Any]:
    """[rows, 1 + negatives] what stands for each row's positive and for the negatives it draws; -1 where it has fewer."""
    places = lists.starts[part.rows, None] + part.negatives
    found = np.full(places.shape, -1, dtype=negatives.dtype)
    found[part.negatives >= 0] = negatives[places[part.negatives >= 0]]
    return np.hstack([positives[part.rows, None], found])


def _stacked(tables: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Put tables of different widths one below another; rows that are too short are filled with -1."""
    width = max(one.shape[1] for one in tables)
    wide = [np.pad(one, ((0, 0), (0, width - one.shape[1])), constant_values=-1) for one in tables]
    return np.concatenate(wide)


def _close(parts: Sequence[Rows], queries: Ints, drawn: Ints) -> Pairs:
    """Pairs of a row and a text that must not be its negative: known positives, what is masked, the query itself."""
    firsts = starts([len(part.rows) for _, part in parts])
    found = [_same_text(parts[0][0], queries, drawn)]
    for (one, part), first in zip(parts, firsts[:-1], strict=True):
        rows, places = one.known.places(part.rows)
        found.append((rows + first, one.known.values[places].astype(np.int64)))
    return np.concatenate([rows for rows, _ in found]), np.concatenate([texts for _, texts in found])


def _same_text(one: TrainingSet, queries: Ints, drawn: Ints) -> Pairs:
    """Pairs of a row and a text of the batch that says its query: where queries are passages too, a row may bring it."""
    asking = defaultdict(list)
    for row, text in enumerate(one.said(queries)):
        asking[normalise(text)].append(row)
    numbers = np.unique(drawn[drawn >= 0])
    said = zip(numbers.tolist(), one.said(numbers), strict=True)
    pairs = [(row, number) for number, text in said for row in asking.get(normalise(text), ())]
    rows, texts = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    return rows, texts


def _among(drawn: Ints, pairs: Pairs, texts: int) -> Bools:
    """Say of each row's texts whether row and text are among some pairs: [rows, 1 + negatives]."""
    rows = np.arange(len(drawn))[:, None]
    return np.isin(rows * texts + drawn, pairs[0] * texts + pairs[1])


def _columns_of(pairs: Pairs, columns: Ints, texts: int, prefixes: int) -> Pairs:
    """Pairs of a row and a column of pairs of a row and a text: the text after any prompt."""
    rows, numbers = np.tile(pairs[0], prefixes), np.tile(pairs[1], prefixes)
    wanted = np.repeat(np.arange(prefixes), len(pairs[1])) * texts + numbers
    places = np.searchsorted(columns, wanted).clip(max=len(columns) - 1)
    found = columns[places] == wanted
    return rows[found], places[found]


def _counting(listed: Ints, shared: Bools) -> Bools:
    """[rows, passages] what a row lists and, where rows share, what those that share list."""
    counting = np.zeros((len(listed), listed.max() + 1), dtype=bool)
    others = np.zeros(counting.shape[1], dtype=bool)
    others[listed[shared]] = True
    counting[shared] = others
    np.put_along_axis(counting, listed, values=True, axis=1)
    return counting


def _less(counting: Bools, close: Pairs, targets: Ints) -> Bools:
    """What counts, without the pairs that are close, but for each row's positive."""
    allowed = counting.copy()
    allowed[close] = False
    allowed[np.arange(len(allowed)), targets] = True
    return allowed


def _wanted(parts: Sequence[Rows], own: Bools, distilled: Distilled) -> Floats:
    """The softmax of the scores of each row's own passages; zeros where one has none."""
    said = [(one.scores[distilled.scores], one.negatives, part) for one, part in parts]
    found = _stacked([_looked_up(part, lists, scores.positives, scores.negatives) for scores, lists, part in said])
    scores = np.where(own, found.astype(np.float64), -np.inf) / distilled.temperature
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    filled: Floats = np.nan_to_num(shares).astype(np.float32)
    return filled
