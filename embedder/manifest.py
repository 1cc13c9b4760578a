"""What goes beside the shards: a manifest that a program checks, a card that a person and the Hub read."""

import json
from collections.abc import Iterator, Mapping, Sequence

from embedder.licences import licence_lines, restricted
from embedder.markdown import inline
from embedder.params.models import Dataset, Materialize

_SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B")


def manifest(
    files: Sequence[Mapping[str, object]],
    datasets: Mapping[str, Mapping[str, object]],
    entries: Mapping[str, Dataset],
    settings: Materialize,
    audited: Mapping[str, object],
) -> dict[str, object]:
    """Say which files there are and what made them.

    Args:
        files: path, rows, bytes and sha256 of every shard.
        datasets: the counts of each dataset, with teacher, revision, rules, and what was measured of false negatives.
        entries: the entries of the same datasets.
        settings: the section `materialize`.
        audited: what the audit of the shards found.
    """
    return {
        "format": 1,
        "rows": sum(int(str(f["rows"])) for f in files),
        "files": list(files),
        "materialize": settings.model_dump(mode="json"),
        "audit": dict(audited),
        "datasets": {
            name: {
                **counts,
                "task": entries[name].task,
                "instruction": entries[name].instruction,
                "language": entries[name].language,
                "licence": entries[name].licence,
                "weight": entries[name].weight,
                "path": entries[name].path,
                "source": entries[name].source.model_dump(mode="json"),
            }
            for name, counts in datasets.items()
        },
    }


def card(
    content: Mapping[str, object],
    entries: Mapping[str, Dataset],
    rows: Mapping[str, int],
    measured: Mapping[str, tuple[str, str]],
) -> str:
    """Write the dataset card: what is in the shards, in which languages, under which licences, made of what.

    Args:
        content: the manifest.
        entries: the entry of each dataset.
        rows: how many training rows each dataset has.
        measured: pass-through and contamination of each dataset, in words.
    """
    total = int(str(content["rows"]))
    head = "\n".join(_metadata(list(entries.values()), total))
    table = "\n".join(
        f"| {name} | {entry.task} | {entry.language or ''} | {rows[name]:,} | {inline(entry.licence)} | {inline(_source(entry))} | "
        f"{' | '.join(measured[name])} |"
        for name, entry in entries.items()
    )
    return f"""---
{head}
---
# Hard negatives

{total:,} training rows: a query, a positive, and negatives with the ranks and scores the teacher gave them.
`manifest.json` lists the files with their hashes and all that made them.

| dataset | task | language | rows | licence | source | pass-through | contamination |
|---|---|---|---|---|---|---|---|
{table}

Pass-through: the share of known positives that the rules would have kept as negatives, had nobody judged them (known
positives: an optimistic stand-in for unknown ones). Contamination: the share of unjudged kept candidates that are relevant
all the same; "at least" is as far as copies and answers to the same question are right answers. Intervals are in brackets;
negatives are drawn from these candidates, and from those judged not relevant.
{_warning(entries)}
```python
from datasets import load_dataset

rows = load_dataset("parquet", data_files="train/*.parquet", split="train")
```
"""


def _metadata(entries: Sequence[Dataset], total: int) -> Iterator[str]:
    """The card's head, as https://github.com/huggingface/hub-docs/blob/main/datasetcard.md lists its keys.

    JSON's strings are YAML's: quoted, the language `no` is no boolean.
    """
    yield "configs:\n- config_name: default\n  data_files: train/*.parquet"
    languages = sorted({entry.language for entry in entries if entry.language})
    if languages:
        yield "\n".join(["language:", *(f"- {json.dumps(language)}" for language in languages)])
    yield from licence_lines({entry.licence for entry in entries})
    size = min(max(len(str(total)) - 3, 0), len(_SIZES) - 1)
    yield f"size_categories:\n- {_SIZES[size]}"
    yield "tags:\n- embeddings\n- hard-negatives"
    yield "task_categories:\n- sentence-similarity"


def _warning(entries: Mapping[str, Dataset]) -> str:
    """One line that names the datasets whose licence forbids something; empty where none does."""
    said = restricted({name: entry.licence for name, entry in entries.items()})
    return f"\n**Restricted by licence** ({said}): leave them out where you may not.\n" if said else ""


def _source(entry: Dataset) -> str:
    """Where a dataset comes from: its loader, and the repositories it names with their revisions, or its path."""
    source = entry.source.model_dump(mode="json")
    names = dict.fromkeys(_repositories(source))
    return f"{source.get('loader', '')} {', '.join(names) or entry.path}".strip()


def _repositories(source: Mapping[str, object]) -> Iterator[str]:
    name, revision = source.get("name"), source.get("revision")
    if name and revision:
        yield f"{name} at {revision}"
    for value in source.values():
        if isinstance(value, Mapping):
            yield from _repositories(value)
