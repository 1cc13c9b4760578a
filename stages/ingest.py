"""Read a dataset from its source, merge equal texts, list what was refused."""

from embedder.cli.stage import Dataset, stage_app


def ingest(dataset: Dataset) -> None:
    """Read DATASET from its source, merge equal texts, list what was refused."""
    from pathlib import Path

    from embedder import files, layout, loaders, schemas
    from embedder.errors import SourceError
    from embedder.ingestion import ingest as settle
    from embedder.params.load import dataset_of, load

    entry = dataset_of(load(), dataset)
    path = Path(entry.path)
    if not path.exists():
        raise SourceError(f"datasets.{dataset}.path: there is no {path}; correct it in {layout.PARAMS}")
    try:
        source = loaders.load(entry.source, path)
        tables = settle(source, entry.task, entry.positive_at, entry.label_mode)
    except SourceError as error:
        raise SourceError(f"datasets.{dataset}: {error}") from error
    with files.replacing(layout.folder("ingest", dataset)) as folder:
        schemas.write(folder / "queries.parquet", schemas.QUERIES, tables.queries)
        schemas.write(folder / "corpus.parquet", schemas.CORPUS, tables.corpus)
        schemas.write(folder / "qrels.parquet", schemas.QRELS, tables.qrels)
        schemas.write(folder / "aliases.parquet", schemas.ALIASES, tables.aliases)
        schemas.write(folder / "rejects.parquet", schemas.REJECTS, tables.rejects)
        files.write_json(folder / "report.json", tables.report)
    kept = tables.report["kept"]
    print(f"ingest {dataset}: kept {kept}, merged {tables.report['merged']}, rejected {tables.report['rejected']}")


app = stage_app(ingest)

if __name__ == "__main__":
    app()
