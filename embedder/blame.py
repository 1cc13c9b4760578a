"""Why a dev query may have been lost in training: its passage, or a near copy of it, is stored as a negative."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from embedder import near_copies
from embedder.params.models import Filter, Materialize
from embedder.texts import normalise

Unit = Literal["word", "character"]

_MARGINS = ("absolute_margin", "relative_margin", "percentile_margin")
_BOUNDS = ("max_score", "min_score", "max_score_percentile", "min_score_percentile")
_OF_ROW = ("query_id", "query", "positive_id", "positive", "positive_score")
COLUMNS = (
    *_OF_ROW,
    *("negative_ids", "negatives", "negative_ranks", "negative_scores", "negative_judge_scores"),
)


@dataclass(frozen=True)
class Change:
    """What tuning did to a dev query: its figure and the best rank of a positive, None beyond 1,000."""

    query_id: str
    base: float
    tuned: float
    base_rank: int | None
    tuned_rank: int | None

    @property
    def is_loss(self) -> bool:
        """Whether the query is worse off."""
        return self.tuned < self.base


@dataclass(frozen=True)
class Source:
    """What the shards of a dataset say of themselves.

    Attributes:
        dataset: its name.
        unit: what its texts are cut into.
        made_by: the metadata.
        rules: the rules that kept the negatives; None where the shards are too old to say.
    """

    dataset: str
    unit: Unit
    made_by: Mapping[str, str]
    rules: Filter | None


@dataclass(frozen=True)
class Push:
    """A training row in which a dev query's passage, or a near copy of it, is stored as a negative.

    A step draws some of a row's negatives, so that one may never have been used.

    Attributes:
        source: the dataset whose row it is.
        row: query, positive and their ids, positive_score.
        stored: how many negatives the row has.
        negative_id: the passage.
        text: of it.
        rank: its rank in the run.
        score: the teacher's.
        judge_score: None where no judge was asked.
        gold_id: the dev query's passage.
        jaccard: how similar the two are; 1 where they say the same.
    """

    source: Source
    row: Mapping[str, Any]
    stored: int
    negative_id: str
    text: str
    rank: int
    score: float
    judge_score: float | None
    gold_id: str
    jaccard: float


def changes(scores: pa.Table, dataset: str) -> list[Change]:
    """Return what tuning did to each dev query of a dataset, largest losses first, ties by id.

    Args:
        scores: table `queries` of the evaluation.
        dataset: the dataset.
    """
    rows = scores.filter(pc.equal(scores["dataset"], dataset)).select(["model", "query_id", "value", "gold_rank"])
    of: dict[str, dict[str, dict[str, Any]]] = {"base": {}, "tuned": {}}
    for row in rows.to_pylist():
        if row["model"] in of:
            of[row["model"]][row["query_id"]] = row
    found = [
        Change(name, before["value"], after["value"], before["gold_rank"], after["gold_rank"])
        for name, before in of["base"].items()
        if (after := of["tuned"].get(name)) is not None
    ]
    return sorted(found, key=lambda change: (change.tuned - change.base, change.query_id))


class Golds:
    """Passages of dev queries, to be found again among other texts.

    Args:
        texts: the passages by id.
        unit: what they are cut into.
        least: the Jaccard similarity of 5-unit shingles, as in decontamination, from which a text is a near copy.
    """

    def __init__(self, texts: Mapping[str, str], unit: Unit, least: float) -> None:
        self._ids, self._unit, self._least = sorted(texts), unit, least
        self._shingles = near_copies.shingle([texts[name] for name in self._ids], unit)
        self._same: dict[str, list[str]] = {}
        for name in self._ids:
            self._same.setdefault(normalise(texts[name]), []).append(name)

    def near(self, texts: Sequence[str], unit: Unit) -> dict[int, dict[str, float]]:
        """Return which texts are near copies of which passages, and how similar; across units only the same text is."""
        found: dict[int, dict[str, float]] = {}
        if unit == self._unit:
            shingles = near_copies.shingle(texts, unit)
            for text, gold, jaccard in zip(
                *near_copies.similar_pairs(shingles, self._shingles, self._least), strict=True
            ):
                found.setdefault(int(text), {})[self._ids[gold]] = float(jaccard)
        for place, text in enumerate(texts):
            for name in self._same.get(normalise(text), ()):
                found.setdefault(place, {})[name] = 1.0
        return found


def pushes(shards: Iterable[tuple[Source, pa.Table]], golds: Golds) -> list[Push]:
    """Find the training rows that have a gold passage, or a near copy of one, among their negatives.

    A passage is compared once, however many rows have it; of the others only the ids are held.

    Args:
        shards: rows with COLUMNS, some at a time; those of older versions have no judge's scores.
        golds: the passages.

    Returns:
        The most similar first, then by dataset, query, positive and rank.
    """
    near: dict[tuple[str, str], dict[str, float]] = {}
    found = [push for source, rows in shards if rows.num_rows for push in _of_rows(source, rows, golds, near)]
    return sorted(found, key=lambda p: (-p.jaccard, p.source.dataset, p.row["query_id"], p.row["positive_id"], p.rank))


def _of_rows(
    source: Source, rows: pa.Table, golds: Golds, near: dict[tuple[str, str], dict[str, float]]
) -> Iterator[Push]:
    lists = rows["negative_ids"].combine_chunks()
    encoded = lists.flatten().dictionary_encode()
    codes, names = encoded.indices.to_numpy(), encoded.dictionary.to_pylist()
    _, first = np.unique(codes, return_index=True)
    new = [code for code, name in enumerate(names) if (source.dataset, name) not in near]
    texts = pc.list_flatten(rows["negatives"]).take(pa.array(first[new], pa.int64())).to_pylist()
    matches = golds.near(texts, source.unit)
    near.update(((source.dataset, names[code]), matches.get(place, {})) for place, code in enumerate(new))
    wanted = np.array([bool(near[source.dataset, name]) for name in names], dtype=bool)
    places = np.flatnonzero(wanted[codes]) if len(names) else np.empty(0, np.int64)
    owners, starts = pc.list_parent_indices(lists).to_numpy(), lists.offsets.to_numpy()
    for place, owner in zip(places.tolist(), owners[places].tolist(), strict=True):
        row = rows.slice(owner, 1).to_pylist()[0]
        at = place - int(starts[owner] - starts[0])
        for gold_id, jaccard in sorted(near[source.dataset, row["negative_ids"][at]].items()):
            yield _push(source, row, at, gold_id, jaccard)


def _push(source: Source, row: Mapping[str, Any], at: int, gold_id: str, jaccard: float) -> Push:
    judged = row.get("negative_judge_scores")
    return Push(
        source=source,
        row={name: row[name] for name in _OF_ROW},
        stored=len(row["negative_ids"]),
        negative_id=row["negative_ids"][at],
        text=row["negatives"][at],
        rank=row["negative_ranks"][at],
        score=row["negative_scores"][at],
        judge_score=judged[at] if judged else None,
        gold_id=gold_id,
        jaccard=jaccard,
    )


def reasons(push: Push, settings: Materialize) -> list[str]:
    """Say of each rule why it let a negative pass, as far as the shards tell.

    Args:
        push: the negative.
        settings: the section `materialize` in force.
    """
    rules = push.source.rules
    said = [_window(push, rules), _margin(push, rules)]
    if rules is not None:
        said += _scores(push, rules)
        said.append(_near_positive(push, rules))
    said += _judge(push)
    said.append(_near_gold(push, settings.decontaminate_jaccard))
    return said


def _window(push: Push, rules: Filter | None) -> str:
    if rules is None:
        return f"rank {push.rank}, window {push.source.made_by.get('window', 'unknown')}"
    if rules.min_rank is None and rules.max_rank is None:
        return f"rank {push.rank} (no window)"
    window = f"window {rules.min_rank or 1}-{rules.max_rank or ''}"
    if push.rank < (rules.min_rank or 1):
        return f"rank {push.rank}, before {window}, which judged negatives skip"
    if push.rank > (rules.max_rank or push.rank):
        why = " or has positives above it" if rules.counted == "without_positives" else ""
        return f"rank {push.rank}, after {window}: it was judged not relevant{why}"
    return f"rank {push.rank}, {window}"


def _margin(push: Push, rules: Filter | None) -> str:
    positive = push.row["positive_score"]
    margin = "margin unknown" if positive is None else f"margin {positive - push.score:.4g}"
    if rules is None:
        return f"{margin} (rules unknown: made by an older version)"
    named = [f"{name} {value:g}" for name in _MARGINS if (value := getattr(rules, name)) is not None]
    to = "the row's own" if rules.reference == "own" else "the query's lowest"
    return f"{margin} ({', '.join(named)} to {to} positive)" if named else f"{margin} (no margin rule)"


def _scores(push: Push, rules: Filter) -> Iterator[str]:
    named = [f"{name} {value:g}" for name in _BOUNDS if (value := getattr(rules, name)) is not None]
    if named:
        yield f"score {push.score:.4g} within {', '.join(named)}"


def _near_positive(push: Push, rules: Filter) -> str:
    if rules.near_copy_jaccard is None:
        return "no rule against near copies of the row's positive (filter.near_copy_jaccard)"
    shingles = near_copies.shingle([push.text, push.row["positive"]], push.source.unit, rules.near_copy_size)
    pair = np.array([0]), np.array([1])
    jaccard = float(near_copies.jaccard(shingles, shingles, *pair)[0])
    return f"Jaccard {jaccard:.2f} to the row's positive, below filter.near_copy_jaccard {rules.near_copy_jaccard:g}"


def _judge(push: Push) -> Iterator[str]:
    judge = push.source.made_by.get("judge", "none")
    if push.judge_score is not None:
        yield f"judge {judge} scored it {push.judge_score:.4g}: not relevant"
    elif judge != "none":
        yield f"judge {judge} was not asked, or gave no answer"


def _near_gold(push: Push, most: float | None) -> str:
    said = f"Jaccard {push.jaccard:.2f} to the gold passage"
    if most is None:
        return f"{said}, and no rule against near copies of dev texts (materialize.decontaminate_jaccard)"
    if push.jaccard < most:
        return f"{said}, below materialize.decontaminate_jaccard {most:g}"
    return f"{said}, which materialize.decontaminate_jaccard {most:g} forbids: the shards are older; run materialize"
