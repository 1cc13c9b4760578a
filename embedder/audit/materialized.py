"""The audit of shards that materialize has just written: what the stages settled must hold in the files."""

from pathlib import Path

from embedder.audit import checks, shards
from embedder.audit.evidence import collecting
from embedder.audit.findings import Findings
from embedder.errors import TableError


def audit_shards(folder: Path, examples: int = 5) -> Findings:
    """Audit the shards that materialize has written: rows, texts, scores, and who is whose positive and negative.

    Near copies are not looked for again: the filter has compared the very same pairs by the rule of its parameters.
    `embedder audit` looks for them whoever made the shards.

    Args:
        folder: with the shards.
        examples: the most of each check.

    Raises:
        TableError: a shard is unreadable, or has a fault; the first example is named.
    """
    with collecting() as evidence:
        shards.fill(evidence, sorted(folder.glob("*.parquet")))
        evidence.settle()
        found = checks.findings(evidence, folder.name, "training shards", {}, examples)
    # A query and a positive are a shard's key, whatever the negatives.
    faults = [one for one in found.found if one.count and (one.level == "fault" or one.check == "repeated_positive")]
    if faults:
        first = faults[0].examples[0]
        raise TableError(
            f"{first.place}: {faults[0].says} ({faults[0].check}, {faults[0].count} rows): {first.query[:80]!r}; "
            "tables and shards disagree: run ingest, mine, filter and materialize again"
        )
    return found
