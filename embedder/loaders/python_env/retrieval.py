"""The retrieval views: from a definition's first sentence to the rest of its documentation, or to its code."""

from collections.abc import Callable, Sequence

from embedder.loaders.python_env.docstrings import plain
from embedder.loaders.python_env.groups import MIN_STATEMENTS
from embedder.loaders.python_env.parse import Definition
from embedder.loaders.python_env.rows import Entry, Rows, query, reject
from embedder.records import Passage, Qrel
from embedder.texts import normalise

MIN_BODY_WORDS = 5


def pydoc_search(entries: Sequence[Entry]) -> Rows:
    """Summaries as queries, the rest of their docstrings as passages."""
    return _search(entries, lambda d: d.body, _refused_body)


def code_search(entries: Sequence[Entry]) -> Rows:
    """Summaries as queries, code without docstring and own name as passages."""
    return _search(entries, lambda d: d.code, _refused_code)


def _search(
    entries: Sequence[Entry], text: Callable[[Definition], str], refused: Callable[[Definition], str | None]
) -> Rows:
    """One query, passage and positive per definition that is not refused; equal texts are merged at ingest."""
    rows = Rows()
    for entry in entries:
        definition = entry.definition
        reason = refused(definition)
        # Summaries have no markup, so it must not hide them in a body.
        if not reason and normalise(definition.summary).rstrip(".") in normalise(plain(text(definition))):
            reason = "holds its query"
        if reason:
            rows.rejects.append(reject(definition, reason))
            continue
        rows.queries.append(query(entry, definition.summary))
        rows.passages.append(Passage(definition.id, "", text(definition)))
        rows.qrels.append(Qrel(definition.id, definition.id, 1.0))
    return rows


def _refused_body(definition: Definition) -> str | None:
    return "body too short" if len(definition.body.split()) < MIN_BODY_WORDS else None


def _refused_code(definition: Definition) -> str | None:
    if definition.kind == "class":
        return "class"
    return "too few statements" if definition.statements < MIN_STATEMENTS else None
