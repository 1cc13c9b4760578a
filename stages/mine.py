"""Rank the corpus for every training query with the teacher."""

from embedder.cli.stage import Dataset, stage_app


def mine(dataset: Dataset) -> None:
    """Rank the corpus for every training query of DATASET with the teacher."""
    from embedder import files, layout, mining, schemas, teachers
    from embedder.errors import TeacherError
    from embedder.params.load import dataset_of, load
    from embedder.texts import passage_text

    params = load()
    entry = dataset_of(params, dataset)
    queries, corpus, qrels = schemas.read_ingested(dataset)
    asked = mining.minable(queries, qrels, entry.positive_at)
    columns = corpus.to_pydict()
    texts = [passage_text(*pair) for pair in zip(columns["title"], columns["text"], strict=True)]
    given = layout.table("ingest", dataset, "given")
    passages = teachers.Corpus(columns["passage_id"], texts, entry.language, given if given.exists() else None)
    try:
        teacher = teachers.build(params.teachers[params.teacher], passages)
    except TeacherError as error:
        raise TeacherError(f"datasets.{dataset}: {error}") from error
    made_by = {"teacher": params.teacher, "revision": teacher.revision, "depth": str(params.mine.depth)}
    what = f"mine {dataset}: queries"
    run, judged = mining.mine(teacher, asked, passages.ids, qrels, entry, params.mine.depth, made_by, what)
    dev = queries["split"].to_pylist().count("dev")
    report = made_by | {
        "queries": {
            "dev": dev,
            "no_positive": queries.num_rows - dev - asked.num_rows,
            "mined": asked.num_rows,
        },
        "passages": corpus.num_rows,
        "run_rows": run.num_rows,
        "judged_rows": judged.num_rows,
        "judged_beyond_depth": judged.column("rank").null_count,
        "judged_without_score": judged.column("score").null_count,
    }
    with files.replacing(layout.folder("mine", dataset)) as folder:
        schemas.write(folder / "run.parquet", schemas.RUN, run)
        schemas.write(folder / "judged.parquet", schemas.JUDGED, judged)
        files.write_json(folder / "report.json", report)
    print(f"mine {dataset}: {asked.num_rows:,} queries, {run.num_rows:,} rows by {params.teacher}")


app = stage_app(mine)

if __name__ == "__main__":
    app()
