"""Text files of any size and state, line by line in bounded memory: gzip with a cap, no BOM, bytes that are no UTF-8."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from embedder.errors import SourceError

MAX_LINE = 16 * 2**20
"""Characters of one line or cell; what is longer is no text."""
MAX_RATIO = 200
"""How many times its size a gzip file may unpack to; text reaches about 10."""
MAX_UNPACKED = 2**40
"""Bytes a gzip file may unpack to, whatever its size."""
_ALWAYS = 64 * 2**20
"""Bytes that may be unpacked at any ratio."""
_FOREIGN = {
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
    b"PK\x03\x04": "a zip archive",
    b"BZh": "bzip2",
    b"\x1f\x8b": "gzip without .gz in its name",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
}
_MARK = max(map(len, _FOREIGN))


class _Capped(io.RawIOBase):
    """The unpacked bytes of a gzip file, as long as they stay within the caps."""

    def __init__(self, path: Path, packed: BinaryIO) -> None:
        self._path = path
        self._size = path.stat().st_size
        self._stream = gzip.GzipFile(fileobj=packed)
        self._read = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            count = self._stream.readinto(buffer)
        except (EOFError, zlib.error, OSError) as error:
            raise SourceError(f"{self._path}: a broken gzip file ({error}); copy or pack it again") from error
        self._read += count
        if self._read > MAX_UNPACKED or (self._read > _ALWAYS and self._read > MAX_RATIO * self._size):
            raise SourceError(
                f"{self._path}: unpacks to more than {self._read:,} bytes from {self._size:,}, beyond the caps of "
                f"{MAX_RATIO} times its size and {MAX_UNPACKED:,} bytes; unpack it yourself if you trust it"
            )
        return count


@contextmanager
def open_text(path: Path, newline: str = "\n") -> Iterator[io.TextIOWrapper]:
    r"""Open a file, plain or .gz, as UTF-8 without BOM; bytes that are none become lone surrogates.

    Args:
        path: the file.
        newline: as of `open`: `\n` ends lines at it alone, the empty string leaves line ends to a CSV reader.

    Raises:
        SourceError: it cannot be opened, is in another encoding or packed otherwise, or unpacks beyond the caps.
    """
    try:
        packed = path.open("rb")
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}); correct the path") from error
    with packed:
        raw = _Capped(path, packed) if path.suffix.lower() == ".gz" else packed
        buffered = io.BufferedReader(cast("io.RawIOBase", raw), 2**20)
        start = buffered.peek(_MARK)
        _refuse_foreign(path, start)
        # utf-8-sig alone would lose the bytes of a file that ends within what may be a BOM.
        encoding = "utf-8-sig" if start.startswith(codecs.BOM_UTF8) else "utf-8"
        yield io.TextIOWrapper(buffered, encoding=encoding, errors="surrogateescape", newline=newline)


def lines(path: Path) -> Iterator[tuple[int, str | None]]:
    """Yield number and text of each line, without its end; None where it is longer than MAX_LINE."""
    with open_text(path) as file:
        number = 0
        while line := file.readline(MAX_LINE):
            number += 1
            too_long = False
            while not line.endswith("\n") and (rest := file.readline(MAX_LINE)):
                too_long, line = True, rest
            yield number, None if too_long else line.rstrip("\r\n")


def _refuse_foreign(path: Path, start: bytes) -> None:
    for mark, what in _FOREIGN.items():
        if start.startswith(mark):
            raise SourceError(f"{path}: is {what}, not UTF-8 text; convert or unpack it first")
