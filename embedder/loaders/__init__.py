"""Loaders turn a source into raw tables. Adding one: one module with `Options` and `load`, one line below."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

import pyarrow as pa

from embedder.params.base import Model, module

LOADERS = {
    "python-env": "embedder.loaders.python_env",
}


@dataclass(frozen=True)
class Reject:
    """A row that was refused: what it was, its id, why, and where it stands."""

    kind: str
    id: str
    reason: str
    file: str
    row: int


@dataclass(frozen=True)
class Source:
    """What a loader returns; ids are unique within a table, texts are as found, nothing is merged yet.

    Attributes:
        queries: columns query_id, text, split, group_id, labels (list of strings, or null).
        corpus: columns passage_id, title, text; empty where labels are to be the passages.
        qrels: columns query_id, passage_id, relevance; empty where labels are.
        rejects: every row that was refused.
        facts: what the report says of the source beside the counts: versions, digests.
    """

    queries: pa.Table
    corpus: pa.Table
    qrels: pa.Table
    rejects: list[Reject] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)


class Loader(Protocol):
    """What a loader's module has."""

    Options: type[Model]

    @staticmethod
    def load(options: Model, path: Path) -> Source:
        """Read the source at `path`.

        Raises:
            SourceError: it is missing, empty, or not what `options` say.
        """
        ...


def load(options: Model, path: Path) -> Source:
    """Read a source with the loader that its options name.

    Raises:
        SourceError: the source is missing, empty, or not what `options` say.
    """
    loader = cast("Loader", module(LOADERS, "loader", str(getattr(options, "loader", ""))))
    return loader.load(options, path)
