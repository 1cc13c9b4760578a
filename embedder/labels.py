"""The verdicts of people on pairs: a CSV file a dataset, kept in git, written whole with every verdict that is added.

    query_id,passage_id,verdict,texts

`texts` is a hash of what the person read: a verdict on a text that has changed since counts as none. Ids may hold any
character; one that a spreadsheet would take for a formula has an apostrophe before it, as has one that begins with an
apostrophe.
"""

import csv
import fcntl
import hashlib
import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from embedder.errors import TableError

VERDICTS = ("yes", "no", "unsure")

_COLUMNS = ("query_id", "passage_id", "verdict", "texts")
_GUARD = "'"
_FORMULA = (*"=+-@\t\r\n＝＋－＠", _GUARD)  # noqa: RUF001 - spreadsheets take the wide ones for formulas too
_HASH = 16


@dataclass(frozen=True, order=True)
class Verdict:
    """What a person said of a pair, and the hash of the texts that the person read."""

    verdict: str
    texts: str

    def is_of(self, query: str, passage: str) -> bool:
        """Whether these are the texts that were read."""
        return self.texts == texts_hash(query, passage)


Verdicts = dict[tuple[str, str], Verdict]
"""By query_id and passage_id."""


def texts_hash(query: str, passage: str) -> str:
    """Return 64 bits of a hash of a pair's texts, as hex; the length tells where the query ends."""
    content = f"{len(query)}\0{query}{passage}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(content).hexdigest()[:_HASH]


def read(path: Path) -> Verdicts:
    """Return the verdicts in a file, none where there is no file.

    Raises:
        TableError: the file is not as `write` writes it, has two verdicts on a pair, or cannot be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return dict(_rows(path, file))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror}); it must be a file that you may read") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path}: is no CSV in UTF-8 ({error}); take it from git again") from error


def add(path: Path, pair: tuple[str, str], said: Verdict) -> Verdicts:
    """Put a verdict into a file, in place of one on the same pair; what others put there meanwhile stays.

    Returns:
        All that the file holds now.

    Raises:
        TableError: the file is not as `write` writes it, or cannot be written.
    """
    with _writing(path):
        verdicts = read(path) | {pair: said}
        _write(path, verdicts)
    return verdicts


def write(path: Path, verdicts: Mapping[tuple[str, str], Verdict]) -> None:
    """Write all verdicts, sorted by ids, over whatever is there; the file is whole at any moment.

    Raises:
        TableError: it cannot be written.
    """
    with _writing(path):
        _write(path, verdicts)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Hold the file's folder until it is written: the kernel lets go of it when this process ends, however it ends.

    The folder and no file beside: what lies in it is in git, and changes what the stage `judge` is made of.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)
    except OSError as error:
        raise TableError(
            f"{path}: cannot be written ({error.strerror}), and stays as it was; it must be a file in a folder that you may "
            "write to, on a file system with locks"
        ) from error


def _write(path: Path, verdicts: Mapping[tuple[str, str], Verdict]) -> None:
    text = io.StringIO()
    # Every cell is quoted: a carriage return in an id would end an unquoted one.
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(_COLUMNS)
    for (query_id, passage_id), said in sorted(verdicts.items()):
        writer.writerow((_guarded(query_id), _guarded(passage_id), said.verdict, said.texts))
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with draft.open("w", encoding="utf-8", newline="") as file:
            file.write(text.getvalue())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _rows(path: Path, file: io.TextIOBase) -> Iterator[tuple[tuple[str, str], Verdict]]:
    reader = csv.reader(file, strict=True)
    if tuple(next(reader, ())) != _COLUMNS:
        raise TableError(f"{path}: its first line is not {','.join(_COLUMNS)}; take the file from git again")
    seen = set()
    for row in reader:
        if len(row) != len(_COLUMNS) or row[2] not in VERDICTS:
            wanted = f"two ids, {' or '.join(VERDICTS)}, and a hash"
            raise TableError(f"{path}:{reader.line_num}: is not {wanted}; correct or remove the line")
        pair = _unguarded(row[0]), _unguarded(row[1])
        if pair in seen:
            raise TableError(f"{path}:{reader.line_num}: a second verdict on the pair {pair}; remove one")
        seen.add(pair)
        yield pair, Verdict(row[2], row[3])


def _guarded(name: str) -> str:
    return _GUARD + name if name.startswith(_FORMULA) else name


def _unguarded(cell: str) -> str:
    return cell.removeprefix(_GUARD)
