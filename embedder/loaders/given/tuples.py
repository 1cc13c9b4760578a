"""Rows of one query with its positives and mined negatives, scored or not."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

from embedder.errors import SourceError
from embedder.loaders.columns import number, optional_texts, text_id, text_of, texts_of
from embedder.params.base import Model
from embedder.records import Given, Passage, Qrel, Query, Record, Reject, Repair, Row

_NEGATIVE = re.compile(r"negative(?:_([0-9]{1,9}))?")
# Columns that hold negatives under another name.
_LIKELY = re.compile(r"(hard_)?neg(ative)?s?(_?[0-9]+)?", re.IGNORECASE)
_OWN = ("query", "anchor", "positive", "scores", "pos", "neg", "pos_scores", "neg_scores")


class Names(Model):
    """The names of columns; null: the form's own.

    Attributes:
        query: null: `query`; in n-tuples `anchor` where there is none.
        positive: one column or several, of a text or a list; null: `positive`, in form flag `pos`.
        negative: likewise; null: `negative`, `negative_1`, `negative_2` and so on, in form flag `neg`.
    """

    query: str | None = None
    positive: str | list[str] | None = None
    negative: str | list[str] | None = None

    def needed(self, columns: Sequence[str]) -> list[str]:
        """Return the columns that are needed: those that are named here, and of `columns` those of the forms."""
        named = [*_listed(self.query), *_listed(self.positive), *_listed(self.negative)]
        return list(dict.fromkeys([*named, *(name for name in columns if name in _OWN or _NEGATIVE.fullmatch(name))]))

    def check_negatives(self, columns: Sequence[str], file: Path) -> None:
        """Check that negatives of n-tuples are not passed over because of their columns' names.

        Raises:
            SourceError: they are.
        """
        if self.negative is not None or any(_NEGATIVE.fullmatch(name) for name in columns):
            return
        likely = [name for name in columns if _LIKELY.fullmatch(name)]
        if likely:
            raise SourceError(
                f"{file}: no column of negatives (negative, negative_1, ...) among {', '.join(columns[:30])}; "
                f"name them: source.columns: {{negative: [{', '.join(likely)}]}}"
            )


class Mined(NamedTuple):
    """What a row says; scores are as found, and None where the row has none.

    Attributes:
        mended: how many strings stood where a list is due.
    """

    query: str
    positives: list[str]
    negatives: list[str]
    positive_scores: list[object] | None
    negative_scores: list[object] | None
    mended: int = 0


def n_tuple(row: Mapping[str, Any], names: Names) -> Mined:
    """Read a row of sentence-transformers: a query, a positive, negatives in order, and perhaps `scores` of them all."""
    query = names.query or ("query" if "query" in row else "anchor")
    positives = _texts(row, _listed(names.positive or "positive"))
    negatives = _negatives(row, _listed(names.negative) if names.negative else _numbered(row))
    scores = _scores(row.get("scores"))
    first, rest = (None, None) if scores is None else (scores[: len(positives)], scores[len(positives) :])
    return Mined(text_of(row.get(query)), positives, negatives, first, rest)


def flag(row: Mapping[str, Any], names: Names) -> Mined:
    """Read a row of FlagEmbedding: `query`, `pos`, `neg`, and perhaps `pos_scores` and `neg_scores`."""
    positive, negative = _listed(names.positive or "pos"), _listed(names.negative or "neg")
    # A string is one text, not a list of its characters (FlagEmbedding issue 1388).
    mended = sum(not isinstance(row.get(name), list | None) for name in [*positive, *negative])
    return Mined(
        text_of(row.get(names.query or "query")),
        _texts(row, positive),
        _negatives(row, negative),
        _scores(row.get("pos_scores")),
        _scores(row.get("neg_scores")),
        mended,
    )


def records(mined: Mined, split: str, file: str, row: Row) -> Iterator[Record]:
    """Yield what a row says: positives are judged 1, negatives are given in their order and not judged.

    A positive with a score is given too, so that its score is known; places count positives first.
    """
    query_id = text_id("q", mined.query)
    sides = ((mined.positives, mined.positive_scores), (mined.negatives, mined.negative_scores))
    if any(scores is not None and len(scores) != len(texts) for texts, scores in sides):
        yield Reject("row", query_id, "scores_and_texts_differ_in_number", file, row)
        return
    for _ in range(mined.mended):
        yield Repair("row", query_id, "string_for_list", file, row)
    yield Query(query_id, mined.query, split, None, None, file, row)
    places = count(1)
    for texts, scores in sides:
        for text, score in zip(texts, scores or [None] * len(texts), strict=True):
            passage_id = text_id("p", text)
            yield Passage(passage_id, "", text, file, row)
            if texts is mined.positives:
                yield Qrel(query_id, passage_id, 1.0, file, row)
            if texts is mined.negatives or scores is not None:
                yield _given(query_id, passage_id, next(places), score, scored=scores is not None, at=(file, row))


def _given(
    query_id: str, passage_id: str, place: int, score: object, *, scored: bool, at: tuple[str, Row]
) -> Given | Reject:
    value = number(score)
    if scored and value is None:
        return Reject("given", f"{query_id}\t{passage_id}", "score_not_a_number", *at)
    return Given(query_id, passage_id, place, value, *at)


def _numbered(row: Mapping[str, Any]) -> list[str]:
    found = [(int(match[1] or 0), name) for name in row if (match := _NEGATIVE.fullmatch(name))]
    return [name for _, name in sorted(found)]


def _texts(row: Mapping[str, Any], names: list[str]) -> list[str]:
    return [text for name in names for text in texts_of(row.get(name))]


def _negatives(row: Mapping[str, Any], names: list[str]) -> list[str]:
    return [text for name in names for text in optional_texts(row.get(name))]


def _scores(value: object) -> list[object] | None:
    if value is None or value == "":
        return None
    return value if isinstance(value, list) else [value]


def _listed(names: str | list[str] | None) -> list[str]:
    return [names] if isinstance(names, str) else list(names or [])
