"""Which dev queries are measured, and which are set aside to choose a model by, so that no choice flatters a result."""

import hashlib
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder import schemas
from embedder.evaluation.dev import DevSet, dev_set
from embedder.params.models import Params

_HASHES = 16**13


def reported(params: Params) -> dict[str, DevSet]:
    """Read of each dataset the dev queries that results are about: all, or all but those set aside."""
    share = params.finetune.selection.share if params.finetune.selection else 0.0
    found = {}
    for name, entry in params.datasets.items():
        queries, corpus, qrels = schemas.read_ingested(name)
        aside = set_aside(queries, share)
        left = dev_set(name, entry, queries.filter(pa.array(~aside)), corpus, qrels)
        found[name] = replace(left, set_aside=int(aside.sum()))
    return found


def chosen_by(params: Params, share: float) -> dict[str, DevSet]:
    """Read of each dataset the dev queries that are set aside; its corpus, judgements and train queries are whole."""
    found = {}
    for name, entry in params.datasets.items():
        queries, corpus, qrels = schemas.read_ingested(name)
        others = ~set_aside(queries, share) & _is_dev(queries)
        found[name] = dev_set(name, entry, queries.filter(pa.array(~others)), corpus, qrels)
    return found


def set_aside(queries: pa.Table, share: float) -> NDArray[np.bool_]:
    """Tell which queries are set aside: dev queries of groups whose hash falls into that share of all hashes.

    As ingest draws dev from all groups, so what belongs together stays together, a group has its place whatever other
    groups, datasets and stages there are, and a share of groups is no exact share of queries.

    Args:
        queries: the table `queries` of a dataset.
        share: of the dev groups, from 0 to 1.

    Returns:
        [queries].
    """
    groups = {group: _hash(group) < share * _HASHES for group in pc.unique(queries.column("group_id")).to_pylist()}
    chosen = np.array([groups[group] for group in queries.column("group_id").to_pylist()], dtype=np.bool_)
    return chosen & _is_dev(queries)


def _is_dev(queries: pa.Table) -> NDArray[np.bool_]:
    return np.asarray(pc.equal(queries.column("split"), "dev").to_numpy(zero_copy_only=False), dtype=np.bool_)


def _hash(group: str) -> int:
    """Another hash than that which made the group dev: those have small ones of that."""
    return int(hashlib.sha256(f"selection\0{group}".encode()).hexdigest()[:13], 16)
