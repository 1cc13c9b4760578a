"""What an audit says: one finding for each check, with examples."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Level = Literal["fault", "warning"]


@dataclass(frozen=True)
class Example:
    """One row that a check found.

    Attributes:
        place: file:row.
        query: its text as it is compared: case and white space folded.
        passage: the passage's, where there is one.
        detail: what more there is to say.
    """

    place: str
    query: str = ""
    passage: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: its name.
        level: whether it makes the audit fail.
        says: what it looks for.
        count: rows concerned.
        share: of all rows.
        examples: the first few.
    """

    check: str
    level: Level
    says: str
    count: int
    share: float
    examples: tuple[Example, ...] = ()


@dataclass(frozen=True)
class HeldOut:
    """How many different texts a folder holds out for evaluation.

    Attributes:
        folder: as it was named.
        queries: its dev queries.
        passages: their positives.
    """

    folder: str
    queries: int
    passages: int

    @property
    def says(self) -> str:
        """What is printed."""
        return f"against {self.folder}: {self.queries:,} queries and {self.passages:,} passages held out"


@dataclass(frozen=True)
class Findings:
    """What an audit found.

    Attributes:
        source: what was audited.
        form: the form it was read as.
        rows: rows read: audited + unreadable.
        unreadable: rows that could not be read.
        licences: licence of each dataset, as far as it is stated.
        found: a finding for each check.
        held_out: what must not be trained on, of each folder.
    """

    source: str
    form: str
    rows: int
    unreadable: int
    licences: Mapping[str, str]
    found: tuple[Finding, ...]
    held_out: tuple[HeldOut, ...] = ()

    @property
    def audited(self) -> int:
        """Rows that could be read."""
        return self.rows - self.unreadable

    def faults(self, most: float = 0.0) -> list[Finding]:
        """Return the faults of which more than the share `most` of all rows has one."""
        return [one for one in self.found if one.level == "fault" and one.count and one.share > most]

    def as_json(self) -> dict[str, object]:
        """Return what report.json says: the form, the rows, and how many rows each check found."""
        return {
            "form": self.form,
            "rows": {"read": self.rows, "audited": self.audited, "unreadable": self.unreadable},
            "checks": {one.check: {"level": one.level, "count": one.count} for one in self.found},
        }
