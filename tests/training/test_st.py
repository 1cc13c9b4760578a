"""The backend of sentence-transformers: the oracle of our own loop."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
import torch

from embedder import encoding
from embedder.errors import StudentError
from embedder.params.finetune import Selection
from embedder.params.models import Student
from embedder.params.runtime import Runtime
from embedder.training import st, states
from embedder.training.batches import compose
from embedder.training.grad_cache import Pieces, backward
from embedder.training.loop import Work, optimizer_of, train
from embedder.training.objective import Objective
from embedder.training.processes import Alone
from embedder.training.runs import Run
from embedder.training.st.trainer import trainer_of
from embedder.training.tokens import tokens
from tests.training.shapes import LABELS, SHAPES, TASKS, adapted, difference, entry, gradients, sets, work
from tests.training_sets import passage, query, row, training_set

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from transformers import TrainerCallback


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints and speeds are written beneath the folder that a run is started in."""
    monkeypatch.chdir(tmp_path)


ONE_STEP: dict[str, Any] = {"steps": 1, "warmup_steps": 0, "batch_size": 12, "num_negatives": 3, "max_grad_norm": 1e9}


def theirs(model: "SentenceTransformer", given: Work, folder: Path) -> dict[str, torch.Tensor]:
    """Return the gradients of a plan's one step as the trainer takes it."""
    found: dict[str, torch.Tensor] = {}
    trainer_of(model, optimizer_of(model, given.recipe), given, folder, seed=1, callbacks=[catcher(found)]).train()
    return found


def catcher(found: dict[str, torch.Tensor]) -> "TrainerCallback":
    """Return what takes the gradients down before the optimizer steps."""
    from transformers import TrainerCallback

    class Catcher(TrainerCallback):
        def on_pre_optimizer_step(self, *_: object, **told: Any) -> None:  # noqa: ANN401 - the library's signature
            found.update(gradients(told["model"]))

    return Catcher()


def ours(model: "SentenceTransformer", given: Work) -> dict[str, torch.Tensor]:
    """Return the gradients of a plan's one step as our loop takes it."""
    (batch,) = given.batches
    texts = compose(given.sets, given.prompts, given.recipe, batch)
    read = tokens(model, texts, given.recipe)
    objective = Objective(read, texts, given.recipe, "cpu")
    backward(model, read.ids, objective.loss, given.pieces)
    return gradients(model)


def agreement(whole: Student, given: Work, folder: Path) -> float:
    """Return the largest relative error of a parameter's gradient."""
    return difference(ours(adapted(whole, folder), given), theirs(adapted(whole, folder), given, folder / "out"))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("task", TASKS)
def test_both_backends_take_the_same_gradients(task: str, shape: str, tmp_path: Path) -> None:
    """From the same weights and plan every parameter's gradient agrees to 1e-4, for each task and architecture."""
    whole = entry(shape, tmp_path, **ONE_STEP)
    assert agreement(whole, work(sets(task), whole), tmp_path) < 1e-4


def repeating() -> list[dict[str, Any]]:
    """Rows that share passages, have different numbers of negatives, and mask others' positives."""
    shared = [row(number, [number + 1, 30, 31][: 1 + number % 3]) for number in range(10)]
    masked = row(10, [40], masked_ids=["p000", "p030"], positive_ids=["p010", "p001"])
    alone = row(11, [], positive_id="p000", positive=passage(0), positive_ids=["p000", "p011"])
    return [*shared, masked, alone]


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"score_mask": 0.0},
        {"dimensions": [4, 8]},
        {"losses": {"info_nce": 0.5, "listwise": 1.0}, "distilled": {"scores": "teacher", "temperature": 0.3}},
        {"datasets": {"rooms": {"temperature": 0.2, "batch_size": 11}}},
        {"datasets": {"rooms": {"in_batch_negatives": False}}},
        {"lora": None},
    ],
    ids=["repeated", "score_mask", "dimensions", "distilled", "temperature", "own_negatives", "all_weights"],
)
def test_what_a_recipe_says_counts_in_both(recipe: dict[str, Any], tmp_path: Path) -> None:
    """Repeated and masked passages, rows short of negatives, and every part of the loss are the same in both."""
    whole = entry("bert", tmp_path, **(ONE_STEP | recipe))
    assert agreement(whole, work({"rooms": training_set(repeating())}, whole), tmp_path) < 1e-4


def test_a_batch_of_two_datasets_has_each_ones_prompts(tmp_path: Path) -> None:
    """Where batches are mixed, each row is read with its own dataset's prompts and masks."""
    whole = entry("bert", tmp_path, **(ONE_STEP | {"homogeneous": False, "batch_size": 16}))
    given = work(sets() | sets("clustering", name="walls"), whole)
    assert {one.dataset for one in given.batches[0].parts} == {"rooms", "walls"}
    assert agreement(whole, given, tmp_path) < 1e-4


@pytest.mark.parametrize("shape", SHAPES)
def test_both_backends_end_with_the_same_adapters(shape: str, tmp_path: Path) -> None:
    """After twelve steps on two datasets, clipped and with weight decay, adapters and histories agree."""
    changes: dict[str, Any] = {
        "steps": 12,
        "batch_size": 5,
        "learning_rate": 0.005,
        "weight_decay": 0.1,
        "max_grad_norm": 0.05,
    }
    whole = entry(shape, tmp_path, **changes)
    given = work(sets() | sets("classification", name="walls"), whole)
    own, peer = adapted(whole, tmp_path), adapted(whole, tmp_path)
    expected = list(train(own, optimizer_of(own, whole.recipe), given, seed=1))
    found = st.run(peer, given, Runtime(), {}, seed=1)
    assert difference(states.state_of(own), states.state_of(peer)) < 1e-3
    assert found.kept is None
    for left, right in zip(expected, found.history, strict=True):
        assert (left.step, left.dataset, left.epoch, left.rows) == (right.step, right.dataset, right.epoch, right.rows)
        assert left.passages == right.passages
        names = ("masked_own", "masked_in_batch", "masked_by_score", "rows_alone")
        assert [getattr(left, name) for name in names] == [getattr(right, name) for name in names]
        assert left.texts <= right.texts
        for name in ("loss", "learning_rate", "gradient_norm", "positive_50", "negative_90"):
            assert getattr(left, name) == pytest.approx(getattr(right, name), rel=1e-3, abs=1e-4), name


def test_repeated_passages_are_counted_as_encoded(tmp_path: Path) -> None:
    """The history of a label task counts every text that was encoded: each row's label again, and its others'."""
    whole = entry("bert", tmp_path, **ONE_STEP)
    (step,) = st.run(adapted(whole, tmp_path), work(sets("clustering"), whole), Runtime(), {}, seed=1).history
    assert (step.rows, step.passages, step.texts) == (12, len(LABELS), 12 * (1 + len(LABELS)))
    assert 0 <= step.padding < 1


def scored(
    values: list[float], tmp_path: Path, **changes: object
) -> tuple[Run, "SentenceTransformer", list[dict[str, torch.Tensor]]]:
    """Run eight steps and score them so; return the run, its model and the states that were scored."""
    whole = entry("bert", tmp_path, steps=8, batch_size=6)
    model = adapted(whole, tmp_path)
    given = iter(values)
    seen: list[dict[str, torch.Tensor]] = []

    def scorer() -> float:
        seen.append(states.state_of(model))
        encoding.encode(model, [query(0)])
        return next(given)

    written = {"share": 0.5, "every": 2, "patience": None, "scales": [1.0], "seeds": 1} | changes
    selection = Selection.model_validate(written)
    return st.run(model, work(sets(), whole), Runtime(), {}, seed=1, selection=selection, scorer=scorer), model, seen


def test_the_best_score_is_kept(tmp_path: Path) -> None:
    """The model is scored at the steps that are due, and ends as it was when its score was best."""
    found, model, seen = scored([0.1, 0.4, 0.4, 0.3], tmp_path)
    assert [(one.step, one.value) for one in found.scores] == [(1, 0.1), (3, 0.4), (5, 0.4), (7, 0.3)]
    assert found.kept == 3
    assert difference(seen[1], states.state_of(model)) == 0
    assert difference(seen[2], states.state_of(model)) > 0


def test_patience_ends_a_run(tmp_path: Path) -> None:
    """After two scores without a better one no further step is made."""
    found, _, seen = scored([0.5, 0.4, 0.3], tmp_path, patience=2)
    assert len(seen) == 3
    assert (len(found.history), found.kept) == (6, 1)


def test_a_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    """A run that breaks off goes on after its last checkpoint, dropout included, to the bytes of an unbroken one."""
    whole = entry("bert", tmp_path, steps=8, batch_size=6)
    given, often = work(sets(), whole), Runtime(checkpoint_steps=3)
    selection = Selection(share=0.5, every=5, patience=None, scales=[1.0], seeds=1)

    def dropping() -> "SentenceTransformer":
        model = adapted(whole, tmp_path)
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.1
        return model

    def killed() -> float:
        raise KeyboardInterrupt

    unbroken, broken = dropping(), dropping()
    st.run(unbroken, given, often, {"run": "unbroken"}, seed=1)
    with pytest.raises(KeyboardInterrupt):
        st.run(dropping(), given, often, {"run": "broken"}, seed=1, selection=selection, scorer=killed)
    found = st.run(broken, given, often, {"run": "broken"}, seed=1)
    assert [one.step for one in found.history] == list(range(8))
    for name, one in states.state_of(unbroken).items():
        assert torch.equal(one, states.state_of(broken)[name]), name


def test_a_bfloat16_base_trains_float32_adapters(tmp_path: Path) -> None:
    """On a bfloat16 base the adapters stay float32, move, and no autocast is left around the model."""
    whole = entry("mistral", tmp_path, "bfloat16", steps=3, learning_rate=0.01)
    model = adapted(whole, tmp_path)
    before = states.state_of(model)
    given = work(sets(), whole)
    st.run(
        model,
        Work(given.batches, given.sets, given.prompts, whole.recipe, Pieces(96, 96, 0, "bfloat16")),
        Runtime(),
        {},
        seed=1,
    )
    after = states.state_of(model)
    assert {one.dtype for one in after.values()} == {torch.float32}
    assert all(not torch.equal(before[name], after[name]) for name in before)
    forward: Any = model.forward
    assert forward.__func__ is type(model).forward
    assert not model.training


def test_nothing_is_left(tmp_path: Path) -> None:
    """A run writes below data/cache alone, and changes nothing of the model but what is trained."""
    whole = entry("bert", tmp_path, steps=2, warmup_steps=0)
    model = adapted(whole, tmp_path)
    kept = {name: one.clone() for name, one in model.state_dict().items() if "lora_" not in name}
    files, transformer = sorted(tmp_path.iterdir()), cast("Any", model[0]).model
    config = transformer.config.to_dict()
    st.run(model, work(sets(), whole), Runtime(), {}, seed=1)
    assert sorted(tmp_path.iterdir()) == sorted([*files, tmp_path / "data"])
    assert [one.name for one in (tmp_path / "data").iterdir()] == ["cache"]
    assert transformer.config.to_dict() == config
    assert all(torch.equal(one, model.state_dict()[name]) for name, one in kept.items())


class Two(Alone):
    """Two processes, to be refused."""

    count = 2


def test_several_processes_are_refused(tmp_path: Path) -> None:
    """More than one process is one line that says which keys to change."""
    whole = entry("bert", tmp_path)
    given = work(sets(), whole)
    with pytest.raises(StudentError, match="st trains in one process, and here are 2; set runtime"):
        st.run(
            adapted(whole, tmp_path),
            Work(given.batches, given.sets, given.prompts, whole.recipe, given.pieces, Two()),
            Runtime(),
            {},
            seed=1,
        )


def test_half_precision_is_refused(tmp_path: Path) -> None:
    """A model that computes in float16 is one line."""
    whole = entry("bert", tmp_path)
    given = work(sets(), whole)
    half = Work(given.batches, given.sets, given.prompts, whole.recipe, Pieces(96, 96, 0, "float16"))
    with pytest.raises(StudentError, match="computes in float32 or bfloat16, not in float16"):
        st.run(adapted(whole, tmp_path), half, Runtime(), {}, seed=1)
