"""HTML whose text is escaped unless it was made here: what comes from data cannot become markup."""

from collections.abc import Iterable
from html import escape


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
