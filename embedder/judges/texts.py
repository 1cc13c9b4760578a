"""The texts of the pairs that a judge is asked about."""

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
    of_passages = texts_of(layout.table("ingest", dataset, "corpus"), set(passage_ids))
    if not (of_queries.keys() >= set(query_ids) and of_passages.keys() >= set(passage_ids)):
        raise TableError(
            f"{layout.folder('filter', dataset)}: older than {layout.folder('ingest', dataset)}; dvc repro"
        )
    texts = [of_queries[one] for one in query_ids], [of_passages[one] for one in passage_ids]
    return Pairs(query_ids, passage_ids, *texts)
