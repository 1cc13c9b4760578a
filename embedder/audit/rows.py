"""From rows with columns to evidence: pairs, triplets, n-tuples, scored pairs, labelled texts."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from embedder.audit.evidence import Evidence, Role, Unusable
from embedder.errors import SourceError, unknown
from embedder.loaders.cells import Found
from embedder.loaders.columns import number, text_of, texts_of
from embedder.records import Reject

# The names that are in use, in the order in which they are looked for; a digit or two may follow a negative's.
KNOWN: Mapping[str, str] = {
    "query": "query anchor question query_text sentence_?1 sent1 text_?1 premise",
    "positive": "positive pos positives positive_text answer answers response passage document",
    "negative": "(hard_)?(negative|neg)s?(_?[0-9]+)? wrong(_?[0-9]+)? negative_text",
    "positive_score": "pos_scores? positive_scores?",
    "negative_score": "neg_scores? negative_scores?",
    "scores": "scores",
    "second": "sentence_?2 sent2 text_?2 hypothesis",
    "score": "score scores similarity similarity_score relevance label labels",
    "text": "text sentence content query anchor question",
    "label": "label label_text category class intent",
    "labels": "labels tags",
}
# As params.yaml calls them.
_ALSO: Mapping[str, str] = {"passage": "second", "relevance": "score"}
ROLES = (*KNOWN, *_ALSO)
GIVEN = ("query", "positive", "negative", "passage", "relevance", "label", "labels")
_FORMS = ("query, positive", "query, passage, relevance", "query, label", "query, labels")
_SINGLE = ("query", "second", "score", "text")
Roles = Mapping[str, tuple[str, ...]]
# FlagEmbedding's columns hold lists; of a string it reads the characters (its issue 1388).
_LISTS = ("pos", "neg")
# How many unread columns are named.
_NAMED = 10


@dataclass(frozen=True)
class Place:
    """Where a row belongs: what it is audited with, and which split it is of."""

    scope: str
    file: str


def recognise(columns: Sequence[str]) -> Roles | None:
    """Say by the names of columns what each holds; None where they are no known form."""
    found = {role: _matching(columns, pattern) for role, pattern in KNOWN.items()}
    one = {role: names[:1] for role, names in found.items()}
    if found["query"] and found["positive"]:
        scores = {role: one[role] for role in ("positive_score", "negative_score", "scores")}
        return _stated({"query": one["query"], "positive": one["positive"], "negative": found["negative"], **scores})
    if found["query"] and found["second"]:
        if found["score"]:
            return {"query": one["query"], "second": one["second"], "score": one["score"]}
        return _stated({"query": one["query"], "positive": one["second"], "negative": found["negative"]})
    # A label beside tags is what the text is; tags alone are its labels.
    for role in ("label", "labels"):
        if found["text"] and found[role]:
            return {"text": one["text"], role: one[role]}
    return None


def parse(said: str, columns: Sequence[str]) -> Roles:
    """Read `query=question,positive=answer,negative=n1+n2`; `negative=n1,negative=n2` says the same.

    Args:
        said: the roles and the columns that hold them.
        columns: all there are; a name with a + may be one of them.

    Raises:
        SourceError: a part is no role=column, a column is unknown, or the roles make no form.
    """
    roles: dict[str, tuple[str, ...]] = {}
    for part in said.split(","):
        role, equals, name = (word.strip() for word in part.partition("="))
        if not equals or not name:
            raise SourceError(f"--columns '{part}': is no role=column; write --columns query=question,positive=answer")
        if role not in ROLES:
            raise SourceError(f"--columns: {unknown('role', role, ROLES)}")
        names = [name] if name in columns else [each.strip() for each in name.split("+")]
        if gone := next((each for each in names if each not in columns), None):
            raise SourceError(f"--columns: {unknown('column', gone, columns[:30])}")
        role = _ALSO.get(role, role)
        roles[role] = (*roles.get(role, ()), *names)
    if "query" in roles and roles.keys() & {"label", "labels"}:
        roles = {"text": roles.pop("query") + roles.pop("text", ()), **roles}
    _check(said, roles)
    return roles


def _check(said: str, roles: Roles) -> None:
    forms = ({"query", "positive"}, {"query", "second", "score"}, {"text", "label"}, {"text", "labels"})
    if not any(form <= set(roles) for form in forms):
        raise SourceError(f"--columns '{said}': names no whole form; there are: {'; '.join(_FORMS)}; negative, "
                          "positive_score and negative_score may join query, positive")  # fmt: skip
    for role in _SINGLE:
        if len(names := roles.get(role, ())) > 1:
            raise SourceError(f"--columns '{said}': {' and '.join(names)} cannot both be one; only positive, negative, "
                              "their scores and labels may be several columns")  # fmt: skip


def said(roles: Roles) -> str:
    """Say what rows with these columns are."""
    kind = "labelled texts" if "text" in roles else "scored pairs" if "second" in roles else "pairs"
    if "negative" in roles:
        kind = "triplets or tuples with negatives"
    held = ", ".join(f"{role}: {' + '.join(names)}" for role, names in roles.items())
    return f"{kind} ({held})"


def columns_of(roles: Roles) -> list[str]:
    """Return the columns that are read."""
    return list(dict.fromkeys(name for names in roles.values() for name in names))


def unread(plans: Iterable[tuple[Sequence[str], Roles]]) -> str:
    """Say which columns nobody reads, so that a negative of an unknown name is noticed; empty where all are read.

    Args:
        plans: the columns and the roles of each file.
    """
    names = list(dict.fromkeys(name for columns, roles in plans for name in columns if name not in columns_of(roles)))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"; not read: {', '.join(names[:_NAMED])}{more}" if names else ""


def fill(evidence: Evidence, rows: Iterable[Found], roles: Roles, place: Place) -> None:
    """Take rows into the evidence; a row that cannot be read is noted and nothing of it is audited."""
    for number_, row in rows:
        evidence.rows += 1
        if isinstance(row, Reject):
            evidence.note("unreadable", row.reason, place.file, number_)
            continue
        try:
            _Row(evidence, row, roles, place, number_).take()
        except Unusable as reason:
            evidence.note("unreadable", str(reason), place.file, number_)


class _Row:
    """One row on its way into the evidence; nothing is written before all of it is read."""

    def __init__(self, evidence: Evidence, row: Mapping[str, Any], roles: Roles, place: Place, number_: int) -> None:
        self.evidence, self.row, self.roles, self.place, self.number = evidence, row, roles, place, number_
        self.empty: list[str] = []

    def take(self) -> None:
        query = self._key(text_of(self.row.get(self._column("text" if "text" in self.roles else "query"))), "query")
        pairs = [(role, self._key(text, role), score) for role, text, score in self._passages()]
        for role in self.empty:
            self.evidence.note("empty_text", role, self.place.file, self.number)
        for role, passage, score in pairs:
            if query and passage:
                self.evidence.pair(
                    self.place.scope, self.evidence.rows, query, passage, role, score, self.place.file, self.number,
                    is_label=role in {"label", "labels"},
                )  # fmt: skip

    def _passages(self) -> list[tuple[Role, str, float | None]]:
        if "label" in self.roles:
            return [("label", text, None) for text in self._texts("label")]
        if "labels" in self.roles:
            return [("labels", text, None) for text in self._texts("labels")]
        if "second" in self.roles:
            score = self._score(self.row.get(self._column("score")))
            return [("graded", text_of(self.row.get(self._column("second"))), score)]
        positives, negatives = self._texts("positive") or [""], self._texts("negative")
        scores = self._scores("scores", len(positives) + len(negatives))
        found = self._scores("positive_score", len(positives)) or scores[: len(positives)]
        below = self._scores("negative_score", len(negatives)) or scores[len(positives) :]
        first: list[tuple[Role, str, float | None]] = [("positive", *pair) for pair in zip_longest(positives, found)]
        return first + [("negative", *pair) for pair in zip_longest(negatives, below)]

    def _texts(self, role: str) -> list[str]:
        names = self.roles.get(role, ())
        if any(name in _LISTS and isinstance(self.row.get(name), str) for name in names):
            self.evidence.note("string_for_list", f"{role} is a string, not a list", self.place.file, self.number)
        return [text for name in names for text in texts_of(self.row.get(name))]

    def _scores(self, role: str, due: int) -> list[float]:
        found = [self._score(value) for value in self._values(role)]
        if found and len(found) != due:
            raise Unusable("scores_and_texts_differ_in_number")
        return found

    def _values(self, role: str) -> list[object]:
        values = [self.row.get(name) for name in self.roles.get(role, ())]
        listed = [value if isinstance(value, list) else [value] for value in values if value is not None]
        return [one for value in listed for one in value]

    def _score(self, value: object) -> float:
        score = number(value)
        if score is None:
            raise Unusable("score_not_a_number")
        return score

    def _column(self, role: str) -> str:
        return self.roles[role][0]

    def _key(self, text: str, role: str) -> bytes | None:
        key = self.evidence.key(text)
        if key is None:
            self.empty.append(role)
        return key


def _matching(columns: Sequence[str], patterns: str) -> tuple[str, ...]:
    """Return the columns whose names are known, in the order of the patterns, then in their own."""
    found = [name for known in patterns.split() for name in columns if re.fullmatch(known, name.strip().lower())]
    return tuple(dict.fromkeys(found))


def _stated(roles: Roles) -> Roles:
    return {role: names for role, names in roles.items() if names}
