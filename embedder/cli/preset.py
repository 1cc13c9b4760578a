"""`embedder preset`: complete parameter files to start from, and what they would take."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from embedder.presets import Preset


def preset(
    name: Annotated[str | None, typer.Argument(help="Which one; without, they are listed.", show_default=False)] = None,
    use: Annotated[bool, typer.Option("--use", help="Write it to params.yaml.")] = False,  # noqa: FBT002 - a flag
    force: Annotated[  # noqa: FBT002
        bool, typer.Option("--force", help="With --use: even over settings of yours, kept as params.yaml.before.")
    ] = False,
) -> None:
    """List parameter files that ship with embedder, say what NAME holds and would take, or --use it.

    params.yaml is replaced if it is one of them, as embedder brings it; settings of yours stay, unless you --force it.
    """
    from embedder import presets
    from embedder.errors import ParamsError

    if name is None:
        if use or force:
            raise ParamsError("name the preset that --use is about; embedder preset lists them")
        _print_list()
        return
    chosen = presets.preset(name)
    written = presets.use(chosen, force=force) if use else []
    _print(chosen)
    if use:
        _print_used(written)


def _print_list() -> None:
    from embedder import presets
    from embedder.cli.terminal import console

    known = presets.names()
    width = max(map(len, known))
    out = console()
    for name in known:
        out.print(f"{name:{width}}  {presets.preset(name).about}", soft_wrap=True)
    out.print(
        "\nembedder preset NAME          what it holds and would take"
        "\nembedder preset NAME --use    write it to params.yaml",
        soft_wrap=True,
    )


def _print(chosen: "Preset") -> None:
    from embedder.cli.forecast import print_forecast
    from embedder.cli.terminal import console

    params, out = chosen.params(), console()
    out.print(f"{chosen.name}: {chosen.about}\n\n{chosen.notes}\n", soft_wrap=True)
    out.print(f"datasets: {', '.join(params.datasets)}", soft_wrap=True)
    out.print(f"teacher: {params.teacher}, student: {params.student}\n", soft_wrap=True)
    print_forecast(params, sample=False)


def _print_used(written: "Sequence[Path]") -> None:
    from embedder import layout

    print()
    for path in written:
        print(f"wrote {path}{'' if path == layout.PARAMS else f', what {layout.PARAMS} was'}")
    if not written:
        print(f"{layout.PARAMS} is that preset already")
