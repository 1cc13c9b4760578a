"""How much is encoded at a time and kept: near what graphs really hold, and without a trace in any result."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from embedder.encoding import forward
from embedder.padding import padded
from embedder.params.finetune import Finetune
from embedder.params.models import Student
from embedder.params.runtime import Runtime
from embedder.training import memory
from embedder.training.grad_cache import Pieces
from embedder.training.loop import Work, optimizer_of, train
from embedder.training.memory import graph_bytes, pieces_of
from embedder.training.states import state_of
from tests.training import shapes

CPU = Runtime(device="cpu")
GIB = 1 << 30


def section(**changes: Any) -> Finetune:  # noqa: ANN401 - any key of the section
    """Return the section `finetune` with changes."""
    nothing = {"mini_batch_tokens": None, "cached_tokens": None, "selection": None}
    return Finetune.model_validate({"backend": "own", "merged": True, **nothing, **changes})


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> tuple[Student, Path]:
    """A student of BERT's shape, and where its base is."""
    folder = tmp_path_factory.mktemp("bert")
    return shapes.entry("bert", folder, query_length=48, passage_length=60, batch_size=12), folder


def held(model: Any, texts: int, longest: int, dtype: str | None) -> int:  # noqa: ANN401 - a SentenceTransformer
    """Return what the allocator has given out for a pass with a graph when it is done."""
    lengths = [longest] * (texts - 1) + [longest - 1]
    features = padded([(5,) * length for length in lengths], longest, 0)
    with (
        torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile,
        torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype is not None),
    ):
        vectors = forward(model, features)
    del vectors
    return sum(event.self_cpu_memory_usage for event in profile.events())


@pytest.mark.parametrize("longest", [16, 60])
@pytest.mark.parametrize(("shape", "dtype"), [("bert", None), ("mistral", None), ("mistral", "bfloat16")])
def test_the_measure_is_near_the_truth(tmp_path: Path, shape: str, dtype: str | None, longest: int) -> None:
    """What is measured on a small piece is what the allocator says that a large one holds, within a tenth."""
    model = shapes.adapted(shapes.entry(shape, tmp_path), tmp_path)
    true = held(model, 4000 // longest, longest, dtype) / (4000 // longest * longest)
    assert graph_bytes(model, longest, dtype) == pytest.approx(true, rel=0.1)


def test_measuring_leaves_no_trace(bert: tuple[Student, Path]) -> None:
    """The model keeps its mode and gets no gradient, and torch's generator stays where it was."""
    model = shapes.adapted(*bert).eval()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.5
    before = torch.get_rng_state()
    graph_bytes(model, 16)
    assert torch.equal(before, torch.get_rng_state())
    assert not model.training
    assert all(one.grad is None for one in model.parameters())


def test_memory_says_what_is_kept(bert: tuple[Student, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of what is free is for graphs, less what training will add; processes of one machine share it."""
    model = shapes.adapted(*bert)
    monkeypatch.setattr(memory, "free_bytes", lambda _: GIB)
    trained = sum(4 * one.numel() for one in model.parameters() if one.requires_grad)
    room = (GIB - 3 * trained) / 2
    per_token = graph_bytes(model, min(60, model.max_seq_length or 60))
    assert pieces_of(model, bert[0], section(), CPU) == Pieces(2048, 2048, int(room / per_token))
    assert pieces_of(model, bert[0], section(), CPU, processes=4).kept_tokens == int(room / 4 / per_token)
    monkeypatch.setattr(memory, "free_bytes", lambda _: 2 * trained)
    assert pieces_of(model, bert[0], section(), CPU).kept_tokens == 0


def test_runtime_may_say_it(bert: tuple[Student, Path]) -> None:
    """`runtime.graphs` is in GiB, whatever is free; 0 keeps nothing."""
    model = shapes.adapted(*bert)
    per_token = graph_bytes(model, min(60, model.max_seq_length or 60))
    found = pieces_of(model, bert[0], section(), Runtime(device="cpu", graphs=0.25))
    assert found.kept_tokens == int(GIB / 4 / per_token)
    assert pieces_of(model, bert[0], section(), Runtime(device="cpu", graphs=0)).kept_tokens == 0


@pytest.mark.parametrize(
    ("tokens", "cached", "expected"),
    [(None, None, (2048, 2048)), (300, None, (300, 300)), (300, 900, (300, 900)), (300, 100, (300, 300))],
)
def test_the_section_says_the_pieces(
    bert: tuple[Student, Path], tokens: int | None, cached: int | None, expected: tuple[int, int]
) -> None:
    """Both budgets are those of the section `finetune`; one left out is that of the device, or the other one."""
    found = pieces_of(shapes.adapted(*bert), bert[0], section(mini_batch_tokens=tokens, cached_tokens=cached), CPU)
    assert (found.tokens, found.cached_tokens) == expected
    assert (found.kept_tokens > 0) == (found.tokens == found.cached_tokens)


def test_who_saves_memory_keeps_nothing(tmp_path: Path) -> None:
    """With activations that are computed again no graph is kept."""
    whole = shapes.entry("bert", tmp_path, gradient_checkpointing=True)
    assert pieces_of(shapes.adapted(whole, tmp_path), whole, section(), CPU).kept_tokens == 0


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_model_computes_in_its_entrys_dtype(tmp_path: Path, dtype: str) -> None:
    """Autocast is to the dtype of the student's entry, also where all weights are trained, which are float32."""
    whole = shapes.entry("bert", tmp_path, lora=None)
    model = shapes.adapted(whole, tmp_path)
    typed = whole.model_copy(update={"model": whole.model.model_copy(update={"dtype": dtype})})
    assert pieces_of(model, typed, section(), CPU).dtype == (None if dtype == "float32" else dtype)


def test_memory_changes_no_bit_of_a_run(bert: tuple[Student, Path]) -> None:
    """Runs that keep nothing, some and all of their graphs end with the same weights, and the same history."""
    whole, folder = bert
    runs = []
    for kept in (0, 150, 10**9):
        model = shapes.adapted(whole, folder)
        plan = shapes.work(shapes.sets(), whole)
        work = Work(plan.batches, plan.sets, plan.prompts, plan.recipe, replace(plan.pieces, kept_tokens=kept))
        history = list(train(model, optimizer_of(model, whole.recipe), work, seed=1))
        runs.append((history, state_of(model)))
    for history, state in runs[1:]:
        assert history == runs[0][0]
        assert all(torch.equal(state[name], one) for name, one in runs[0][1].items())
