"""One figure of a model in memory, to choose by: what AVG would be on the dev queries that are set aside for it."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from embedder import layout
from embedder.bootstrap import observe
from embedder.errors import StudentError
from embedder.evaluation.dev import DevSet, Scores
from embedder.evaluation.measuring import measure, unmeasurable
from embedder.evaluation.models import reading
from embedder.evaluation.parts import choosing
from embedder.evaluation.results import AVERAGED, STACKED
from embedder.params.load import student_of
from embedder.params.models import Params, Student, Terms
from embedder.progress import say
from embedder.set_aside import read

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class Scorer:
    """Scores a model; every dataset is searched whole, so a figure means what it means in the results.

    Args:
        sets: dataset -> the dev queries to choose by.
        terms: dataset -> what it asks for.
        student: whose prompts and lengths count; its recipe's seed is that of the clusterings.

    Raises:
        StudentError: there is no query to choose by.
    """

    def __init__(self, sets: Mapping[str, DevSet], terms: Mapping[str, Terms], student: Student) -> None:
        self.without = {name: reason for name, data in sets.items() if (reason := unmeasurable(data))}
        self._sets = {name: data for name, data in sets.items() if name not in self.without}
        self._terms, self._student = terms, student
        if not self._sets:
            raise StudentError("finetune.selection.share sets no dev query aside; raise it, or set selection to null")

    def report(self) -> dict[str, object]:
        """What report.json says: how many dev queries of each dataset are scored, and why others have none."""
        counts = {name: len(data.dev.texts) for name, data in self._sets.items()}
        return {"queries": counts, "without_queries": self.without}

    def __call__(self, model: "SentenceTransformer") -> float:
        """Score `model` as it is now, and say how long that took."""
        start = time.perf_counter()
        reader = reading(model, self._student, "finetune: texts of a score")
        seed = self._student.recipe.seed
        found = {name: measure(data, reader(self._terms[name]), seed) for name, data in self._sets.items()}
        value = mean_of_tasks({name: data.task for name, data in self._sets.items()}, found)
        say(f"finetune: score {value:.6f} in {time.perf_counter() - start:.1f} s")
        return value


def scorer_of(params: Params) -> Scorer | None:
    """Read the dev queries that are set aside; None without a selection.

    Raises:
        StudentError: there is no query to choose by.
        TableError: they cannot be read, or are of another share.
    """
    if not params.finetune.selection:
        return None
    parts = read(layout.SELECTION, params.finetune.selection.share)
    return Scorer(choosing(parts), {name: part.terms for name, part in parts.items()}, student_of(params))


def mean_of_tasks(tasks: Mapping[str, str], scores: Mapping[str, Scores]) -> float:
    """The plain mean of the tasks' figures, each as in the row of its task.

    Classification counts only where there is no other task, as it does not count in AVG.

    Args:
        tasks: dataset -> its task.
        scores: dataset -> what the model got, one at least.
    """
    names = [task for task in AVERAGED if task in tasks.values()] or sorted(set(tasks.values()))
    return float(np.mean([_figure(task, [scores[one] for one in scores if tasks[one] == task]) for task in names]))


def _figure(task: str, scores: list[Scores]) -> float:
    if task in STACKED:
        return float(np.concatenate([one.values for one in scores]).mean())
    return float(np.mean([observe(one.statistic, len(one.values)) for one in scores]))
