"""Where a run can be watched: nothing unless asked, a clear word where it is not installed."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from embedder.errors import ParamsError
from embedder.training import live

FIGURES = {"loss": 0.5, "tokens_per_second": 100.0}


class Recorder:
    """Stands for dvclive's Live and for TensorBoard's SummaryWriter: notes what it is asked."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        self.step = 0
        self.made = args, kwargs
        self.told: list[tuple[int, str, float]] = []
        self.ended = False

    def log_metric(self, name: str, value: float) -> None:
        """Note a figure of dvclive."""
        self.told.append((self.step, name, value))

    def next_step(self) -> None:
        """Go on as dvclive does."""
        self.step += 1

    def end(self) -> None:
        """End as dvclive does."""
        self.ended = True

    def add_scalar(self, name: str, value: float, step: int) -> None:
        """Note a figure of TensorBoard."""
        self.told.append((step, name, value))

    def flush(self) -> None:
        """Write nothing."""

    close = end


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Recorder]:
    """Put recorders in the place of both modules."""
    found: list[Recorder] = []

    def make(*args: object, **kwargs: object) -> Recorder:
        found.append(Recorder(*args, **kwargs))
        return found[-1]

    stand_in: Any = make
    monkeypatch.setitem(sys.modules, "dvclive", SimpleNamespace(Live=stand_in))
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=stand_in))
    return found


@pytest.mark.parametrize("name", sorted(live.PLACES))
def test_steps_are_passed_on(name: str, made: list[Recorder], tmp_path: Path) -> None:
    """Each figure arrives under its step, from the first one told, and the place is closed, after an error too."""

    def run() -> None:
        with live.watched(name, tmp_path, 7) as tell:
            tell(7, FIGURES)
            tell(8, {"loss": 0.25})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        run()
    (one,) = made
    assert one.told == [(7, "loss", 0.5), (7, "tokens_per_second", 100.0), (8, "loss", 0.25)]
    assert one.ended


def test_dvclive_keeps_to_its_folder(made: list[Recorder], tmp_path: Path) -> None:
    """It makes no experiment, no dvc.yaml and no report, and goes on where a run goes on."""
    for start in (0, 3):
        with live.watched("dvclive", tmp_path, start):
            pass
    common = {"dir": str(tmp_path / "dvclive"), "report": None, "save_dvc_exp": False, "dvcyaml": None}
    assert [one.made for one in made] == [((), common | {"resume": resume}) for resume in (False, True)]


def test_tensorboard_forgets_steps_that_come_again(made: list[Recorder], tmp_path: Path) -> None:
    """What an earlier process told from the resumed step on is purged."""
    with live.watched("tensorboard", tmp_path, 3):
        pass
    assert made[0].made == ((str(tmp_path / "tensorboard"),), {"purge_step": 3})


@pytest.mark.parametrize(("name", "module"), [("dvclive", "dvclive"), ("tensorboard", "torch.utils.tensorboard")])
def test_what_is_not_installed_is_said(name: str, module: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The message names the parameter, the command that installs it, and the way without."""
    monkeypatch.setitem(sys.modules, module, None)
    advice = rf"^runtime\.live: {name} cannot be imported \(.*\); pip install {name}, or set it to null$"
    with pytest.raises(ParamsError, match=advice), live.watched(name, tmp_path, 0):
        pass


def test_nothing_is_imported_unless_asked(made: list[Recorder], tmp_path: Path) -> None:
    """With null a step goes nowhere."""
    with live.watched(None, tmp_path, 0) as tell:
        tell(0, FIGURES)
    assert made == []
    assert list(tmp_path.iterdir()) == []
