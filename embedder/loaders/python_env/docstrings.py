"""A docstring's parts: its first sentence, the rest, and the names its See Also section gives."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

_UNDERLINE = re.compile(r"[-=~]{3,}\s*$")
_DIRECTIVE = re.compile(r"^\.\. seealso::.*(?:\n(?:[ \t].*|[ \t]*(?=\n)))*\n?", re.MULTILINE | re.IGNORECASE)
_BREAK = re.compile(r"\.\. |>>> |[-*] |:param|:return|Parameters:|Args:|Returns:|\|")
_SENTENCE = re.compile(r"[.!?][\"')\]]*\s+(?=[A-Z`\"'(:*\[|0-9])")
_ABBREVIATION = re.compile(r"(?:\b(?:e\.g|i\.e|vs|cf|Eqs?|Figs?|Refs?|al|approx|resp|w\.r\.t|St|No|Dr|[A-Z])\.)$")
_ROLE = re.compile(r":[a-zA-Z]+(?::[a-zA-Z]+)*:`(~?)([^`<]+?)(?:\s*<[^`>]*>)?`")
_FOOTNOTE = re.compile(r"\s*\[[\w#*]+\]_")
_LISTED = re.compile(r"^(?::[a-z:]+:)?`{0,2}~?([A-Za-z_][\w.]*)`{0,2}(?:\(\))?$")
_TEMPLATE = re.compile(r"%\(\w+\)[sdrif]|^[ \t]*\{\w+\}[ \t]*$", re.MULTILINE)


@dataclass(frozen=True)
class Docstring:
    """What a docstring says: texts without markup of its own, `see_also` as written there."""

    summary: str
    body: str
    see_also: list[str]


def parse(text: str, name: str) -> Docstring:
    """Split a cleaned docstring of the definition `name`; the See Also section is no part of the body.

    The summary is the first sentence of the first paragraph that is no signature line; the body is all the rest.
    """
    parts = list(_sections(_DIRECTIVE.sub("", text)))
    lead, *sections = parts
    first, rest = _first_paragraph(lead[1], name)
    summary, more = _first_sentence(first)
    kept = [content for title, content in sections if not _is_see_also(title)]
    body = "\n\n".join(part for part in (more, rest, *kept) if part)
    named = [n for title, content in sections if _is_see_also(title) for n in _names(content)]
    return Docstring(plain(summary), body, list(dict.fromkeys(named)))


def is_template(text: str) -> bool:
    """Whether the docstring waits for text that a decorator fills in when the package is imported."""
    return bool(_TEMPLATE.search(text))


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """Yield (title, content with its title) of the lead, whose title is empty, and of every underlined section."""
    lines = text.split("\n")
    starts = [i for i in range(len(lines) - 1) if _is_title(lines[i], lines[i + 1])]
    yield "", "\n".join(lines[: starts[0] if starts else None]).strip()
    for start, end in pairwise([*starts, len(lines)]):
        yield lines[start].strip(), "\n".join(lines[start:end]).strip()


def _is_title(line: str, below: str) -> bool:
    return bool(line.strip()) and not line.startswith((" ", "\t")) and bool(_UNDERLINE.match(below))


def _is_see_also(title: str) -> bool:
    return title.casefold().rstrip(":").replace("-", " ").split() == ["see", "also"]


def _first_paragraph(lead: str, name: str) -> tuple[str, str]:
    """The first paragraph on one line, and what follows it; a signature line above it is skipped."""
    paragraphs = re.split(r"\n[ \t]*\n", lead.strip(), maxsplit=2)
    if len(paragraphs) > 1 and _is_signature(paragraphs[0], name):
        paragraphs = paragraphs[1:]
    lines = paragraphs[0].split("\n")
    end = next((i for i, line in enumerate(lines) if i and _BREAK.match(line.lstrip())), len(lines))
    rest = "\n".join(lines[end:])
    return " ".join(" ".join(lines[:end]).split()), "\n\n".join(p for p in (rest, *paragraphs[1:]) if p.strip())


def _is_signature(paragraph: str, name: str) -> bool:
    return f"{name}(" in paragraph and paragraph.rstrip().endswith(")") and ". " not in paragraph


def _first_sentence(paragraph: str) -> tuple[str, str]:
    for end in _SENTENCE.finditer(paragraph):
        if not _ABBREVIATION.search(paragraph[: end.start() + 1]):
            return paragraph[: end.end()].strip(), paragraph[end.end() :]
    return paragraph, ""


def plain(text: str) -> str:
    """Strip reStructuredText markup and line breaks: roles, back quotes, bold, footnotes."""
    text = _ROLE.sub(lambda m: m[2].rsplit(".", 1)[-1] if m[1] else m[2], text)
    return " ".join(_FOOTNOTE.sub("", text).replace("`", "").replace("**", "").split())


def _names(section: str) -> Iterator[str]:
    """The names a See Also section lists; descriptions are indented or follow a colon."""
    for line in section.split("\n")[2:]:
        if line.startswith((" ", "\t")):
            continue
        for part in re.split(r"\s:(?:\s|$)|:\s|:$", line, maxsplit=1)[0].split(","):
            match = _LISTED.match(part.strip())
            if match:
                yield match[1]
