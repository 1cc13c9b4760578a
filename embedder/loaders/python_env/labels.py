"""The label views: from a summary without package names to the subpackage it stands in."""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence

from embedder.errors import SourceError
from embedder.loaders.python_env.groups import unit
from embedder.loaders.python_env.rows import Entry, Rows, counts, query, reject
from embedder.texts import normalise

MIN_MEMBERS = 30
MIN_LABELS = 2
PLACEHOLDER = "package"


def package_topic(entries: Sequence[Entry], names: Sequence[str], within: Collection[str]) -> Rows:
    """Label the summaries of the packages `within` by subpackage: `stats`.

    Args:
        entries: all definitions.
        names: what packages are called, masked in the texts.
        within: what the packages that are labelled are imported by; mostly one.

    Raises:
        SourceError: fewer than two subpackages are large enough.
    """
    rows = Rows()
    members = [entry for entry in entries if entry.definition.package in within]
    rows.rejects += [reject(e.definition, "other package") for e in entries if e.definition.package not in within]
    kept = _labelled(members, [entry.definition.subpackage for entry in members], rows)
    rows.facts["labels"] = counts(label for _, label in kept)
    if len({label for _, label in kept}) < MIN_LABELS:
        raise SourceError(
            f"python-env: {', '.join(within)} has fewer than {MIN_LABELS} subpackages of {MIN_MEMBERS} definitions; "
            "set within to a larger package"
        )
    _ask(kept, names, rows)
    return rows


def module_cluster(entries: Sequence[Entry], names: Sequence[str], dev_share: float) -> Rows:
    """Label all summaries by package and subpackage: `scipy/stats`; dev labels are never trained.

    Dev queries are the dev members of dev labels, train queries the train members of the others. Each package has
    `dev_share` of its labels as dev labels, but two at least or none, so that they can be told apart within it.
    """
    rows = Rows()
    labels = [_path(entry) for entry in entries]
    kept = _labelled(entries, labels, rows)
    dev = dev_labels({label for _, label in kept}, dev_share)
    sides = []
    for entry, label in kept:
        if (label in dev) == (entry.split == "dev"):
            sides.append((entry, label))
        else:
            reason = "train member of a dev label" if label in dev else "dev member of a train label"
            rows.rejects.append(reject(entry.definition, reason))
    _ask(sides, names, rows)
    rows.facts["labels"] = counts(label for _, label in sides)
    rows.facts["dev_labels"] = sorted(dev)
    rows.facts["packages_without_dev_labels"] = sorted({_package(label) for _, label in kept} - set(map(_package, dev)))
    return rows


def dev_labels(labels: set[str], dev_share: float) -> set[str]:
    """Choose `dev_share` of the labels of each package by hash; of a package with too few of them, none."""
    packages: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        packages[_package(label)].append(label)
    chosen: set[str] = set()
    for found in packages.values():
        number = round(dev_share * len(found))
        if number >= MIN_LABELS:
            chosen.update(sorted(found, key=lambda label: (unit(label), label))[:number])
    return chosen


def mask(text: str, names: Sequence[str]) -> str:
    """Replace the names of packages, whatever their case."""
    pattern = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.sub(rf"\b(?:{pattern})\b", PLACEHOLDER, text, flags=re.IGNORECASE)


def _path(entry: Entry) -> str:
    definition = entry.definition
    return f"{definition.package}/{definition.subpackage}" if definition.subpackage else ""


def _package(label: str) -> str:
    return label.split("/", maxsplit=1)[0]


def _labelled(entries: Sequence[Entry], labels: Sequence[str], rows: Rows) -> list[tuple[Entry, str]]:
    """Keep the entries whose label is public and large enough, and whose summary has no other label."""
    sizes = counts(labels)
    found = defaultdict(set)
    for entry, label in zip(entries, labels, strict=True):
        found[normalise(entry.definition.summary)].add(label)
    kept = []
    for entry, label in zip(entries, labels, strict=True):
        reason = _refused(label, sizes[label], found[normalise(entry.definition.summary)])
        if reason:
            rows.rejects.append(reject(entry.definition, reason))
        else:
            kept.append((entry, label))
    return kept


def _refused(label: str, size: int, labels: set[str]) -> str | None:
    if not label:
        return "no subpackage"
    if label.rpartition("/")[2].startswith("_"):
        return "private subpackage"
    if size < MIN_MEMBERS:
        return "label too small"
    return "summary under several labels" if len(labels) > 1 else None


def _ask(kept: Sequence[tuple[Entry, str]], names: Sequence[str], rows: Rows) -> None:
    rows.queries += [query(entry, mask(entry.definition.summary, names), [label]) for entry, label in kept]
