"""Which dev queries are measured, and which choose a model, so that no choice flatters a result."""

from dataclasses import replace

import pyarrow as pa

from embedder import layout, schemas
from embedder.evaluation.dev import DevSet, dev_set
from embedder.params.models import Params
from embedder.set_aside import Part, chooses, groups, set_aside


def reported(params: Params) -> dict[str, DevSet]:
    """Read of each dataset the dev queries that results are about: all, or all but those of groups that chose.

    A dataset that is evaluated only chooses nothing; of it those are left out whose group another dataset has, too.
    """
    drawn = _drawn(params)
    found = {}
    for name, entry in params.datasets.items():
        queries, corpus, qrels = schemas.read_ingested(name)
        aside = set_aside(queries, drawn)
        left = dev_set(name, entry, queries.filter(pa.array(~aside)), corpus, qrels)
        found[name] = replace(left, set_aside=int(aside.sum()))
    return found


def choosing(parts: dict[str, Part]) -> dict[str, DevSet]:
    """Return of each dataset the dev queries that are set aside, with all that they are measured against."""
    return {name: dev_set(name, part.terms, *part.tables) for name, part in parts.items()}


def _drawn(params: Params) -> frozenset[str]:
    if not params.finetune.selection:
        return frozenset()
    names = [name for name, entry in params.datasets.items() if chooses(entry)]
    tables = (schemas.read(layout.table("ingest", name, "queries"), schemas.QUERIES) for name in names)
    return groups(tables, params.finetune.selection.share)
