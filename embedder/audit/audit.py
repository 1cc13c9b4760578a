"""An audit: the source is read, near copies and overlaps are found, every check looks."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from embedder.audit import checks, gathered, held_out, licences, near
from embedder.audit.evidence import collecting
from embedder.audit.findings import Findings
from embedder.audit.forms import Asked, recognise
from embedder.audit.near import Rule, Unit
from embedder.ingestion.cleaning import printable
from embedder.store import Store

_SAMPLE = 2000
# Scripts that put no blanks between words: Thai, Lao, Tibetan, Myanmar, Khmer, kana, Han.
_NO_BLANKS = re.compile("[\u0e00-\u0eff\u0f00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True)
class Wanted:
    """What an audit compares with what.

    Attributes:
        against: folders whose dev queries and dev positives must not be trained on.
        jaccard: from which similarity of shingles texts are near copies; None: only equal texts are copies.
        unit: of shingles; None: words, or characters where most texts have no blanks.
        licence: of all of it, where the source does not state one.
        examples: the most of each check.
    """

    against: Sequence[Path] = ()
    jaccard: float | None = 0.8
    unit: Unit | None = None
    licence: str | None = None
    examples: int = 5


def audit(source: str, asked: Asked, wanted: Wanted) -> Findings:
    """Audit a file, a folder or a Hub dataset.

    Raises:
        SourceError: it cannot be read, or its form is not known.
    """
    form = recognise(source, asked)
    name = printable(Path(source).resolve().name)
    stated = {name: wanted.licence} if wanted.licence else form.licences
    if stated is None:
        stated = licences.stated(Path(source))
    with collecting({**gathered.TABLES, **held_out.TABLES}) as evidence:
        form.fill(evidence)
        held_out.take(evidence, wanted.against, asked.grades)
        licences.note(evidence, stated, name)
        evidence.settle()
        rule = None
        if wanted.jaccard is not None:
            rule = Rule(wanted.jaccard, wanted.unit or _unit(evidence.store))
            near.among_negatives(evidence.store, rule)
        held_out.compare(evidence, rule)
        found = checks.findings(evidence, printable(source), form.says, stated, wanted.examples)
        return replace(found, held_out=held_out.counts(evidence.store, wanted.against))


def _unit(store: Store) -> Unit:
    """Say what shingles are made of: characters where most letters are of scripts without blanks."""
    texts = "".join(row[0] for row in store.all(f"SELECT left(text, 200) FROM texts LIMIT {_SAMPLE}"))
    return "character" if len(_NO_BLANKS.findall(texts)) > 0.3 * max(len(texts), 1) else "word"
