"""Measure the base, the tuned model and BM25 on the dev split of every dataset."""

from embedder.cli.stage import stage_app


def evaluate() -> None:
    """Measure the base, the tuned model and BM25 on the dev split of every dataset."""
    from embedder import files, layout, model_card, schemas
    from embedder.evaluation import results, suite
    from embedder.evaluation.models import loaders
    from embedder.evaluation.parts import reported
    from embedder.params.load import load
    from embedder.report.results import print_results

    params = load()
    card, lexical = layout.MODEL / "README.md", params.teachers[params.evaluate.lexical]
    outcome = suite.evaluate(reported(params), params.datasets, loaders(params), lexical, params.evaluate)
    with files.replacing(layout.folder("evaluate")) as folder:
        schemas.write(folder / "queries.parquet", schemas.SCORES, outcome.scores)
        results.write_rows(folder / "results.csv", outcome.rows)
        files.write_json(folder / "metrics.json", results.flat_metrics(outcome.rows) | outcome.verdict.metric())
        files.write_json(folder / "report.json", outcome.report)
        said = model_card.with_results(card.read_text(encoding="utf-8"), outcome.rows, outcome.verdict.line)
        (folder / layout.MODEL_CARD.name).write_text(said, encoding="utf-8")
    print_results(layout.RESULTS)


app = stage_app(evaluate)

if __name__ == "__main__":
    app()
