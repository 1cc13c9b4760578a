"""A loaded student whose trained weights can be put: those a run starts with, those of a run, those of several."""

from typing import TYPE_CHECKING, Any

from embedder.params.models import Student
from embedder.training.adapters import adapt
from embedder.training.selection import averaged, scaled
from embedder.training.states import put, state_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sentence_transformers import SentenceTransformer

    from embedder.training.states import State


class Tunable:
    """A student and what of it is trained; `start` comes first.

    Args:
        model: as it was loaded; it is changed in place.
        student: its options and recipe.
        keeps: whether there is more than one thing to put.

    Attributes:
        model: the student.
        adapted: the PeftModel in it; None where all weights are trained.
    """

    def __init__(self, model: "SentenceTransformer", student: Student, *, keeps: bool) -> None:
        self.model = model
        self.adapted: Any = None
        self._student, self._width = student, 0
        if student.recipe.lora is None:
            adapt(model, student)
        self._start: State | None = state_of(model) if keeps and student.recipe.lora is None else None
        # The model is as it will be trained, for who must know how large that is.
        self._wide(1)

    def start(self) -> None:
        """Put what a run starts with: the base, and newly drawn adapters that change nothing yet."""
        if self._student.recipe.lora is None:
            if self._start is not None:
                put(self.model, self._start)
            return
        self._wide(0)
        self._wide(1)

    def hold(self, states: "Sequence[State]", scale: float) -> None:
        """Put the average of the weights of some runs, so far from the base: see `scaled` and `averaged`."""
        adapters = self._student.recipe.lora is not None
        self._wide(len(states))
        put(self.model, scaled(averaged(states, adapters=adapters), scale, self._start))

    def _wide(self, runs: int) -> None:
        """Have adapters for so many runs side by side; 0 for none."""
        lora = self._student.recipe.lora
        if lora is None or runs == self._width:
            return
        if self.adapted is not None:
            self.adapted.unload()
            self.adapted = None
        if runs:
            wide = lora.model_copy(update={"r": lora.r * runs, "alpha": lora.alpha * runs})
            recipe = self._student.recipe.model_copy(update={"lora": wide})
            self.adapted = adapt(self.model, self._student.model_copy(update={"recipe": recipe}))
        self._width = runs
