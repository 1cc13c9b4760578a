"""Files that are whole or absent: written beside their place, then moved there."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `path` when the block ends well, and vanishes when it does not."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
        shutil.rmtree(path, ignore_errors=True)
        draft.replace(path)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write sorted, indented JSON with a final newline, so that equal contents are equal bytes."""
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_text(f"{text}\n", encoding="utf-8")
