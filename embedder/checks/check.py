"""What every check returns."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_NAMED = 5


@dataclass(frozen=True)
class Check:
    """What one check found; a warning or an error says what to do."""

    name: str
    level: Literal["ok", "warning", "error"]
    found: str
    advice: str = ""


def some(names: Sequence[str], separator: str = ", ") -> str:
    """Name the first few, and say how many more there are."""
    more = f"{separator}and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return separator.join(names[:_NAMED]) + more
