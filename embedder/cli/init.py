"""`embedder init`: start a project in one's own git repository."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

_EXAMPLE = "pydoc-search"


def init(
    folder: Annotated[Path, typer.Argument(help="A git repository, or a folder of one.")] = Path(),
    path: Annotated[
        Path | None,
        typer.Option("--path", help="Your first dataset: a BEIR folder, or a JSONL, CSV, TSV or Parquet file."),
    ] = None,
    loader: Annotated[
        str | None, typer.Option("--loader", help="beir, given or table; without, by what PATH is.")
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="What the dataset is called; without, by PATH.")] = None,
    task: Annotated[
        str | None, typer.Option("--task", help="retrieval (default), reranking, sts, classification or clustering.")
    ] = None,
) -> None:
    """Write dvc.yaml, params.yaml and what they need into FOLDER, so that `dvc repro` works there.

    Without --path the first dataset is the documentation of numpy and scipy, which runs at once.
    Files that are there are never overwritten.
    """
    from embedder import layout
    from embedder.cli.terminal import visible
    from embedder.errors import ParamsError
    from embedder.params.load import installed_version
    from embedder.starter import entry, project

    project.check_folder(folder)
    if path is None:
        if loader or task:
            raise ParamsError("--loader and --task say how --path is read; give --path too")
        first = entry.example(str(layout.LOCK))
    else:
        first = entry.own(path, _inside(path, folder), task or "retrieval", loader)
    called = entry.name_of(path or Path(_EXAMPLE), name)
    teacher = "given" if loader == "given" else "bm25"
    for line in project.create(folder, installed_version(), teacher, {called: first}):
        print(visible(line))
    print("\nnext, in that folder:" if folder.resolve() != Path.cwd() else "\nnext:")
    print("\n".join(_next_steps(called, own=path is not None)))


def _inside(path: Path, folder: Path) -> str:
    """What params.yaml in `folder` calls `path`: a clone has what lies in it, and nothing else."""
    from embedder.errors import SourceError

    # Not resolved: a link in the project may lead anywhere.
    whole, root = Path.cwd() / path, folder.resolve()
    place = whole.parent.resolve() / whole.name
    if not whole.exists():
        raise SourceError(f"{path}: no such file or folder; --path names your data")
    if not place.is_relative_to(root) or place == root:
        raise SourceError(
            f"{path}: lies outside {root}; move it there or link it, so that params.yaml has no path of a machine"
        )
    return place.relative_to(root).as_posix()


def _next_steps(name: str, *, own: bool) -> Iterator[str]:
    import shutil
    import sys

    python = shutil.which("python")
    if python is None or Path(python).parent != Path(sys.executable).parent:
        yield f"  source {Path(sys.executable).parent / 'activate'}   dvc repro starts `python`, which must be this one"
    if own:
        yield f"  params.yaml, datasets.{name}: its instruction, language, licence, source, columns are yours to write"
        yield f"  python -m stages.ingest {name} --dry-run    what is read so, and what is refused"
    yield "  embedder check             can it run here?"
    yield f"  dvc repro                  the pipeline{'' if own else ': on this text a few minutes on a CPU'}"
    yield "  embedder results           base, tuned and BM25 side by side"
    yield "  git add . && git commit    dvc.lock too: it says what the results were made of"
