"""Read a dataset from its source, clean it, merge equal texts, list what was refused."""

from embedder.cli.stage import Dataset, DryRun, stage_app


def ingest(dataset: Dataset, dry_run: DryRun = False) -> None:  # noqa: FBT002 - a flag
    """Read DATASET from its source, clean it, merge equal texts, list what was refused."""
    from dataclasses import replace
    from pathlib import Path

    from embedder import files, layout, loaders, store
    from embedder.errors import SourceError
    from embedder.ingestion import settling
    from embedder.ingestion.gathering import TABLES
    from embedder.params.load import dataset_of, load
    from embedder.progress import count

    params = load()
    entry, settings = dataset_of(params, dataset), params.ingest_of(dataset)
    path = Path(entry.path)
    if not path.exists():
        raise SourceError(f"datasets.{dataset}.path: there is no {path}; correct it in {layout.PARAMS}")
    try:
        with store.opened(layout.CACHE, TABLES) as tables:
            source = loaders.load(entry.source, path)
            watched = replace(source, records=count(source.records, f"records read of {dataset}"))
            settled = settling.settle(watched, entry, settings, tables)
            if dry_run:
                from embedder.cli.preview import preview

                preview(settled, entry)
            settling.check(settled, settings.max_reject_share)
            notices = list(settling.notices(settled, entry))
            if dry_run:
                print("", *notices, sep="\n")
                return
            with files.replacing(layout.folder("ingest", dataset)) as folder:
                settling.write(settled, folder)
    except SourceError as error:
        raise SourceError(f"datasets.{dataset}: {error}") from error
    print("\n".join(f"ingest {dataset}: {line}" for line in [settling.summary(settled.report), *notices]))


app = stage_app(ingest)

if __name__ == "__main__":
    app()
