"""Let a judge look at what the filter kept; without one, pass it on."""

from embedder.cli.stage import Dataset, stage_app


def judge(dataset: Dataset) -> None:
    """Let the judge look at what the filter of DATASET kept; `judge: none` passes it on."""
    import pyarrow as pa

    from embedder import files, layout, schemas
    from embedder.params.load import dataset_of, load

    dataset_of(load(), dataset)
    candidates = schemas.read(layout.table("filter", dataset, "candidates"), schemas.CANDIDATES)
    unasked = pa.nulls(candidates.num_rows, pa.float32())
    columns = {name: candidates[name] for name in candidates.column_names}
    columns |= {"judge_score": unasked, "positive_judge_score": unasked}
    judged = schemas.build(schemas.JUDGED_CANDIDATES, columns, schemas.metadata(candidates) | {"judge": "none"})
    with files.replacing(layout.folder("judge", dataset)) as folder:
        schemas.write(folder / "candidates.parquet", schemas.JUDGED_CANDIDATES, judged)
        files.write_json(folder / "report.json", {"judge": "none", "candidates": judged.num_rows, "judged": 0})
    print(f"judge {dataset}: no judge, {judged.num_rows:,} candidates passed on")


app = stage_app(judge)

if __name__ == "__main__":
    app()
