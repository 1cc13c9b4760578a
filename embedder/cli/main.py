"""The command `embedder`: what a person types beside the stages. Adding one: its function, one line below."""

import typer

from embedder.cli.audit import audit
from embedder.cli.check import check
from embedder.cli.init import init
from embedder.cli.preset import preset
from embedder.cli.promote import promote
from embedder.cli.prune import prune
from embedder.cli.results import results
from embedder.cli.show import show
from embedder.cli.stage import user_errors

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def embedder() -> None:
    """Look at what the pipeline made, and check that it can run. The pipeline itself: dvc repro."""


for command in (init, preset, show, audit, check, promote, prune, results):
    app.command()(user_errors()(command))

if __name__ == "__main__":
    app()
