"""What the tests of several processes do in each of them: `python -m tests.training.together FOLDER`."""

import sys
from pathlib import Path
from typing import Any

import torch

from embedder import devices
from embedder.params.models import Student
from embedder.params.runtime import Runtime
from embedder.training.batches import compose
from embedder.training.grad_cache import Pieces, backward
from embedder.training.launching import launch
from embedder.training.loop import Work, optimizer_of, train
from embedder.training.objective import Objective
from embedder.training.processes import Processes, joined
from embedder.training.states import state_of
from embedder.training.tokens import tokens
from tests.training import shapes

State = dict[str, torch.Tensor]

PIECES = Pieces(tokens=64, cached_tokens=64, kept_tokens=100)
STEPS = 20
# Runs, one of them of a task whose passages are shared labels: many a text of a batch is the same.
TRAINED = ["bert retrieval", "bert classification", "mistral retrieval"]
RECIPE: dict[str, Any] = {
    "query_length": 48,
    "passage_length": 60,
    "batch_size": 12,
    "steps": STEPS,
    "learning_rate": 0.001,
}


def prepare(folder: Path) -> None:
    """Write the students; within several processes transformers lets only the first write a model."""
    for shape in shapes.SHAPES:
        (folder / shape).mkdir()
        whole = shapes.entry(shape, folder / shape, **RECIPE)
        (folder / shape / "student.json").write_text(whole.model_dump_json())


def everything(folder: Path, processes: Processes) -> dict[str, State]:
    """Return gradients of a batch of each shape and task, some with dropout, and the weights after a few steps."""
    found = {}
    for shape in shapes.SHAPES:
        at = folder / shape
        whole = Student.model_validate_json((at / "student.json").read_text())
        for task in shapes.TASKS:
            found[f"{shape} {task}"] = _gradients(whole, at, task, processes, 0.0)
        found[f"{shape} dropout"] = _gradients(whole, at, "retrieval", processes, 0.3)
        for name in TRAINED:
            of_shape, task = name.split()
            if of_shape == shape:
                found[f"{name} trained"] = _trained(whole, at, task, processes)
    return found


def _gradients(whole: Student, folder: Path, task: str, processes: Processes, dropout: float) -> State:
    model = shapes.adapted(whole, folder)
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = dropout
    work = shapes.work(shapes.sets(task), whole)
    texts = compose(work.sets, work.prompts, whole.recipe, work.batches[0])
    read = tokens(model, texts, whole.recipe)
    loss_of = Objective(read, texts, whole.recipe, "cpu").loss
    backward(model, read.ids, loss_of, PIECES, processes=processes, seed=7)
    return shapes.gradients(model)


def _trained(whole: Student, folder: Path, task: str, processes: Processes) -> State:
    model = shapes.adapted(whole, folder)
    plan = shapes.work(shapes.sets(task), whole)
    work = Work(plan.batches, plan.sets, plan.prompts, plan.recipe, PIECES, processes)
    assert len(list(train(model, optimizer_of(model, whole.recipe), work, seed=1))) == STEPS
    return dict(state_of(model))


def _exchanges(processes: Processes) -> None:
    """Uneven rows, some of them none, sums of several buckets and agreements."""
    index, count = processes.index, processes.count
    own = torch.full((index, 3), float(index))
    rows = processes.gather(own, list(range(count)))
    assert rows[:, 2].tolist() == [float(one) for one in range(count) for _ in range(one)]
    sums = [torch.full((3, 2), index + 1.0), torch.arange(5.0) * index, torch.tensor(1.0)]
    processes.add(sums)
    total = count * (count + 1) / 2
    assert sums[0].tolist() == [[total] * 2] * 3
    assert sums[1].tolist() == [one * (total - count) for one in range(5)]
    assert float(sums[2]) == count
    assert processes.agree(0.1 + index) == 0.1


if __name__ == "__main__":
    launch("", Runtime(device="cpu"))
    devices.configure(Runtime(device="cpu", threads=1))
    with joined("cpu") as found:
        _exchanges(found)
        if len(sys.argv) > 1:
            torch.save(everything(Path(sys.argv[1]), found), Path(sys.argv[1]) / f"{found.index}.pt")
