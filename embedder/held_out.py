"""What is held out: passages that answer dev queries must be neither negatives nor texts to learn from."""

import pyarrow as pa
import pyarrow.compute as pc

from embedder import schemas
from embedder.params.models import Dataset


def dev_positives(queries: pa.Table, qrels: pa.Table, entry: Dataset) -> pa.Array:
    """Return the ids of the passages that are positives of dev queries.

    Label tasks have none: a label belongs to train and dev alike, and the examples of a label are train queries.
    """
    if entry.labelled:
        return pa.array([], pa.string())
    dev = queries.filter(pc.equal(queries["split"], "dev"))["query_id"]
    relevant = schemas.positives(qrels, entry.positive_at)
    return pc.unique(relevant.filter(pc.is_in(relevant["query_id"], dev.combine_chunks()))["passage_id"])
