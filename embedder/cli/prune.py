"""`embedder prune`: remove the folders of datasets that params.yaml no longer names."""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated

import typer

# The names that params.yaml lets a dataset have.
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Remove data/{ingest,mine,filter,judge}/D of each dataset D that params.yaml no longer names.

    DVC leaves them, and the stages that depend on those folders would see them.
    """
    from embedder import layout
    from embedder.cli.terminal import visible
    from embedder.params.load import load

    for folder in stale(layout.DATA, load().datasets):
        if not dry_run:
            remove(folder)
        print(f"{'would remove' if dry_run else 'removed'} {visible(str(folder))}")


def stale(data: Path, datasets: Collection[str]) -> Iterator[Path]:
    """Yield the folders of datasets that are not among `datasets`; what has no dataset's name is somebody else's."""
    from embedder import layout

    for stage in sorted(layout.PER_DATASET):
        parent = data / stage
        if parent.is_dir() and parent.resolve().is_relative_to(data.resolve()):
            for folder in sorted(parent.iterdir()):
                if folder.is_dir() and _NAME.fullmatch(folder.name) and folder.name not in datasets:
                    yield folder


def remove(folder: Path) -> None:
    """Remove a folder with all it holds; of a link only the link."""
    import shutil

    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder)
