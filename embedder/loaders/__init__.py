"""Loaders turn a source into records. Adding one: one module with `Options` and `load`, one line below."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

from embedder.params.base import Model, module
from embedder.records import Record

LOADERS = {
    "beir": "embedder.loaders.beir",
    "given": "embedder.loaders.given",
    "hub": "embedder.loaders.hub",
    "mteb": "embedder.loaders.mteb",
    "python-env": "embedder.loaders.python_env",
    "table": "embedder.loaders.table",
}


@dataclass(frozen=True)
class Source:
    """What a loader returns: records to be read once, as found; nothing is cleaned or merged yet.

    Attributes:
        records: in the source's order; ids may repeat, qrels may point nowhere, texts may be anything.
        facts: what the report says of the source beside the counts: versions, digests, rows of each file. Complete
            once `records` is exhausted.
        one_label: whether a text has one label, so that two are a contradiction.
        dev_share: the share of groups that become dev whatever the source says; None leaves the source's splits.
        label_names: what a label is called where its id says little.
    """

    records: Iterable[Record]
    facts: dict[str, object] = field(default_factory=dict)
    one_label: bool = False
    dev_share: float | None = None
    label_names: dict[str, str] = field(default_factory=dict)


class Loader(Protocol):
    """What a loader's module has."""

    Options: type[Model]

    @staticmethod
    def load(options: Model, path: Path) -> Source:
        """Open the source at `path`; reading its records may raise too.

        Raises:
            SourceError: it is missing, empty, or not what `options` say.
        """
        ...


def load(options: Model, path: Path) -> Source:
    """Open a source with the loader that its options name; reading its records may raise too.

    Raises:
        SourceError: the source is missing, empty, or not what `options` say.
    """
    loader = cast("Loader", module(LOADERS, "loader", str(getattr(options, "loader", ""))))
    return loader.load(options, path)
