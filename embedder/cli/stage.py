"""The frame of a stage's command line: errors in one line with exit code 2, seconds in the timings file."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, ParamSpec, TypeVar

import typer

from embedder import layout
from embedder.errors import EmbedderError

# By default waiting OpenMP threads spin: a training step of 0.7 s on two idle cores takes 7 s beside another busy
# process; passive threads take 0.8 s and 1.3 s. Read when torch or scikit-learn is loaded, so set here, before both.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

P = ParamSpec("P")
R = TypeVar("R")

Dataset = Annotated[str, typer.Argument(help="A key of `datasets` in params.yaml.", show_default=False)]

DryRun = Annotated[bool, typer.Option("--dry-run", help="Write no table; show what there is.")]


def stage_app(function: Callable[P, R]) -> typer.Typer:
    """Make a one-command Typer app of a stage's function."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)

    @wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> None:
        name = function.__module__ if function.__module__ != "__main__" else Path(sys.argv[0]).stem
        with user_errors(), timed(name.removeprefix("stages."), *map(str, kwargs.values())):
            function(*args, **kwargs)

    app.command()(command)
    return app


@contextmanager
def user_errors() -> Iterator[None]:
    """End with exit code 2 and the message alone, on one line, when the block raises an EmbedderError."""
    try:
        yield
    except EmbedderError as error:
        from embedder.cli.terminal import visible  # rich takes time to load, which --help doesn't have

        # Messages name columns and files, which may hold what a terminal obeys.
        typer.echo(f"error: {visible(' '.join(str(error).split()))}", err=True)
        raise typer.Exit(2) from error


@contextmanager
def timed(stage: str, *arguments: str) -> Iterator[None]:
    """Append the seconds of a finished stage to data/cache/timings.jsonl: no output may hold a clock."""
    start = time.perf_counter()
    yield
    if os.environ.get("RANK", "0") != "0":  # of processes that train together the first one tells
        return
    layout.CACHE.mkdir(parents=True, exist_ok=True)
    line = {"stage": stage, "arguments": arguments, "seconds": round(time.perf_counter() - start, 3)}
    with (layout.CACHE / "timings.jsonl").open("a", encoding="utf-8") as log:
        log.write(f"{json.dumps(line)}\n")
