"""Whatever is damaged, lost or killed: only that is encoded again, and every vector asked for is right."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import mkdtemp
from unittest.mock import patch

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from embedder.vectors import manifest, units
from embedder.vectors.filling import fill
from embedder.vectors.keys import text_keys
from embedder.vectors.store import Space
from embedder.vectors.units import read_keys
from embedder.vectors.upkeep import tidy
from tests.vectors.made_up import Encoder, encode

ALL = [f"{number:x}" * (1 + number % 4) for number in range(24)]
TEXT_OF = dict(zip(text_keys(ALL), ALL, strict=True))
SOME = st.lists(st.sampled_from(ALL), max_size=16)


class Killed(BaseException):
    """Stands for kill -9: nothing of ours catches it."""


def dying(function: Callable[[Path], object], calls: int) -> Callable[[Path], object]:
    """Return what `function` is for some calls, and a kill after them."""
    left = iter(range(calls))

    def call(path: Path) -> object:
        if next(left, None) is None:
            raise Killed
        return function(path)

    return call


class Faults(RuleBasedStateMachine):
    """A store that is filled, and to which everything happens that a disk, a user or a kill can do.

    `lines` are the units that the manifest names, `broken` those whose files are not what it says.
    """

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(mkdtemp())
        self.lines: list[str] = []
        self.broken: set[str] = set()
        self.texts: dict[str, set[str]] = {}
        self.flipped = False

    @initialize(texts=SOME)
    def start(self, texts: list[str]) -> None:
        """Begin with some texts."""
        self.encode(texts)

    @rule(texts=SOME)
    def encode(self, texts: list[str]) -> None:
        """What is asked is right, and exactly what was not whole is encoded."""
        lacking, encoder = set(texts) - self.whole(), Encoder()
        assert fill(self.space(), texts, encoder, 7, unit_texts=3) == len(lacking)
        assert encoder.texts == sorted(lacking)
        self.note()
        if texts:
            np.testing.assert_array_equal(self.space().vectors(text_keys(texts)), encode(texts))

    @rule(texts=SOME, at=st.sampled_from(["file_sha256", "sync_folder"]), done=st.integers(0, 3))
    def kill(self, texts: list[str], at: str, done: int) -> None:
        """A kill before a unit has its name, or after but before its line, loses that unit alone."""
        lacking, encoder = set(texts) - self.whole(), Encoder()
        with patch.object(units, at, dying(getattr(units, at), done)), suppress(Killed):
            fill(self.space(), texts, encoder, 7, unit_texts=3)
        self.note()
        assert set(texts) - self.whole() == lacking - {text for unit in encoder.units[:done] for text in unit}

    @precondition(lambda self: self.intact())
    @rule(data=st.data(), how=st.sampled_from(["delete", "truncate", "lengthen", "empty", "key"]))
    def damage(self, data: st.DataObject, how: str) -> None:
        """A file that is gone, of another size, or of other keys."""
        path = self.draw(data)
        content = bytearray(path.read_bytes())
        if how == "delete":
            path.unlink()
        elif how == "key":
            content[data.draw(st.integers(0, 15))] ^= 1
            path.write_bytes(content)
        else:
            path.write_bytes({"truncate": bytes(content[:-1]), "lengthen": bytes(content) + b"0", "empty": b""}[how])
        self.broken.add(path.name)

    @precondition(lambda self: self.lines)
    @rule(data=st.data())
    def tear(self, data: st.DataObject) -> None:
        """A manifest whose last line a kill tore names one unit less."""
        path = self.space().folder / "manifest.jsonl"
        *lines, _ = path.read_bytes().split(b"\n")
        torn = data.draw(st.integers(0, len(lines[-1])))
        path.write_bytes(b"".join(line + b"\n" for line in lines[:-1]) + lines[-1][:torn])
        self.lines.pop()

    @precondition(lambda self: self.intact())
    @rule(data=st.data())
    def flip(self, data: st.DataObject) -> None:
        """One flipped bit, wherever it is, is found by the check, which removes that unit and no whole one."""
        path = self.draw(data)
        content = bytearray(path.read_bytes())
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
        path.write_bytes(content)
        self.broken.add(path.name)
        self.check()

    @rule()
    def check(self) -> None:
        """The check counts what is damaged, and leaves what is whole and nothing else."""
        (state,) = tidy(self.root, {"m"})
        assert state.damaged == len(set(self.lines) & self.broken)
        self.lines = [unit.unit for unit in manifest.read(self.space().folder / "manifest.jsonl")]
        assert not set(self.lines) & self.broken
        self.broken.clear()
        assert {path.name for path in (self.space().folder / "units").iterdir()} == set(self.lines)
        assert state.vectors == sum(len(self.texts[name]) for name in self.lines)

    @rule()
    def forget(self) -> None:
        """The cache is safe to delete."""
        shutil.rmtree(self.space().folder)
        self.lines, self.broken = [], set()

    @invariant()
    def only_whole_units_count(self) -> None:
        """What a space lacks is what no whole unit holds."""
        lacking = [ALL[position] for position in self.space().missing(text_keys(ALL))]
        assert set(lacking) == set(ALL) - self.whole()

    def space(self) -> Space:
        """Open the space anew, as another process would."""
        return Space(self.root, {"model": "m"}, "float32")

    def intact(self) -> set[str]:
        """The names of whole units."""
        return set(self.lines) - self.broken

    def whole(self) -> set[str]:
        """The texts of whole units."""
        return set().union(*(self.texts[name] for name in self.intact()))

    def note(self) -> None:
        """Learn which units the manifest names now; those that were done again are whole again."""
        folder = self.space().folder
        path = folder / "manifest.jsonl"
        *raw, _ = path.read_bytes().split(b"\n") if path.exists() else [b""]
        names = [line.split(b'"unit": "')[1][:64].decode() for line in raw]
        assert names[: len(self.lines)] == self.lines
        self.broken -= set(names[len(self.lines) :])
        self.lines = names
        for unit in manifest.read(path):
            if unit.unit not in self.texts:
                self.texts[unit.unit] = {TEXT_OF[key] for key in read_keys(folder / "units", unit)}

    def draw(self, data: st.DataObject) -> Path:
        """Choose the file of a whole unit."""
        return self.space().folder / "units" / data.draw(st.sampled_from(sorted(self.intact())))

    def teardown(self) -> None:
        """Remove the store."""
        shutil.rmtree(self.root)


TestFaults = Faults.TestCase
TestFaults.settings = settings(deadline=None, max_examples=50, stateful_step_count=15)
