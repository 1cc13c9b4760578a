"""Licences: what a source states, and which of them restrict what may be done."""

import json
from collections.abc import Mapping
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from embedder.audit.evidence import Evidence
from embedder.ingestion.cleaning import printable
from embedder.licences import is_stated, restrictions


def stated(source: Path) -> dict[str, str]:
    """Return the licence of each dataset that a folder states: in our manifest.json, or in the card README.md."""
    folder = source if source.is_dir() else source.parent
    for place in (folder, folder.parent) if folder.name == "train" else (folder,):
        if found := _manifest(place / "manifest.json") or _card(place / "README.md"):
            return found
    return {}


def note(evidence: Evidence, licences: Mapping[str, str], source: str) -> None:
    """Note datasets without a licence, and licences that restrict."""
    for dataset, licence in (licences or {source: ""}).items():
        if not is_stated(licence):
            evidence.note("no_licence", f"states {licence or 'none'}", dataset, 0)
        elif restrictions(licence):
            evidence.note("restricted_licence", licence, dataset, 0)


def _manifest(path: Path) -> dict[str, str]:
    try:
        datasets = json.loads(path.read_text(encoding="utf-8"))["datasets"]
        return {str(name): str(entry.get("licence") or "") for name, entry in datasets.items()}
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return {}


def _card(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
        found = YAML(typ="safe").load(text.split("---", 2)[1]) if text.startswith("---") else None
    except (OSError, ValueError, LookupError, RecursionError, YAMLError):
        return {}
    licence = found.get("license") if isinstance(found, dict) else None
    names = licence if isinstance(licence, list) else [licence]
    return {printable(path.parent.resolve().name): ", ".join(map(str, names))} if licence else {}
