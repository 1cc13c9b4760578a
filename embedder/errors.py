"""The mistakes a user can make, each said in one line: what, where, why, and what to do.

EmbedderError
+-- ParamsError    params.yaml is wrong
+-- SourceError    a dataset's source is missing, empty, or not what its entry says
+-- TableError     a Parquet file is missing, or not what its schema says
+-- TeacherError   a teacher cannot score
+-- JudgeError     a judge cannot say what is relevant
+-- StudentError   a student cannot be built, loaded, trained or saved
+-- ModelError     a pretrained model cannot be had, loaded, or is not what its entry says

Whatever is not an EmbedderError is a fault of this program and keeps its traceback.
"""

import difflib
from collections.abc import Iterable


class EmbedderError(Exception):
    """A user's mistake; the message is all that is shown, and the exit code is 2."""


class ParamsError(EmbedderError):
    """params.yaml does not say what it must."""


class SourceError(EmbedderError):
    """A dataset's source cannot be read as its entry says."""


class TableError(EmbedderError):
    """A Parquet file is missing or breaks its declared schema."""


class TeacherError(EmbedderError):
    """A teacher cannot score these texts."""


class JudgeError(EmbedderError):
    """A judge cannot say what is relevant, or too often does not."""


class StudentError(EmbedderError):
    """A student cannot be built, loaded, trained or saved."""


class ModelError(EmbedderError):
    """A pretrained model cannot be had, loaded, or is not what its entry says."""


def unknown(kind: str, name: str, choices: Iterable[str]) -> str:
    """Say that `name` is no `kind`, with the close one if there is one, else with all there are."""
    known = sorted(choices)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean '{close[0]}'?" if close else f"there are: {', '.join(known) or 'none'}"
    return f"unknown {kind} '{name}'; {hint}"
