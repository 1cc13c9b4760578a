"""Where a training run can be watched while it goes on. Adding a place: one function, one line in PLACES."""

import importlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from embedder.errors import ParamsError

Tell = Callable[[int, Mapping[str, float]], None]
"""What is told of a step: its number and its figures by name."""


@contextmanager
def watched(name: str | None, folder: Path, start: int) -> Iterator[Tell]:
    """Yield what passes each step on to the place `name`; nothing is imported and done where it is None.

    Args:
        name: a key of PLACES.
        folder: the files lie in `folder / name`.
        start: the first step that is told now; those before it were told by another process.

    Raises:
        ParamsError: what it takes is not installed.
    """
    if name is None:
        yield lambda _, __: None
        return
    with PLACES[name](folder / name, start) as tell:
        yield tell


@contextmanager
def _dvclive(folder: Path, start: int) -> Iterator[Tell]:
    # It would commit experiments and write a dvc.yaml of its own.
    live = _module("dvclive", "dvclive").Live(
        dir=str(folder), resume=start > 0, report=None, save_dvc_exp=False, dvcyaml=None
    )

    def tell(step: int, figures: Mapping[str, float]) -> None:
        live.step = step
        for name, value in figures.items():
            live.log_metric(name, value)
        live.next_step()

    try:
        yield tell
    finally:
        live.end()


@contextmanager
def _tensorboard(folder: Path, start: int) -> Iterator[Tell]:
    module = _module("torch.utils.tensorboard", "tensorboard")
    writer = module.SummaryWriter(str(folder), purge_step=start)

    def tell(step: int, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            writer.add_scalar(name, value, step)
        writer.flush()

    try:
        yield tell
    finally:
        writer.close()


PLACES: dict[str, Callable[[Path, int], AbstractContextManager[Tell]]] = {
    "dvclive": _dvclive,
    "tensorboard": _tensorboard,
}


def _module(name: str, package: str) -> Any:  # noqa: ANN401 - a module that may not be installed
    try:
        return importlib.import_module(name)
    except ImportError as error:
        advice = f"pip install {package}, or set it to null"
        raise ParamsError(f"runtime.live: {package} cannot be imported ({error}); {advice}") from error
