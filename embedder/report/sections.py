"""What the page says of a dataset, read from the folders of the stages; a report that is not there is empty."""

import json
from pathlib import Path
from typing import Any

from embedder import layout
from embedder.leak.rows import read_csv
from embedder.params.models import Dataset
from embedder.report.dataset import Section
from embedder.report.inspection import inspect


def section(name: str, entry: Dataset, queries: int) -> Section:
    """Read the tables and reports of one dataset.

    Args:
        name: the dataset.
        entry: its entry.
        queries: how many of its queries are shown.

    Raises:
        TableError: a table of ingest or judge is missing.
    """
    leak, judged = layout.folder("filter", name) / "leak.csv", _json(layout.report("judge", name))
    return Section(
        name=name,
        task=entry.task,
        instruction=entry.instruction,
        licence=entry.licence,
        filtered=_json(layout.report("filter", name)),
        judged=judged,
        stored=_json(layout.report("materialize")).get(name) or {},
        sampling=(_json(layout.MANIFEST).get("materialize") or {}).get("sampling", ""),
        leak=read_csv(leak) if leak.is_file() else [],
        inspection=inspect(name, entry.positive_at, queries, final=judged.get("kind") == "person"),
    )


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
