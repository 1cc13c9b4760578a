"""What goes beside the shards: a manifest that a program checks, a card that a person and the Hub read."""

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence

from embedder.licences import restrictions
from embedder.params.models import Dataset, Materialize

# https://huggingface.co/docs/hub/repositories-licenses: what `license:` may hold; `other` asks for a `license_name`.
_HUB_LICENCES = frozenset(
    """
    afl-3.0 agpl-3.0 apache-2.0 artistic-2.0 bsd bsd-2-clause bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc cc0-1.0
    cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0
    cc-by-nd-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cdla-permissive-1.0
    cdla-permissive-2.0 cdla-sharing-1.0 ecl-2.0 epl-1.0 epl-2.0 etalab-2.0 eupl-1.1 gfdl gpl gpl-2.0 gpl-3.0 isc lgpl
    lgpl-2.1 lgpl-3.0 lgpl-lr lppl-1.3c mit mpl-2.0 ms-pl ncsa odbl odc-by ofl-1.1 osl-3.0 pddl postgresql unknown
    unlicense wtfpl zlib
    """.split()  # noqa: SIM905 - a list literal would take a line each
)
# SPDX says more exactly what the Hub has as a family: GPL-3.0-or-later, ODbL-1.0, Zlib.
_SPDX_ENDINGS = ("-only", "-or-later", "-1.0", "")
_SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "1B<n<10B")
_MARKDOWN = re.compile(r"([\\`*_\[\]|~])")


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
        f"| {name} | {entry.task} | {entry.language or ''} | {rows[name]:,} | {_cell(entry.licence)} | {_cell(_source(entry))} | "
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


def hub_licence(licence: str) -> str | None:
    """What the Hub calls a licence, as `cc-by-4.0` for `CC BY 4.0`; None where it has no word for it."""
    spelt = _slug(licence)
    found = (spelt.removesuffix(ending) for ending in _SPDX_ENDINGS)
    return next((name for name in found if name in _HUB_LICENCES), None)


def _metadata(entries: Sequence[Dataset], total: int) -> Iterator[str]:
    """The card's head, as https://github.com/huggingface/hub-docs/blob/main/datasetcard.md lists its keys.

    JSON's strings are YAML's: quoted, the language `no` is no boolean.
    """
    yield "configs:\n- config_name: default\n  data_files: train/*.parquet"
    languages = sorted({entry.language for entry in entries if entry.language})
    if languages:
        yield "\n".join(["language:", *(f"- {json.dumps(language)}" for language in languages)])
    yield from _licence({entry.licence for entry in entries})
    size = min(max(len(str(total)) - 3, 0), len(_SIZES) - 1)
    yield f"size_categories:\n- {_SIZES[size]}"
    yield "tags:\n- embeddings\n- hard-negatives"
    yield "task_categories:\n- sentence-similarity"


def _licence(licences: set[str]) -> Iterator[str]:
    """One licence by the Hub's name; several, or one it doesn't know, are `other` with a name."""
    names = sorted({hub_licence(licence) or _slug(licence) for licence in licences})
    if len(names) == 1 and names[0] in _HUB_LICENCES:
        yield f"license: {names[0]}"
    else:
        yield f"license: other\nlicense_name: {json.dumps('-and-'.join(names))}"


def _warning(entries: Mapping[str, Dataset]) -> str:
    """One line that names the datasets whose licence forbids something; empty where none does."""
    found: dict[str, list[str]] = {}
    for name, entry in entries.items():
        for what in restrictions(entry.licence):
            found.setdefault(what, []).append(name)
    said = "; ".join(f"{what}: {', '.join(names)}" for what, names in found.items())
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


def _slug(licence: str) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", licence.lower()).strip("-.") or "unnamed"


def _cell(text: str) -> str:
    """A user's text in a table: on one line, every character shown, none read as Markdown or HTML."""
    shown = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
    return _MARKDOWN.sub(r"\\\1", html.escape(shown, quote=False))
