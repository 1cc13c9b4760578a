"""The texts of the pairs that a judge is asked about."""

from collections.abc import Collection, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from embedder import layout, schemas
from embedder.errors import TableError
from embedder.judges import Pairs
from embedder.passages import texts_of


def read(dataset: str, pairs: pa.Table) -> Pairs:
    """Return pairs with their texts, which are all in memory at once.

    Args:
        dataset: its name.
        pairs: columns query_id and passage_id.

    Raises:
        TableError: one of them is not in what was ingested.
    """
    query_ids, passage_ids = pairs["query_id"].to_pylist(), pairs["passage_id"].to_pylist()
    queries = schemas.read(layout.table("ingest", dataset, "queries"), schemas.QUERIES)
    asked = queries.filter(pc.is_in(queries["query_id"], pc.unique(pairs["query_id"])))
    of_queries = dict(zip(asked["query_id"].to_pylist(), asked["text"].to_pylist(), strict=True))
    of_passages = passages(dataset, set(passage_ids))
    _require(dataset, query_ids, of_queries)
    texts = [of_queries[one] for one in query_ids], [of_passages[one] for one in passage_ids]
    return Pairs(query_ids, passage_ids, *texts)


def passages(dataset: str, passage_ids: Collection[str]) -> Mapping[str, str]:
    """Return the joined texts of some passages by their ids.

    Raises:
        TableError: one of them is not in what was ingested.
    """
    found = texts_of(layout.table("ingest", dataset, "corpus"), passage_ids)
    _require(dataset, passage_ids, found)
    return found


def _require(dataset: str, ids: Collection[str], found: Mapping[str, str]) -> None:
    if not found.keys() >= set(ids):
        raise TableError(
            f"{layout.folder('filter', dataset)}: older than {layout.folder('ingest', dataset)}; dvc repro"
        )
