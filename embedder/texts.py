"""What a text is: how a title joins it, and when two are the same."""

import unicodedata


def passage_text(title: str, text: str) -> str:
    """The passage as models and BM25 read it: title, newline, text; one alone where there is no other."""
    return f"{title}\n{text}" if title and text else title or text


def normalise(text: str) -> str:
    """The form in which two texts are the same: NFKC, case and white space folded."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
