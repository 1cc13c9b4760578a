"""Measure the base, the tuned model and BM25 on the dev split of every dataset."""

from embedder.cli.stage import stage_app


def evaluate() -> None:
    """Measure the base, the tuned model and BM25 on the dev split of every dataset."""
    from embedder import files, layout, schemas
    from embedder.evaluation import results, suite
    from embedder.evaluation.dev import dev_set
    from embedder.evaluation.models import loaders
    from embedder.params.load import load
    from embedder.report.results import print_results

    params = load()
    sets = {name: dev_set(name, entry, *schemas.read_ingested(name)) for name, entry in params.datasets.items()}
    outcome = suite.evaluate(
        sets, params.datasets, loaders(params), params.teachers[params.evaluate.lexical], params.evaluate
    )
    with files.replacing(layout.folder("evaluate")) as folder:
        schemas.write(folder / "queries.parquet", schemas.SCORES, outcome.scores)
        results.write_rows(folder / "results.csv", outcome.rows)
        files.write_json(folder / "metrics.json", results.flat_metrics(outcome.rows))
        files.write_json(folder / "report.json", outcome.report)
    print_results(layout.RESULTS)


app = stage_app(evaluate)

if __name__ == "__main__":
    app()
