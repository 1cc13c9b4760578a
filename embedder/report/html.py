"""HTML whose text is escaped unless it was made here: what comes from data cannot become markup."""

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from importlib.resources import files


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
    end = "" if name == "meta" else f"</{name}>"
    return Html(f"<{name}{written}>{join(children)}{end}")


def join(parts: Iterable[str]) -> Html:
    """Put parts one after the other, escaping what is no `Html`."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in parts))


def document(title: str, *body: Html) -> str:
    """Write a whole page in the house style; nothing in it is loaded from elsewhere, and nothing runs."""
    style = files("embedder.report").joinpath("page.css").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=f"default-src 'none'; style-src 'sha256-{digest}'"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", f"embedder: {title}"),
        tag("style", Html(style)),
    )
    return f"<!doctype html>\n{tag('html', head, tag('body', *body), lang='en')}\n"
