"""The dev queries that are set aside to choose a model by: which they are, and the folder that training reads.

data/materialize/selection/selection.json                        the share and the terms of each dataset, or null and none
data/materialize/selection/D/{queries,corpus,qrels}.parquet      what a score on D needs

Training depends on this folder, not on what ingest wrote: without a selection nothing that is done to a dev query, and
with one no dataset that is evaluated only, makes a training old.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from embedder import files, schemas
from embedder.errors import TableError
from embedder.params.finetune import Selection
from embedder.params.models import Dataset, Terms

INDEX = "selection.json"
_HASHES = 16**13
_TABLES = (schemas.QUERIES, schemas.CORPUS, schemas.QRELS)

Tables = tuple[pa.Table, pa.Table, pa.Table]
"""Queries, corpus and qrels of a dataset, as ingest writes them."""


@dataclass(frozen=True)
class Part:
    """What a score on one dataset needs: its terms, and its tables as far as they are needed."""

    terms: Terms
    tables: Tables


def groups(queries: Iterable[pa.Table], share: float) -> frozenset[str]:
    """Draw the groups that are set aside: of all groups with dev queries those whose hash falls into that share.

    As ingest draws dev from all groups, so what belongs together stays together, a group has its place whatever other
    groups, datasets and stages there are, and a share of groups is no exact share of queries.

    Args:
        queries: the table `queries` of every dataset that chooses, see `chooses`.
        share: of the groups, from 0 to 1.
    """
    names = {name for table in queries for name in table.filter(_is_dev(table)).column("group_id").unique().to_pylist()}
    return frozenset(name for name in names if _hash(name) < share * _HASHES)


def set_aside(queries: pa.Table, drawn: Collection[str]) -> NDArray[np.bool_]:
    """Tell which queries are set aside, [queries]: the dev queries of the groups that are drawn."""
    inside = pc.is_in(queries.column("group_id"), pa.array(sorted(drawn), pa.string()))
    return np.asarray(pc.and_(inside, _is_dev(queries)).to_numpy(zero_copy_only=False), dtype=np.bool_)


def chooses(entry: Dataset) -> bool:
    """Whether a model is chosen by dev queries of a dataset: not where it is evaluated only."""
    return entry.weight > 0


def write(
    folder: Path, selection: Selection | None, entries: Mapping[str, Dataset], ingested: Mapping[str, Tables]
) -> None:
    """Write the folder, which without a selection is the same whatever there is."""
    choosing = {name: entry.terms for name, entry in entries.items() if selection and chooses(entry)}
    share = selection.share if selection else None
    drawn = groups((ingested[name][0] for name in choosing), share or 0.0)
    folder.mkdir()
    for name in choosing:
        tables = _needed(entries[name], *ingested[name], drawn)
        for path, table, data in zip(_paths(folder, name), _TABLES, tables, strict=True):
            schemas.write(path, table, data.replace_schema_metadata(None))
    said = {name: terms.model_dump(mode="json") for name, terms in choosing.items()}
    files.write_json(folder / INDEX, {"share": share, "datasets": said})


def read(folder: Path, share: float) -> dict[str, Part]:
    """Read the part of every dataset that is set aside.

    Raises:
        TableError: it is missing, or of another share.
    """
    path = folder / INDEX
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise TableError(f"{path}: no such file; run `python -m stages.materialize` (dvc repro)") from error
    if index["share"] != share:
        raise TableError(f"{path}: of share {index['share']}, not {share}; run `python -m stages.materialize` again")
    found = {}
    for name, said in index["datasets"].items():
        queries, corpus, qrels = map(schemas.read, _paths(folder, name), _TABLES)
        found[name] = Part(Terms.model_validate(said), (queries, corpus, qrels))
    return found


def _paths(folder: Path, name: str) -> tuple[Path, ...]:
    return tuple(folder / name / f"{table.name}.parquet" for table in _TABLES)


def _needed(entry: Dataset, queries: pa.Table, corpus: pa.Table, qrels: pa.Table, drawn: Collection[str]) -> Tables:
    """Keep the dev queries that are set aside, what is judged for them, and of label tasks all that are trained on.

    Retrieval searches the whole corpus; other tasks have no use for a passage that is not judged.
    """
    aside = pa.array(set_aside(queries, drawn))
    judged = qrels.filter(pc.is_in(qrels["query_id"], queries.filter(aside)["query_id"].combine_chunks()))
    if entry.task != "retrieval":
        corpus = corpus.filter(pc.is_in(corpus["passage_id"], judged["passage_id"].combine_chunks()))
    kept = pc.or_(aside, pc.invert(_is_dev(queries))) if entry.labelled else aside
    return queries.filter(kept), corpus, judged


def _is_dev(queries: pa.Table) -> pa.ChunkedArray:
    return pc.equal(queries.column("split"), "dev")


def _hash(group: str) -> int:
    """Another hash than that which made the group dev: those have small ones of that."""
    return int(hashlib.sha256(f"selection\0{group}".encode()).hexdigest()[:13], 16)
