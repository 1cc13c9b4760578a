"""Text that others wrote, in Markdown."""

import html
import re

_SPECIAL = re.compile(r"([\\`*_\[\]|~])")


def inline(text: str) -> str:
    """Return a text on one line, every character shown, none read as Markdown or HTML: in a sentence or a table."""
    shown = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
    return _SPECIAL.sub(r"\\\1", html.escape(shown, quote=False))
