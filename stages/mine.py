"""Rank the corpus for every training query with the teacher."""

from embedder.cli.stage import Dataset, DryRun, stage_app


def mine(dataset: Dataset, dry_run: DryRun = False) -> None:  # noqa: FBT002 - a flag
    """Rank the corpus for every training query of DATASET with the teacher."""
    from embedder import closest, files, layout, mining, schemas, teachers
    from embedder.errors import ModelError, TeacherError
    from embedder.params.load import dataset_of, load
    from embedder.passages import PassageTexts, passage_ids
    from embedder.progress import say

    params = load()
    entry = dataset_of(params, dataset)
    queries = schemas.read(layout.table("ingest", dataset, "queries"), schemas.QUERIES)
    qrels = schemas.read(layout.table("ingest", dataset, "qrels"), schemas.QRELS)
    asked = mining.minable(queries, qrels, entry.positive_at)
    path, given = layout.table("ingest", dataset, "corpus"), layout.table("ingest", dataset, "given")
    passages = teachers.Corpus(
        passage_ids(path),
        PassageTexts(path),
        entry.language,
        given if given.exists() else None,
        entry.instruction,
        entry.instruct_passages,
    )
    if dry_run:
        from embedder.cli.estimate import print_estimates

        print_estimates(dataset, params, entry, asked["text"].to_pylist(), passages.texts)
        return
    try:
        teacher = teachers.build(params.teachers[params.teacher], passages, params.runtime)
        what = f"mine {dataset}: queries"
        depth, interval = params.mine.depth, params.runtime.log_interval
        mined = mining.mine(teacher, asked, passages.ids, qrels, entry, depth, params.teacher, what, interval)
        near = closest.Closest()
        if params.mine.cosines:
            near = closest.closest_positives(teacher, mined.run, mined.judged, passages.ids, entry)
    except (ModelError, TeacherError) as error:
        raise type(error)(f"datasets.{dataset}, teachers.{params.teacher}: {error}") from error
    with files.replacing(layout.folder("mine", dataset)) as folder:
        schemas.write(folder / "run.parquet", schemas.RUN, mined.run)
        schemas.write(folder / "judged.parquet", schemas.JUDGED, mined.judged)
        if mined.members is not None:
            schemas.write(folder / "members.parquet", schemas.MEMBERS, mined.members)
        counts = mining.mine_report(queries, asked, len(passages.ids), mined) | near.report()
        if near.table is not None:
            schemas.write(folder / "cosines.parquet", schemas.COSINES, near.table)
        files.write_json(folder / "report.json", {**schemas.metadata(mined.run), **counts, "scoring": teacher.report()})
    if near.reason:
        say(f"mine {dataset}: no cosines: {near.reason}")
    print(f"mine {dataset}: {asked.num_rows:,} queries, {mined.run.num_rows:,} rows by {params.teacher}")


app = stage_app(mine)

if __name__ == "__main__":
    app()
