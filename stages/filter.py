"""Give every mined candidate a verdict, and the rules that refuse it."""

from embedder.cli.stage import Dataset, stage_app


def filter_candidates(dataset: Dataset) -> None:
    """Give every mined candidate of DATASET a verdict, and the rules that refuse it."""
    from embedder import files, layout, schemas
    from embedder.candidates import filter_report, judge_candidates
    from embedder.held_out import dev_positives
    from embedder.params.load import dataset_of, load

    params = load()
    entry = dataset_of(params, dataset)
    queries, corpus, qrels = schemas.read_ingested(dataset)
    run = schemas.read(layout.table("mine", dataset, "run"), schemas.RUN)
    judged = schemas.read(layout.table("mine", dataset, "judged"), schemas.JUDGED, schemas.metadata(run))
    held_out = dev_positives(queries, qrels, entry)
    rules = params.filter_of(dataset)
    candidates = judge_candidates(run, judged, queries, corpus, held_out, entry, rules)
    report = filter_report(candidates, judged, entry, rules)
    with files.replacing(layout.folder("filter", dataset)) as folder:
        schemas.write(folder / "candidates.parquet", schemas.CANDIDATES, candidates)
        files.write_json(folder / "report.json", report)
    counts = ", ".join(f"{name} {count:,}" for name, count in report["verdicts"].items() if count)
    print(f"filter {dataset}: {counts}")


app = stage_app(filter_candidates)

if __name__ == "__main__":
    app()
