"""The settings that are measured beside the current one: rank windows by start and width, and margins."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from embedder.filters import MARGINS, ON_SCORES
from embedder.params.models import Filter

_STARTS = (1, 5, 10, 20, 30, 50)
_WIDTH = 30
_LAST = 100
_RELATIVE = (0.0, 0.05, 0.1, 0.2)
_PERCENTILE = (0.0, 0.05, 0.1, 0.2, 0.4)

# What a setting of the grid replaces; what it leaves is the current rules'.
REPLACED = ("min_rank", "max_rank", *ON_SCORES)


@dataclass(frozen=True)
class Setting:
    """Rules that are measured, and what they are called."""

    name: str
    rules: Filter

    @property
    def has_margin(self) -> bool:
        """Whether what it keeps depends on the score of a positive of the query."""
        return any(getattr(self.rules, name) is not None for name in MARGINS)


def settings(current: Filter, depth: int, *, scored: bool) -> list[Setting]:
    """Return the current setting and a grid beside it, each once: at most 38.

    A setting of the grid has a window or a margin or both and nothing else of the kind: bounds on scores are off. How
    ranks are counted, which positive a margin is about, and what a near copy is, stay those of `current`.

    Args:
        current: the rules that are in force; their setting comes first and is called "current".
        depth: how many candidates a run holds of a query.
        scored: whether scores say more than ranks; without, there are no margins.
    """
    found = {_same(current): Setting("current", current)}
    for changes in (*_windows(depth), *(_margins(current) if scored else ())):
        rules = current.model_copy(update=dict.fromkeys(REPLACED) | changes)
        found.setdefault(_same(rules), Setting(describe(rules), rules))
    return list(found.values())


def describe(rules: Filter) -> str:
    """Say in short what differs between settings: "relative 0.05 in 30-100"."""
    bounds = {name: getattr(rules, name) for name in ON_SCORES}
    said = [f"{name.removesuffix('_margin')} {value:g}" for name, value in bounds.items() if value is not None]
    window = f"{rules.min_rank or 1}-{rules.max_rank or ''}" if rules.min_rank or rules.max_rank else ""
    return " in ".join(filter(None, (", ".join(said), window))) or "everything"


def overrides(chosen: Filter, resolved: Filter, section: Filter) -> dict[str, Any]:
    """Return what a dataset must override of `section` to have the chosen window, scores and margins.

    Args:
        chosen: the setting.
        resolved: the dataset's rules as they are, whose other keys stay.
        section: the section `filter`.
    """
    wanted = resolved.model_copy(update={name: getattr(chosen, name) for name in REPLACED})
    return {name: value for name, value in wanted.model_dump().items() if value != getattr(section, name)}


def _same(rules: Filter) -> Filter:
    """From rank 1 on is from the start on."""
    return rules.model_copy(update={"min_rank": rules.min_rank or 1})


def _windows(depth: int) -> Iterator[dict[str, Any]]:
    ends = [(1, 10), *((start, end) for start in _STARTS for end in (start + _WIDTH - 1, _LAST, depth))]
    for first, end in ends:
        last = min(end, depth)
        if first <= last:
            yield {"min_rank": first, "max_rank": last}


def _margins(current: Filter) -> Iterator[dict[str, Any]]:
    window = {"min_rank": current.min_rank, "max_rank": current.max_rank}
    for field, shares in (("relative_margin", _RELATIVE), ("percentile_margin", _PERCENTILE)):
        for share in shares:
            yield {field: share}
            yield {field: share, **window}
