"""A teacher's entry, written into the text of params.yaml: every other byte stays as it is."""

import io
import re
from collections.abc import Mapping
from textwrap import indent
from typing import Any

from embedder.errors import ParamsError

_SECTION = "teachers"


def with_teacher(text: str, name: str, entry: Mapping[str, Any], *, replace: bool) -> str:
    """Return the text of params.yaml with the entry `teachers.NAME`, after the last teacher or in place of NAME's.

    Args:
        text: of params.yaml, valid.
        name: the teacher's.
        entry: what is written, in the order of its keys.
        replace: whether another entry of that name may go.

    Raises:
        ParamsError: another entry has that name and may not go, or the section is not in block style.
    """
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes = True
    teachers = yaml.load(text)[_SECTION]
    if name in teachers and teachers[name] == entry:
        return text
    if name in teachers and not replace:
        raise ParamsError(f"{_SECTION}.{name}: is another teacher; give another name with --as, or --replace it")
    if teachers.fa.flow_style():
        raise ParamsError(f"{_SECTION}: is written in one line; write an entry a line, so that one can be added")
    old = {key: teachers.lc.key(key)[0] for key in teachers}
    column = teachers.lc.key(next(iter(teachers)))[1]
    lines = text.splitlines(keepends=True)
    first = old[name] if name in teachers else _end(lines, max(old.values()), column)
    last = _end(lines, first, column) if name in teachers else first
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    new = indent(_block({name: entry}), " " * column).replace("\n", end)
    before = "".join(lines[:first])
    gap = end if before and not before.endswith("\n") else ""
    return before + gap + new + "".join(lines[last:])


def _end(lines: list[str], start: int, column: int) -> int:
    """Return the line after an entry whose key stands at `start`: blank lines and comments after it are not its own."""
    end = start + 1
    for number in range(start + 1, len(lines)):
        line = lines[number].strip("\r\n")
        width = len(line) - len(line.lstrip(" "))
        if not line.strip():
            continue
        if width <= column:
            break
        end = number + 1
    return end


def _block(content: Mapping[str, Any]) -> str:
    """Write block style, nulls and texts with escapes as this project's params.yaml has them."""
    from ruamel.yaml import YAML
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString

    def quoted(value: object) -> object:
        if isinstance(value, Mapping):
            return {key: quoted(one) for key, one in value.items()}
        return (
            DoubleQuotedScalarString(value)
            if isinstance(value, str) and not re.fullmatch(r"[\w.+/-]+", value)
            else value
        )

    yaml = YAML()
    yaml.width = 10**9
    yaml.representer.add_representer(type(None), lambda to, _: to.represent_scalar("tag:yaml.org,2002:null", "null"))
    text = io.StringIO()
    yaml.dump(quoted(content), text)
    return text.getvalue()
