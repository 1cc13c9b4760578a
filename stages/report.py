"""Write the first page: results, false negatives, what became of the candidates, a few queries."""

from embedder.cli.stage import stage_app


def report() -> None:
    """Write the first page: results, false negatives, what became of the candidates, a few queries."""
    from embedder import files, layout
    from embedder.params.load import load
    from embedder.report.page import render
    from embedder.report.results import read_results
    from embedder.report.sections import section

    params = load()
    sections = [section(name, entry) for name, entry in params.datasets.items()]
    page = render(read_results(layout.RESULTS), sections, params.teacher, params.student)
    with files.replacing(layout.folder("report")) as folder:
        (folder / layout.PAGE.name).write_text(page, encoding="utf-8")
    print(f"report: {layout.PAGE}")


app = stage_app(report)

if __name__ == "__main__":
    app()
