"""`embedder check`: whether the pipeline can run here, and what params.yaml comes to."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from embedder.checks.check import Check
    from embedder.params.models import Params

_STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}


def check(
    params: Annotated[  # noqa: FBT002 - these are flags
        bool, typer.Option("--params", help="Only check params.yaml and print what it comes to for each dataset.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing where all is well.")] = False,  # noqa: FBT002
    device: Annotated[bool, typer.Option("--device", help="Also ask torch what it would run on.")] = False,  # noqa: FBT002
    cache: Annotated[  # noqa: FBT002
        bool,
        typer.Option(
            "--cache", help="Also verify every stored vector; remove the damaged, and those of models no teacher names."
        ),
    ] = False,
) -> None:
    """Check that the pipeline can run here; exit with 1 if something is wrong, with 2 if params.yaml is."""
    from embedder.params.load import load

    loaded = load()
    if params:
        if not quiet:
            from embedder.cli.resolved import resolved

            print(resolved(loaded), end="")
        return
    found = list(_checks(loaded, device=device, cache=cache))
    _print(one for one in found if not quiet or one.level != "ok")
    if any(one.level == "error" for one in found):
        raise typer.Exit(1)


def _checks(params: "Params", *, device: bool, cache: bool) -> "Iterator[Check]":
    import sys
    from pathlib import Path

    from embedder import layout
    from embedder.checks import packages, tracking, workspace
    from embedder.checks.device import device as torch_device
    from embedder.checks.project import project
    from embedder.loaders.python_env.packages import pins
    from embedder.params.load import installed_version

    versions = packages.installed_versions()
    yield packages.python(sys.version_info[:3])
    pinned = pins(layout.LOCK) if layout.LOCK.exists() else {}
    yield packages.packages(versions, pinned, packages.install(params.version))
    yield packages.faiss(versions)
    yield project(params.version, installed_version(), layout.PIPELINE)
    yield packages.sources(params)
    yield tracking.tracked(params.model_dump(mode="json"), layout.PIPELINE)
    yield workspace.repository()
    yield workspace.dvc_lock()
    yield workspace.running(Path(".dvc") / "tmp")
    yield workspace.leftovers(layout.DATA)
    yield workspace.cache(layout.CACHE)
    yield workspace.disk(layout.DATA)
    if device:
        yield torch_device(params.runtime)
    if cache:
        from embedder.checks.vectors import revisions, vectors

        yield from vectors(layout.VECTORS, revisions(params))


def _print(found: "Iterable[Check]") -> None:
    from rich.table import Table
    from rich.text import Text

    from embedder.cli.terminal import console, visible

    grid = Table.grid(padding=(0, 2))
    for one in found:
        said = Text(visible(one.found))
        if one.advice:
            said.append(f"\n{visible(one.advice)}", style="dim")
        grid.add_row(Text(one.level, style=_STYLES[one.level]), Text(one.name), said)
    if grid.row_count:
        console().print(grid)
