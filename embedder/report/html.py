"""HTML whose text is escaped unless it was made here: what comes from data cannot become markup."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files

_VOID = frozenset({"meta", "input"})
# What could end a script element, open a comment in it, or end a line of JavaScript.
_RISKY = re.compile("[<>&\u2028\u2029]")


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: object) -> Html:
    """Make an element; children and attributes are escaped unless they are `Html`.

    Args:
        name: of the element.
        children: text or elements.
        attributes: `class_` is written class, `stroke_width` stroke-width; None is left out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    end = "" if name in _VOID else f"</{name}>"
    return Html(f"<{name}{written}>{join(children)}{end}")


def join(parts: Iterable[str]) -> Html:
    """Put parts one after the other, escaping what is no `Html`."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


def data_block(name: str, value: object) -> Html:
    """Make an element that holds JSON for the page's script; no text in it can end it.

    Raises:
        ValueError: a number is not finite.
    """
    written = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    safe = _RISKY.sub(lambda found: f"\\u{ord(found[0]):04x}", written)
    return tag("script", Html(safe), type="application/json", id=name)


def document(title: str, *body: Html, data: Mapping[str, object] | None = None) -> str:
    """Write a whole page in the house style; nothing in it is loaded from elsewhere.

    Args:
        title: of the page.
        body: its elements.
        data: what the page's script reads, by name of block; None for a page on which nothing runs.
    """
    style = _source("page.css")
    script = _source("page.js") if data is not None else ""
    allowed = f"default-src 'none'; base-uri 'none'; form-action 'none'; style-src {_hash(style)}"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag(
            "meta",
            http_equiv="Content-Security-Policy",
            content=f"{allowed}; script-src {_hash(script)}" if script else allowed,
        ),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"embedder: {title}"),
        tag("style", Html(style)),
    )
    blocks = [data_block(name, value) for name, value in (data or {}).items()]
    scripts = [*blocks, tag("script", Html(script))] if script else []
    return f"<!doctype html>\n{tag('html', head, tag('body', *body, *scripts), lang='en')}\n"


def _source(name: str) -> str:
    return files("embedder.report").joinpath(name).read_text(encoding="utf-8")


def _hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
