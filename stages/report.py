"""Write the page: results, false negatives, what became of the candidates, queries to look at."""

from embedder.cli.stage import stage_app


def report() -> None:
    """Write the page: results, false negatives, what became of the candidates, queries to look at."""
    from embedder import files, layout
    from embedder.params.load import load
    from embedder.report.page import QUERIES, render
    from embedder.report.results import read_results, read_verdict
    from embedder.report.sections import section

    params = load()
    queries = QUERIES // len(params.datasets)
    sections = [section(name, entry, queries) for name, entry in params.datasets.items()]
    verdict = read_verdict(layout.report("evaluate"))
    page = render(read_results(layout.RESULTS), sections, params.teacher, params.student, verdict)
    with files.replacing(layout.folder("report")) as folder:
        (folder / layout.PAGE.name).write_text(page, encoding="utf-8", newline="\n")
    print(f"report: {layout.PAGE}")


app = stage_app(report)

if __name__ == "__main__":
    app()
