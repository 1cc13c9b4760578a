"""What README shows of params.yaml is what params.yaml may hold."""

import re
from pathlib import Path

from ruamel.yaml import YAML

from embedder.params.base import options
from embedder.teachers import TEACHERS

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
BM25 = "{kind: bm25, method: lucene, k1: 1.5, b: 0.75, delta: 0.5, stem: true, stop_words: true}"


def test_readmes_teachers_are_valid() -> None:
    """Every teacher's entry in README passes its kind's checks, once what it leaves open is filled in."""
    found = {}
    for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL):
        filled = block.replace("{kind: dense, ...}", BM25).replace("5f0c...", "ab" * 32).replace("40 hex", "a" * 40)
        for name, entry in YAML(typ="safe", pure=True).load(filled).items():
            if "kind" in entry:
                found[name] = options(TEACHERS, "kind", entry)
    assert {entry.model_dump()["kind"] for entry in found.values()} == {"dense", "fusion", "cross-encoder", "endpoint"}
