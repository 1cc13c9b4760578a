"""Rank the corpus for every training query with the teacher."""

from embedder.cli.stage import Dataset, stage_app


def mine(dataset: Dataset) -> None:
    """Rank the corpus for every training query of DATASET with the teacher."""
    import pyarrow.compute as pc

    from embedder import files, layout, mining, schemas, teachers
    from embedder.params.load import dataset_of, load
    from embedder.texts import passage_text

    params = load()
    entry = dataset_of(params, dataset)
    queries, corpus, qrels = schemas.read_ingested(dataset)
    relevant = schemas.positives(qrels, entry.positive_at)
    train = queries.filter(pc.equal(queries.column("split"), "train"))
    minable = train.filter(pc.is_in(train.column("query_id"), relevant.column("query_id").combine_chunks()))
    columns = corpus.to_pydict()
    texts = [passage_text(*pair) for pair in zip(columns["title"], columns["text"], strict=True)]
    teacher = teachers.build(params.teachers[params.teacher], texts)
    made_by = {"teacher": params.teacher, "revision": teacher.revision, "depth": str(params.mine.depth)}
    run, judged = mining.mine(
        teacher,
        minable,
        columns["passage_id"],
        mining.judgements_of(minable.column("query_id").to_pylist(), columns["passage_id"], qrels),
        prompts=minable.column("text").to_pylist(),
        positive_at=entry.positive_at,
        depth=params.mine.depth,
        always=mining.always_kept(entry),
        what=f"mine {dataset}: queries",
        metadata=made_by,
    )
    report = made_by | {
        "queries": {
            "dev": queries.num_rows - train.num_rows,
            "no_positive": train.num_rows - minable.num_rows,
            "mined": minable.num_rows,
        },
        "passages": corpus.num_rows,
        "run_rows": run.num_rows,
        "judged_rows": judged.num_rows,
        "judged_beyond_depth": judged.column("rank").null_count,
    }
    with files.replacing(layout.folder("mine", dataset)) as folder:
        schemas.write(folder / "run.parquet", schemas.RUN, run)
        schemas.write(folder / "judged.parquet", schemas.JUDGED, judged)
        files.write_json(folder / "report.json", report)
    print(f"mine {dataset}: {minable.num_rows:,} queries, {run.num_rows:,} rows by {params.teacher}")


app = stage_app(mine)

if __name__ == "__main__":
    app()
