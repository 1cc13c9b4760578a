"""`embedder promote`: make a model a teacher."""

from pathlib import Path
from typing import Annotated

import typer


def promote(
    path: Annotated[Path, typer.Argument(help="A sentence-transformers folder, such as data/finetune/model.")],
    name: Annotated[str, typer.Option("--as", help="The teacher's name.", metavar="NAME", show_default=False)],
    query_prompt: Annotated[
        str | None, typer.Option(help="What stands before a query; {instruction} in it is the dataset's.")
    ] = None,
    passage_prompt: Annotated[str | None, typer.Option(help="What stands before a passage.")] = None,
    licence: Annotated[str | None, typer.Option(help="Of the weights; needed where PATH is no student's.")] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Let another teacher of that name go.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Copy the model at PATH to models/NAME-HASH and write it into params.yaml as the teacher NAME.

    Prompts and lengths are the student's where PATH is data/finetune/model or data/base/model, else the folder's own.
    """
    from embedder import layout, promotion
    from embedder.cli.terminal import visible

    said = {"query_prompt": query_prompt, "passage_prompt": passage_prompt, "licence": licence}
    given = {key: value for key, value in said.items() if value is not None}
    done = promotion.promote(path, name, given, replace=replace)
    print(f"{done.folder}  the model, {done.entry['dimensions']} dimensions, {done.entry['parameters']:,} parameters")
    print(f"{layout.PARAMS}  teachers.{name} {'written' if done.changed else 'was there already'}:")
    for key in ("pooling", "query_prompt", "passage_prompt", "query_length", "passage_length", "licence"):
        print(visible(f"  {key}: {done.entry[key]!r}"))
    print(f"\nnext:\n  dvc exp run -S teacher={name}    or set `teacher: {name}` in {layout.PARAMS} and dvc repro")
    print("  embedder show DATASET --against HEAD    how runs and negatives moved")
