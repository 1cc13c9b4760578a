"""Runs in TREC's form: `query_id Q0 passage_id rank score tag`, one line a passage, between blanks."""

import re
from collections.abc import Iterator
from pathlib import Path

from embedder.loaders.columns import number
from embedder.loaders.lines import lines
from embedder.records import Given, Reject, Row

_CELLS = 6
# Ids may hold white space that is no blank, which str.split() would cut.
_BLANKS = re.compile(r"[ \t]+")
_RANK = re.compile(r"[0-9]{1,9}")


def records(path: Path, name: str, facts: dict[str, object]) -> Iterator[Given | Reject]:
    """Yield the lines of a run; broken ones are refused.

    Args:
        path: the file, plain or .gz.
        name: what records call it.
        facts: receives how many lines it has, blank ones left out.

    Raises:
        SourceError: the file cannot be read.
    """
    rows = 0
    for number_, line in lines(path):
        if line is None or line.strip(" \t"):
            rows += 1
            yield _line(line, name, number_)
    facts[name] = {"lines": rows}


def _line(line: str | None, file: str, row: Row) -> Given | Reject:
    if line is None:
        return Reject("given", "", "line_too_long", file, row)
    cells = _BLANKS.split(line.strip(" \t"))
    if len(cells) != _CELLS:
        return Reject("given", "", "not_six_cells", file, row)
    query_id, _, passage_id, rank, score, _ = cells
    value = number(score)
    if value is None:
        return Reject("given", f"{query_id}\t{passage_id}", "score_not_a_number", file, row)
    if not _RANK.fullmatch(rank):
        return Reject("given", f"{query_id}\t{passage_id}", "rank_not_a_number", file, row)
    return Given(query_id, passage_id, int(rank), value, file, row)
