"""The training loop."""

import itertools
from typing import TYPE_CHECKING

import pytest
import torch

from embedder.encoding import encode
from embedder.errors import StudentError
from embedder.training import loop
from embedder.training.batches import compose
from embedder.training.grad_cache import Pieces
from embedder.training.history import Step
from embedder.training.loop import Work, dropout_seed, learning_rate, optimizer_of, train
from embedder.training.states import state_of
from embedder.training.tokens import tokens
from tests.training.made_up import adapted, work_of
from tests.training_sets import student

if TYPE_CHECKING:
    from collections.abc import Callable

    from sentence_transformers import SentenceTransformer

DROPS = {"r": 2, "alpha": 4, "dropout": 0.5, "targets": "all-linear"}


def trained(model: "SentenceTransformer", work: Work, seed: int = 1) -> list[Step]:
    """Carry out all steps."""
    return list(train(model, optimizer_of(model, work.recipe), work, seed=seed))


def test_the_rate_rises_and_falls_in_lines() -> None:
    """The rate starts above 0, peaks at the end of the warm-up, and falls by equal steps to above 0."""
    recipe = student(warmup_steps=4, learning_rate=0.4).recipe
    rates = [learning_rate(step, 10, recipe) for step in range(10)]
    assert rates[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4])
    falls = [left - right for left, right in itertools.pairwise(rates[4:])]
    assert falls == pytest.approx([0.4 / 6] * 5)
    assert rates[-1] == pytest.approx(0.4 / 6)


def test_without_warm_up_the_peak_is_first() -> None:
    """A recipe without warm-up starts at its learning rate."""
    assert learning_rate(0, 6, student(warmup_steps=0, learning_rate=0.3).recipe) == pytest.approx(0.3)


def test_training_lowers_the_loss(fresh: "Callable[[], SentenceTransformer]") -> None:
    """After a few epochs the loss of the made-up rows is well below that of the first step."""
    used = student(steps=40, learning_rate=0.02)
    history = trained(adapted(fresh, used), work_of(used))
    assert [one.step for one in history] == list(range(40))
    assert sum(one.loss for one in history[-3:]) < 0.6 * sum(one.loss for one in history[:3])
    assert history[-1].positive_50 > history[-1].negative_50


def test_vectors_do_not_decay(fresh: "Callable[[], SentenceTransformer]") -> None:
    """Of a whole model all matrices decay and no bias and no weight of a norm does; each is trained once."""
    used = student(lora=None, weight_decay=0.1)
    model = adapted(fresh, used)
    decay = {
        id(parameter): group["weight_decay"]
        for group in optimizer_of(model, used.recipe).param_groups
        for parameter in group["params"]
    }
    trained = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    found = {name: decay.pop(id(parameter)) for name, parameter in trained}
    assert decay == {}
    assert {value for name, value in found.items() if name.endswith("bias") or "norm" in name.lower()} == {0.0}
    assert {value for name, value in found.items() if not name.endswith("bias") and "norm" not in name.lower()} == {0.1}


def test_adapters_are_one_group_that_decays(fresh: "Callable[[], SentenceTransformer]") -> None:
    """Adapters have no biases: all of what they train decays, in the order of the model."""
    used = student(weight_decay=0.1)
    model = adapted(fresh, used)
    (group,) = optimizer_of(model, used.recipe).param_groups
    assert group["weight_decay"] == 0.1
    trained = [id(parameter) for parameter in model.parameters() if parameter.requires_grad]
    assert [id(parameter) for parameter in group["params"]] == trained


def test_only_adapters_move(fresh: "Callable[[], SentenceTransformer]") -> None:
    """After training every adapter has moved and every other parameter is what it was."""
    used = student()
    model = adapted(fresh, used)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    trained(model, work_of(used))
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, before[name]) == ("lora_" not in name), name
    assert not model.training


def test_the_history_says_what_a_step_was(fresh: "Callable[[], SentenceTransformer]") -> None:
    """Rows, texts, tokens, padding and cosines are those of the batch's texts encoded apart, at the recipe's lengths."""
    used = student(steps=1, warmup_steps=0, query_length=5, passage_length=7)
    model, work = adapted(fresh, used), work_of(used)
    texts = compose(work.sets, work.prompts, work.recipe, work.batches[0])
    queries = encode(model, texts.queries, max_length=5)
    passages = encode(model, texts.passages, max_length=7)
    cosines = torch.from_numpy(queries @ passages.T)
    positives = cosines.gather(1, torch.as_tensor(texts.targets, dtype=torch.int64)[:, None])
    (step,) = trained(model, work)
    assert (step.step, step.dataset, step.epoch) == (0, "rooms", 0)
    assert (step.rows, step.passages) == (len(texts.queries), len(texts.passages))
    lengths = [len(one) for one in tokens(model, texts, work.recipe).ids]
    assert (step.texts, step.tokens) == (len(lengths), sum(lengths))
    assert 0 <= step.padding < 1
    assert step.positive_50 == pytest.approx(positives.quantile(0.5).item(), abs=1e-5)
    assert step.negative_10 <= step.negative_50 <= step.negative_90
    assert step.learning_rate == used.recipe.learning_rate
    assert (step.masked_own, step.masked_in_batch) == (texts.masked_own, texts.masked_in_batch)
    assert (step.masked_by_score, step.rows_alone) == (0, 0)


def test_padding_is_of_what_is_computed(fresh: "Callable[[], SentenceTransformer]") -> None:
    """One text at a time needs no padding, all at once the most, and tokens are the same."""
    used = student(steps=1, warmup_steps=0)
    each, every = (
        trained(adapted(fresh, used), work_of(used, Pieces(tokens=most, cached_tokens=most, kept_tokens=0)))[0]
        for most in (1, 10_000)
    )
    assert each.padding == 0 < every.padding
    assert each.tokens == every.tokens


@pytest.mark.parametrize("lora", [DROPS, DROPS | {"dropout": 0.0}, None], ids=["dropout", "adapters", "all weights"])
def test_two_trainings_are_equal(fresh: "Callable[[], SentenceTransformer]", lora: dict[str, object] | None) -> None:
    """The same recipe and seed on the same base give the same history and the same weights, to the bit."""
    used, runs = student(lora=lora), []
    for noise in (1, 2):
        model = adapted(fresh, used)
        # What others drew from torch's generator changes nothing.
        torch.manual_seed(noise)
        runs.append((trained(model, work_of(used)), state_of(model)))
    assert runs[0][0] == runs[1][0]
    assert all(torch.equal(runs[0][1][name], value) for name, value in runs[1][1].items())


def test_another_seed_drops_otherwise(fresh: "Callable[[], SentenceTransformer]") -> None:
    """With dropout the seed changes what is trained; without it does not."""
    for lora, same in ((DROPS, False), (DROPS | {"dropout": 0.0}, True)):
        used = student(lora=lora)
        losses = [[one.loss for one in trained(adapted(fresh, used), work_of(used), seed)] for seed in (1, 2)]
        assert (losses[0] == losses[1]) == same


def test_seeds_of_dropout_differ() -> None:
    """No two steps of neighbouring runs drop alike."""
    assert len({dropout_seed(seed, step) for seed in range(17, 22) for step in range(200)}) == 1000


def test_a_started_run_goes_on(fresh: "Callable[[], SentenceTransformer]") -> None:
    """With the model and the optimizer as they were left, later steps are the same as without a break."""
    used = student(lora=DROPS)
    work, whole, broken = work_of(used), adapted(fresh, used), adapted(fresh, used)
    history = trained(whole, work)
    optimizer = optimizer_of(broken, work.recipe)
    first = list(itertools.islice(train(broken, optimizer, work, seed=1), 3))
    rest = list(train(broken, optimizer, work, seed=1, start=3))
    assert first + rest == history
    assert all(torch.equal(value, state_of(broken)[name]) for name, value in state_of(whole).items())


def test_a_step_that_is_no_number_ends_the_training(
    fresh: "Callable[[], SentenceTransformer]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step, its dataset and the figures are named, and the weights are what they were before it."""
    used = student()
    model, work = adapted(fresh, used), work_of(used)
    steps, norm = train(model, optimizer_of(model, work.recipe), work, seed=1), torch.nn.utils.clip_grad_norm_
    next(steps)
    before = state_of(model)
    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", lambda *given: norm(*given) * float("inf"))
    with pytest.raises(StudentError, match=r"^step 1 \(rooms\): loss [\d.]+ and gradient norm inf, from which"):
        next(steps)
    assert all(torch.equal(value, state_of(model)[name]) for name, value in before.items())


def test_only_finite_figures_pass() -> None:
    """Not a number and infinity are refused wherever they stand."""
    batch = work_of(student()).batches[0]
    loop.check_finite(batch, (1.0, 0.1, 0.5))
    for place, bad in itertools.product(range(3), (float("nan"), float("inf"))):
        figures = [1.0, 0.1, 0.5]
        figures[place] = bad
        with pytest.raises(StudentError, match="rooms"):
            loop.check_finite(batch, (figures[0], figures[1], figures[2]))
