"""Give every mined candidate a verdict, and the rules that refuse it; measure what the rules would let through."""

from typing import TYPE_CHECKING

from embedder.cli.stage import Dataset, stage_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from embedder.candidates import Block


def filter_candidates(dataset: Dataset) -> None:
    """Give every mined candidate of DATASET a verdict, and the rules that refuse it."""
    from embedder import files, layout, row_groups, schemas
    from embedder.candidates import Filtering, made_by
    from embedder.held_out import dev_positives
    from embedder.leak.settings import settings
    from embedder.measures import Measures
    from embedder.params.load import dataset_of, load
    from embedder.progress import say

    params = load()
    entry, rules = dataset_of(params, dataset), params.filter_of(dataset)
    queries, corpus, qrels = schemas.read_ingested(dataset)
    path, members = layout.table("mine", dataset, "run"), layout.table("mine", dataset, "members")
    written = layout.table("mine", dataset, "cosines")
    cosines = written if written.exists() else None
    mined = schemas.peek(path, schemas.RUN)
    judged = schemas.read(layout.table("mine", dataset, "judged"), schemas.JUDGED, schemas.metadata(mined))
    held_out = dev_positives(queries, qrels, entry)
    filtering = Filtering(queries, corpus, judged, held_out, entry, rules, cosines)
    for rule in filtering.rules_without_data:
        say(f"filter {dataset}: the teacher wrote no cosines, so {rule} refuses nothing")
    made = made_by(mined.schema, filtering.rules)
    grid = settings(filtering.rules, int(made["depth"]), scored=not members.exists())
    stored = params.materialize.num_negatives
    measures = Measures(filtering, queries, qrels, judged, entry, params.leak, made, grid, stored, cosines)

    def measured(blocks: "Iterator[Block]") -> "Iterator[pa.RecordBatch]":
        for block in blocks:
            measures.add(block)
            yield from block.table.to_batches()

    with files.replacing(layout.folder("filter", dataset)) as folder:
        blocks = filtering.blocks(row_groups.read(path, schemas.RUN, schemas.RUN.schema.names))
        row_groups.write(folder / "candidates.parquet", schemas.CANDIDATES, measured(blocks), made)
        measures.write(folder)
    counts = ", ".join(f"{name} {count:,}" for name, count in measures.tally.verdicts.items() if count)
    print(f"filter {dataset}: {counts}")
    if empty := measures.tally.without_negatives:
        print(f"filter {dataset}: of {len(filtering.query_ids):,} queries {empty:,} keep none")


app = stage_app(filter_candidates)

if __name__ == "__main__":
    app()
