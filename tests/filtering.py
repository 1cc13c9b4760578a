"""The filter over tables that are held in memory: candidates and report, as the stage makes them of files."""

from typing import Any

import pyarrow as pa

from embedder import schemas
from embedder.candidates import Filtering, made_by
from embedder.filter_report import Tally
from embedder.params.models import Dataset, Filter

DRAWS = 7


def filter_tables(
    run: pa.Table, judged: pa.Table, queries: pa.Table, corpus: pa.Table, entry: Dataset, rules: Filter, rows: int = 7
) -> tuple[pa.Table, dict[str, Any]]:
    """Return candidates and report of a run without held-out passages, in blocks of about `rows` rows."""
    filtering = Filtering(queries, corpus, judged, pa.array([], pa.string()), entry, rules)
    tally, made, found = Tally(filtering, entry, DRAWS), made_by(run.schema, filtering.rules), []
    for block in filtering.blocks(run.to_batches(), rows):
        tally.add(block)
        found.append(block.table)
    table = pa.concat_tables([schemas.CANDIDATES.schema.empty_table(), *found])
    return schemas.build(schemas.CANDIDATES, table, made), tally.report(made)
