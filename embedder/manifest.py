"""What goes beside the shards: a manifest that a program checks, a card that a person reads."""

from collections.abc import Mapping, Sequence

from embedder.params.models import Dataset, Materialize


def manifest(
    files: Sequence[Mapping[str, object]],
    datasets: Mapping[str, Mapping[str, object]],
    entries: Mapping[str, Dataset],
    settings: Materialize,
) -> dict[str, object]:
    """Say which files there are and what made them.

    Args:
        files: path, rows, bytes and sha256 of every shard.
        datasets: the counts of each dataset, with teacher, revision and window.
        entries: the entries of the same datasets.
        settings: the section `materialize`.
    """
    return {
        "format": 1,
        "rows": sum(int(str(f["rows"])) for f in files),
        "files": list(files),
        "materialize": settings.model_dump(mode="json"),
        "datasets": {
            name: {
                **counts,
                "task": entries[name].task,
                "instruction": entries[name].instruction,
                "licence": entries[name].licence,
                "weight": entries[name].weight,
                "path": entries[name].path,
                "source": entries[name].source.model_dump(mode="json"),
            }
            for name, counts in datasets.items()
        },
    }


def card(content: Mapping[str, object], entries: Mapping[str, Dataset], rows: Mapping[str, int]) -> str:
    """Write the dataset card: what is in the shards, under which licences, made by what."""
    licences = sorted({entry.licence for entry in entries.values()})
    table = "\n".join(
        f"| {name} | {entry.task} | {rows[name]:,} | {entry.licence} | `{entry.path}` |"
        for name, entry in entries.items()
    )
    return f"""---
configs:
- config_name: default
  data_files: train/*.parquet
license: {licences[0].lower() if len(licences) == 1 else "other"}
task_categories:
- sentence-similarity
---
# Hard negatives

{content["rows"]:,} training rows: a query, a positive, and negatives with the ranks and scores the teacher gave them.
`manifest.json` lists the files with their hashes and all that made them.

| dataset | task | rows | licence | source |
|---|---|---|---|---|
{table}

```python
from datasets import load_dataset

rows = load_dataset("parquet", data_files="train/*.parquet", split="train")
```
"""
