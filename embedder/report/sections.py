"""What the page says of a dataset, read from the folders of the stages; a report that is not there is empty."""

import json
from pathlib import Path
from typing import Any

from embedder import layout, schemas
from embedder.params.models import Dataset
from embedder.report.page import Section
from embedder.report.samples import samples


def section(name: str, entry: Dataset) -> Section:
    """Read the tables and reports of one dataset.

    Raises:
        TableError: a table of ingest or judge is missing.
    """
    candidates = schemas.read(layout.table("judge", name, "candidates"), schemas.JUDGED_CANDIDATES)
    return Section(
        name=name,
        task=entry.task,
        instruction=entry.instruction,
        licence=entry.licence,
        filtered=_json(layout.report("filter", name)),
        stored=_json(layout.report("materialize")).get(name) or {},
        samples=samples(candidates, *schemas.read_ingested(name), entry.positive_at),
    )


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
