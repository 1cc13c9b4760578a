"""From the columns of a row to records: pairs, triplets, n-tuples, scored pairs, labelled and multi-labelled text."""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from pydantic import model_validator

from embedder.errors import SourceError
from embedder.loaders.cells import Found
from embedder.params.base import Model
from embedder.records import Passage, Qrel, Query, Record, Reject, Repair, Row
from embedder.texts import normalise, passage_text

TRAIN: Final = "train"
DEV: Final = "dev"
# How many names of splits a message lists, and how much of each.
_MOST_NAMES, _NAME_LENGTH = 20, 40


class Columns(Model):
    """Which column holds what. With `query` goes one of `positive`, `passage` and `relevance`, `label`, `labels`.

    Attributes:
        query: the query, the text to classify, or the first of two sentences.
        positive: passages that answer the query; several columns, or one that holds a list.
        negative: passages that people judged not to (relevance 0), as many as a row has: empty cells are none. What a
            miner found belongs to the loader `given`.
        passage: the passage that `relevance` grades, or the second of two sentences.
        relevance: the grade of `passage`, or the similarity of the two sentences.
        label: the one label of the text.
        labels: its labels: a list, or a text that `label_separator` cuts.
        label_separator: what stands between labels; null where they are a list.
        query_id: null: an id is made of the text.
        passage_id: of `positive` or `passage`; null: an id is made of the text.
        title: of `positive` or `passage`.
        split: the split's name, see `splits` of the loader.
        group: what must not be divided between the splits.
    """

    query: str
    positive: str | list[str] | None = None
    negative: str | list[str] | None = None
    passage: str | None = None
    relevance: str | None = None
    label: str | None = None
    labels: str | None = None
    label_separator: str | None = None
    query_id: str | None = None
    passage_id: str | None = None
    title: str | None = None
    split: str | None = None
    group: str | None = None

    @model_validator(mode="after")
    def _one_form(self) -> "Columns":
        forms = [self.positive, self.passage, self.label, self.labels]
        if sum(form is not None for form in forms) != 1:
            raise ValueError("name exactly one of: positive, passage, label, labels")
        if (self.passage is None) != (self.relevance is None):
            raise ValueError("passage and relevance go together")
        if self.negative is not None and self.positive is None:
            raise ValueError("negative needs positive")
        return self

    @property
    def names(self) -> list[str]:
        """The columns that are read."""
        single = (
            self.query, self.passage, self.relevance, self.label, self.labels, self.query_id, self.passage_id,
            self.title, self.split, self.group,
        )  # fmt: skip
        several = [*_listed(self.positive), *_listed(self.negative)]
        return list(dict.fromkeys([name for name in single if name is not None] + several))

    @property
    def labelled(self) -> bool:
        """Whether rows are texts with labels."""
        return self.label is not None or self.labels is not None


def text_id(prefix: str, text: str) -> str:
    """Make an id of a text: the same wherever the text stands, so that rows may come and go."""
    digest = hashlib.sha256(normalise(text).encode("utf-8", "surrogatepass")).hexdigest()
    return f"{prefix}-{digest[:20]}"


def records(
    rows: Iterable[Found],
    columns: Columns,
    split: str | None,
    splits: Mapping[str, str],
    file: str,
    counts: dict[str, int],
) -> Iterator[Record]:
    """Yield the records of a file's rows.

    Args:
        rows: the file's rows.
        columns: which column holds what.
        split: the split of all rows; None where `columns.split` says it.
        splits: the source's name of a split -> `train` or `dev`; rows of other splits are left aside.
        file: what records say of where they stand.
        counts: receives how many rows the file has, and how many belong to other splits.

    Raises:
        SourceError: from `rows`, or no row is of one of `splits` while others are left aside.
    """
    others: dict[str, None] = {}
    chosen: set[str] = set()
    for number, row in rows:
        counts["rows"] = counts.get("rows", 0) + 1
        if isinstance(row, Reject):
            yield row
            continue
        side = split
        if columns.split is not None:
            name = text_of(row.get(columns.split))
            side = splits.get(name)
            if side is None and len(others) < _MOST_NAMES:
                others[name[:_NAME_LENGTH]] = None
        if side is None:
            counts["of_other_splits"] = counts.get("of_other_splits", 0) + 1
            continue
        if columns.split is not None:
            chosen.add(text_of(row.get(columns.split)))
        yield from _Row(row, columns, side, file, number).records()
    if others and (gone := [name for name in splits if name not in chosen]):
        raise SourceError(
            f"{file}: no row is of the split {' or '.join(gone)} that source.splits names; the column "
            f"'{columns.split}' also has: {', '.join(others)}; set source.splits, as {{{next(iter(others))}: train}}"
        )


class _Row:
    """One row and where it stands."""

    def __init__(self, row: Mapping[str, Any], columns: Columns, split: str, file: str, number: Row) -> None:
        self.row, self.columns, self.split, self.at = row, columns, split, (file, number)

    def records(self) -> Iterator[Record]:
        text = self._text(self.columns.query)
        query_id = self._id(self.columns.query_id, "q", text)
        group = self._text(self.columns.group) if self.columns.group else None
        labels: tuple[str, ...] | None = None
        if self.columns.labelled:
            labels = tuple(self._labels())
        yield Query(query_id, text, self.split, group, labels, *self.at)
        if self.columns.positive is not None:
            yield from self._passages(query_id, self.columns.positive, 1.0, self.columns.passage_id)
        if self.columns.negative is not None:
            yield from self._passages(query_id, self.columns.negative, 0.0, None)
        if self.columns.passage is not None and self.columns.relevance is not None:
            yield from self._graded(query_id, self.columns.passage, self.row.get(self.columns.relevance))

    def _passages(
        self, query_id: str, names: str | list[str], relevance: float, id_column: str | None
    ) -> Iterator[Record]:
        texts: list[str] = []
        for name in _listed(names):
            value = self.row.get(name)
            texts += texts_of(value) if relevance else optional_texts(value)
            if isinstance(names, list) and not isinstance(value, list) and len(names) == 1:
                yield Repair("row", query_id, "string_for_list", *self.at)
        ids = texts_of(self.row.get(id_column)) if id_column else [text_id("p", self._joined(text)) for text in texts]
        if len(ids) != len(texts):
            yield Reject("row", query_id, "ids_and_texts_differ_in_number", *self.at)
            return
        for passage_id, text in zip(ids, texts, strict=True):
            title = self._text(self.columns.title) if self.columns.title and relevance else ""
            yield Passage(passage_id, title, text, *self.at)
            yield Qrel(query_id, passage_id, relevance, *self.at)

    def _graded(self, query_id: str, name: str, grade: object) -> Iterator[Record]:
        text = self._text(name)
        passage_id = self._id(self.columns.passage_id, "p", self._joined(text))
        title = self._text(self.columns.title) if self.columns.title else ""
        yield Passage(passage_id, title, text, *self.at)
        relevance = number(grade)
        if relevance is None:
            yield Reject("qrel", f"{query_id}\t{passage_id}", "relevance_not_a_number", *self.at)
        else:
            yield Qrel(query_id, passage_id, relevance, *self.at)

    def _joined(self, text: str) -> str:
        return passage_text(self._text(self.columns.title), text) if self.columns.title else text

    def _labels(self) -> Sequence[str]:
        if self.columns.label is not None:
            return texts_of(self.row.get(self.columns.label))
        value = self.row.get(self.columns.labels or "")
        if isinstance(value, str) and self.columns.label_separator:
            return [part.strip() for part in value.split(self.columns.label_separator)]
        return texts_of(value)

    def _text(self, name: str) -> str:
        return text_of(self.row.get(name))

    def _id(self, name: str | None, prefix: str, text: str) -> str:
        return self._text(name) if name else text_id(prefix, text)


def text_of(value: object) -> str:
    """Read a cell as one text: numbers and dates as they are written, nothing as nothing; a structure is no text."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case bytes():
            return value.decode("utf-8", "surrogateescape")
        case None | list() | dict() | tuple() | set() | frozenset():
            return ""
        case float() if math.isnan(value):
            return ""
        case _:
            return str(value)


def texts_of(value: object) -> list[str]:
    """Read a cell as texts: a list of them, or one."""
    if isinstance(value, list | tuple):
        return [text_of(one) for one in value]
    return [] if value is None else [text_of(value)]


def optional_texts(value: object) -> list[str]:
    """Read a cell that need not be filled: as `texts_of`, but an empty one is none, as in rows of different lengths."""
    empty = isinstance(value, str | float) and not text_of(value).strip()
    return [] if empty else texts_of(value)


def number(value: object) -> float | None:
    """Read a cell as a number; None where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _listed(names: str | list[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else list(names or [])
