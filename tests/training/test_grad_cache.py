"""Gradients of many texts, piece by piece: those of one graph, whatever the pieces, the memory and the processes."""

from collections import Counter
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.encoding import forward
from embedder.padding import padded
from embedder.params.models import Student
from embedder.training import grad_cache
from embedder.training.batches import compose
from embedder.training.grad_cache import Pieces, backward
from embedder.training.objective import Objective
from embedder.training.processes import Processes
from embedder.training.tokens import Ids, cut, tokens
from tests.training import shapes
from tests.training.threads import in_threads

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer
    from torch import Tensor

Gradients = dict[str, torch.Tensor]
Case = tuple["SentenceTransformer", list[Ids], Callable[["Tensor"], "Tensor"]]

SMALL = Pieces(tokens=64, cached_tokens=64, kept_tokens=0)
LENGTHS: dict[str, Any] = {"query_length": 48, "passage_length": 60, "batch_size": 12}
ALL = 10**9


@pytest.fixture(scope="module")
def students(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Student, Path]]:
    """A student of each shape, and where its base is."""
    folders = {shape: tmp_path_factory.mktemp(shape) for shape in shapes.SHAPES}
    return {shape: (shapes.entry(shape, folder, **LENGTHS), folder) for shape, folder in folders.items()}


@pytest.fixture(scope="module")
def bert(students: dict[str, tuple[Student, Path]]) -> Case:
    """A batch of retrieval for the student of BERT's shape."""
    return case(*students["bert"])


def case(whole: Student, folder: Path, task: str = "retrieval") -> Case:
    """Return a student, the texts of a batch and its loss."""
    model = shapes.adapted(whole, folder)
    work = shapes.work(shapes.sets(task), whole)
    texts = compose(work.sets, work.prompts, whole.recipe, work.batches[0])
    read = tokens(model, texts, whole.recipe)
    return model, read.ids, Objective(read, texts, whole.recipe, "cpu").loss


def direct(case: Case) -> Gradients:
    """Return the gradients of one graph over all texts, padded to the longest."""
    model, ids, loss_of = case
    model.zero_grad()
    loss = loss_of(forward(model, padded(ids, len(ids[-1]), model.tokenizer.pad_token_id or 0)))
    loss.backward()  # type: ignore[no-untyped-call]
    return shapes.gradients(model)


def pieced(case: Case, pieces: Pieces = SMALL, seed: int = 0, processes: Processes | None = None) -> Gradients:
    """Return the gradients piece by piece."""
    model, ids, loss_of = case
    model.zero_grad()
    backward(model, ids, loss_of, pieces, processes=processes, seed=seed)
    return shapes.gradients(model)


def error(expected: Gradients, found: Gradients) -> float:
    """Return the length of the difference by that of the gradient, over all parameters."""
    assert expected.keys() == found.keys()
    between = sum(float((found[name] - expected[name]).square().sum()) for name in expected)
    return float((between / sum(float(one.square().sum()) for one in expected.values())) ** 0.5)


def same(left: Gradients, right: Gradients) -> bool:
    """Whether all gradients are the same to the bit."""
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def dropping(case: Case, share: float = 0.3) -> Case:
    """Return a copy of the case in which adapters, hidden states and attention drop."""
    model = deepcopy(case[0])
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = share
        if isinstance(getattr(module, "attention_dropout", None), float):
            setattr(module, "attention_dropout", share)  # noqa: B010 - a module's attributes are typed as modules
    return model, case[1], case[2]


@pytest.mark.parametrize("task", shapes.TASKS)
@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_gradients_are_those_of_one_graph(students: dict[str, tuple[Student, Path]], shape: str, task: str) -> None:
    """For every shape and task, pieces give the loss, the vectors and the gradients of one graph over all texts."""
    whole = case(*students[shape], task)
    model, ids, loss_of = whole
    assert len(cut([len(one) for one in ids], SMALL.tokens)) > 2
    expected, found = direct(whole), pieced(whole)
    assert error(expected, found) < 1e-5
    assert shapes.difference(expected, found) < 1e-4
    loss, vectors = backward(model, ids, loss_of, SMALL)
    together = forward(model, padded(ids, len(ids[-1]), model.tokenizer.pad_token_id or 0))
    torch.testing.assert_close(vectors, together.detach(), rtol=0, atol=1e-5)
    torch.testing.assert_close(loss, loss_of(together).detach())
    assert not loss.requires_grad
    assert not vectors.requires_grad


@settings(max_examples=20, deadline=None)
@given(tokens_=st.integers(1, 500), cached=st.integers(1, 1500), kept=st.integers(0, 1500), processes=st.integers(1, 5))
def test_no_budget_changes_the_gradients(bert: Case, tokens_: int, cached: int, kept: int, processes: int) -> None:
    """Whatever the two budgets, what is kept and how many share the texts, each process has the whole gradients."""
    model, ids, loss_of = bert
    expected = direct(bert)

    def work(together: Processes) -> Gradients:
        return pieced((deepcopy(model), ids, loss_of), Pieces(tokens_, cached, kept), processes=together)

    model.zero_grad()
    for found in in_threads(processes, work):
        assert error(expected, found) < 1e-5


@pytest.mark.parametrize("drops", [False, True])
@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_what_is_kept_changes_no_bit(students: dict[str, tuple[Student, Path]], shape: str, *, drops: bool) -> None:
    """With and without dropout, kept graphs give the bits of graphs that are made anew."""
    whole = case(*students[shape])
    whole = dropping(whole) if drops else whole
    expected = pieced(whole, seed=5)
    for kept in (1, 100, 300, 700, ALL):
        assert same(expected, pieced(whole, replace(SMALL, kept_tokens=kept), seed=5))


@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_both_passes_drop_the_same(students: dict[str, tuple[Student, Path]], shape: str) -> None:
    """The gradients with dropout are those of one graph that drops alike, for every first pass's budget."""
    whole = dropping(case(*students[shape]))
    kept = pieced(whole, replace(SMALL, kept_tokens=ALL), seed=5)
    assert same(kept, pieced(whole, replace(SMALL, cached_tokens=1000), seed=5))
    assert error(kept, pieced(whole, seed=6)) > 1e-2


def test_passes_that_drop_otherwise_are_found(bert: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a piece's second pass had another seed, the test above would fail."""
    whole = dropping(bert)
    kept = pieced(whole, replace(SMALL, kept_tokens=ALL), seed=5)
    count = Counter[int]()
    seeds = torch.manual_seed

    def other(seed: int) -> torch.Generator:
        count[seed] += 1
        return seeds((seed + count[seed]) % 2**63)

    monkeypatch.setattr(torch, "manual_seed", other)
    assert error(kept, pieced(whole, seed=5)) > 1e-2


def test_the_generator_is_left_as_it_was(bert: Case) -> None:
    """Neither the seeds of pieces nor what is dropped moves torch's own generator."""
    torch.manual_seed(3)
    before = torch.get_rng_state()
    pieced(dropping(bert), seed=5)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("kept", "passes"), [(0, 2), (ALL, 1)])
def test_nothing_is_encoded_more_often_than_needed(
    bert: Case, monkeypatch: pytest.MonkeyPatch, kept: int, passes: int
) -> None:
    """Each distinct text goes through the model once where all fits, and twice where nothing may be kept."""
    seen: Counter[tuple[int, ...]] = Counter()

    def counting(model: "SentenceTransformer", features: dict[str, Any]) -> "Tensor":
        for row, mask in zip(features["input_ids"].tolist(), features["attention_mask"].tolist(), strict=True):
            seen[tuple(row[: sum(mask)])] += 1
        return forward(model, features)

    monkeypatch.setattr(grad_cache, "forward", counting)
    pieced(bert, replace(SMALL, kept_tokens=kept, cached_tokens=200))
    assert seen == dict.fromkeys(bert[1], passes)


@pytest.mark.parametrize(("cached", "widest"), [(64, 64), (200, 200)])
def test_each_pass_has_its_budget(bert: Case, monkeypatch: pytest.MonkeyPatch, cached: int, widest: int) -> None:
    """Passes with a graph stay below one budget and those without below the other, which is used."""
    seen: dict[bool, list[int]] = {True: [], False: []}

    def counting(model: "SentenceTransformer", features: dict[str, Any]) -> "Tensor":
        seen[torch.is_grad_enabled()].append(features["input_ids"].numel())
        return forward(model, features)

    monkeypatch.setattr(grad_cache, "forward", counting)
    pieced(bert, replace(SMALL, cached_tokens=cached))
    assert max(seen[True]) <= 64
    assert 0.7 * widest < max(seen[False]) <= widest


def test_sixteen_bits_are_computed_in_both_passes(tmp_path: Path) -> None:
    """On a bfloat16 base both passes run under autocast: equal bits kept or not, float32 gradients, near float32's."""
    whole = shapes.entry("mistral", tmp_path)
    exact = case(whole, tmp_path)
    expected = direct(exact)
    half = case(whole, tmp_path)
    for name, weight in half[0].named_parameters():
        weight.data = weight.data if "lora_" in name else weight.data.bfloat16()
    pieces = replace(SMALL, dtype="bfloat16")
    found = pieced(half, pieces)
    assert same(found, pieced(half, replace(pieces, kept_tokens=ALL)))
    assert {one.dtype for one in found.values()} == {torch.float32}
    assert 1e-4 < error(expected, found) < 0.2


@pytest.mark.parametrize("drops", [False, True])
@pytest.mark.parametrize("shape", shapes.SHAPES)
def test_checkpointed_activations_give_the_same_gradients(tmp_path: Path, shape: str, *, drops: bool) -> None:
    """Activations that are computed again change no gradient, with dropout neither."""
    found = []
    for checkpointing in (False, True):
        whole = case(shapes.entry(shape, tmp_path, gradient_checkpointing=checkpointing), tmp_path)
        found.append(pieced(dropping(whole) if drops else whole, seed=5))
    assert error(*found) < 1e-6


def test_all_weights_get_gradients(tmp_path: Path) -> None:
    """Without adapters every weight that is trained has the gradient of one graph."""
    whole = case(shapes.entry("bert", tmp_path, lora=None), tmp_path)
    expected = direct(whole)
    assert any("embeddings" in name for name in expected)
    assert error(expected, {name: one for name, one in pieced(whole).items() if name in expected}) < 1e-5


def test_the_frozen_get_nothing(bert: Case) -> None:
    """Parameters that are not trained have no gradient."""
    pieced(bert)
    model = bert[0]
    assert all((one.grad is not None) == one.requires_grad for one in model.parameters())
    assert any(not one.requires_grad for one in model.parameters())


@pytest.mark.parametrize("processes", [1, 2])
def test_gradients_that_are_there_are_added_to(bert: Case, processes: int) -> None:
    """What parameters hold before counts once, however many processes there are."""
    model, ids, loss_of = bert
    expected = direct(bert)

    def work(together: Processes) -> Gradients:
        own = deepcopy(model)
        own.zero_grad()
        for _ in range(2):
            backward(own, ids, loss_of, SMALL, processes=together)
        return {name: one / 2 for name, one in shapes.gradients(own).items()}

    for found in in_threads(processes, work):
        assert error(expected, found) < 1e-5


@pytest.mark.parametrize("processes", [1, 3])
def test_one_text_is_enough(bert: Case, processes: int) -> None:
    """A batch of one text has gradients, also where it leaves processes without any."""
    model, ids, _ = bert
    target = torch.randn(model.get_embedding_dimension() or 0, generator=torch.Generator().manual_seed(1))

    def loss_of(vectors: "Tensor") -> "Tensor":
        return (vectors @ target).sum()

    alone = model, ids[-1:], loss_of
    expected = direct(alone)
    for found in in_threads(
        processes, lambda together: pieced((deepcopy(model), ids[-1:], loss_of), processes=together)
    ):
        assert error(expected, found) < 1e-5


def test_a_wrong_mask_is_found(students: dict[str, tuple[Student, Path]]) -> None:
    """A passage too many in one row's mask changes the gradients far beyond what the tests above let pass."""
    whole, folder = students["bert"]
    model, ids, _ = case(whole, folder)
    work = shapes.work(shapes.sets(), whole)
    texts = compose(work.sets, work.prompts, whole.recipe, work.batches[0])
    other = texts.allowed.copy()
    row, column = next(zip(*other.nonzero(), strict=True))
    other[row, column if column != texts.targets[row] else column + 1] = False
    wrong = Objective(tokens(model, texts, whole.recipe), replace(texts, allowed=other), whole.recipe, "cpu")
    expected = direct(case(whole, folder))
    assert error(expected, pieced((model, ids, wrong.loss))) > 1e-3


@pytest.mark.parametrize(
    "wrong",
    [lambda own: list(own)[:0:-1], lambda own: list(own)[-2::-1], lambda own: [own[-1], *list(own)[::-1]]],
    ids=["first dropped", "last dropped", "last twice"],
)
def test_a_wrong_piece_is_found(
    bert: Case, monkeypatch: pytest.MonkeyPatch, wrong: Callable[[Sequence[range]], list[range]]
) -> None:
    """A piece that is dropped or counted twice changes the gradients far beyond what the tests above let pass."""
    expected = direct(bert)
    monkeypatch.setattr(grad_cache, "reversed", wrong, raising=False)
    assert error(expected, pieced(bert)) > 1e-3
