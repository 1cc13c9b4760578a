"""Messages of the loaders, as the command line needs them: an audit has options, and no entry of params.yaml."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from embedder.errors import SourceError

_INSTEAD = (
    (re.compile(r"set quoting: false"), "give --no-quoting"),
    (re.compile(r" or say format: in its source"), ""),
    (re.compile(r"correct source\.\w+ or path"), "correct SOURCE"),
    (re.compile(r"(name its files: |set )source\..*"), "correct the names of its files"),
    (re.compile(r"source\.(\w+)"), r"--\1"),
)


@contextmanager
def advising() -> Iterator[None]:
    """Say what to give on the command line, not what to set in an entry.

    Raises:
        SourceError: the one that was raised, with the audit's advice.
    """
    try:
        yield
    except SourceError as error:
        raise SourceError(advised(str(error))) from error


def advised(message: str) -> str:
    """Return a loader's message with the audit's advice."""
    for pattern, instead in _INSTEAD:
        message = pattern.sub(instead, message)
    return message
