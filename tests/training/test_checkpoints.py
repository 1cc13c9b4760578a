"""Checkpoints: whole or not read, two of them, and all that a run goes on from."""

import shutil
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder import files
from embedder.errors import StudentError
from embedder.training.checkpoints import Checkpoint, Checkpoints, moments_of, put_moments
from embedder.training.history import Step
from embedder.training.scores import Score


def steps(count: int) -> list[Step]:
    """Return a history with floats that have no short decimal form."""
    return [
        Step(
            one,
            "rooms",
            0,
            8,
            24,
            30,
            200,
            0.1 / 3,
            1 / (one + 3),
            1e-5,
            one / 7,
            0.1,
            0.2,
            0.3,
            0.1,
            0.2,
            one / 7,
            one,
            0,
            0,
            0,
        )
        for one in range(count)
    ]


def checkpoint(count: int, *, best: bool = True) -> Checkpoint:
    """Return the checkpoint of a run after so many steps."""
    torch.manual_seed(count)
    trained = {"a.weight": torch.randn(4, 3), "b": torch.randn(2)}
    moments = {"0.step": torch.tensor(float(count)), "0.exp_avg": torch.randn(4, 3)}
    scores = [Score(1, 1 / 3)] if best else []
    return Checkpoint(steps(count), scores, trained, moments, {"b": torch.randn(2)} if best else None)


def assert_equal(found: Checkpoint | None, expected: Checkpoint) -> None:
    """Compare two checkpoints to the bit."""
    assert found is not None
    assert (found.history, found.scores) == (expected.history, expected.scores)
    for name in ("trained", "moments", "best"):
        left, right = getattr(found, name) or {}, getattr(expected, name) or {}
        assert left.keys() == right.keys()
        assert all(torch.equal(left[key], right[key]) for key in left)


@pytest.mark.parametrize("best", [True, False])
def test_what_is_saved_comes_back(tmp_path: Path, best: bool) -> None:  # noqa: FBT001 - a case
    """History, scores, weights, the optimizer's tensors and the best weights are read back to the bit."""
    Checkpoints(tmp_path).save(checkpoint(3, best=best))
    assert_equal(Checkpoints(tmp_path).newest(), checkpoint(3, best=best))


def test_the_last_two_are_kept(tmp_path: Path) -> None:
    """After many there are the last and the one before, and no drafts."""
    kept = Checkpoints(tmp_path)
    for count in (2, 4, 6, 8):
        kept.save(checkpoint(count))
    assert sorted(int(path.name[:8]) for path in tmp_path.iterdir()) == [6, 8]
    assert_equal(Checkpoints(tmp_path).newest(), checkpoint(8))


def test_without_checkpoints_a_run_begins(tmp_path: Path) -> None:
    """A folder that is not there, is empty, or has a draft alone holds no checkpoint."""
    assert Checkpoints(tmp_path / "absent").newest() is None
    (tmp_path / ".4711.tmp").write_bytes(b"half")
    (tmp_path / "00000002-abc.safetensors").write_bytes(b"no hash")
    assert Checkpoints(tmp_path).newest() is None


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_damaged_one_is_not_read(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever byte is flipped, or wherever it is torn off, the one before is read."""
    folder = tmp_path_factory.mktemp("run")
    kept = Checkpoints(folder)
    for count in (2, 4):
        kept.save(checkpoint(count))
    newest = max(folder.iterdir())
    content = bytearray(newest.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del content[place:]
    newest.write_bytes(content)
    assert_equal(Checkpoints(folder).newest(), checkpoint(2))
    shutil.rmtree(folder)


def test_a_damaged_one_is_said_in_one_line_and_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is named on stderr in one line, by the first process; the next two checkpoints take its place."""
    kept = Checkpoints(tmp_path)
    for count in (2, 4):
        kept.save(checkpoint(count))
    newest = max(tmp_path.iterdir())
    newest.write_bytes(newest.read_bytes()[:-1])
    assert Checkpoints(tmp_path, speaks=False).newest() is not None
    assert capsys.readouterr().err == ""
    resumed = Checkpoints(tmp_path)
    resumed.newest()
    assert capsys.readouterr().err == f"{newest}: is not as it was written; going on from the one before\n"
    resumed.save(checkpoint(5))
    assert sorted(int(path.name[:8]) for path in tmp_path.iterdir()) == [2, 5]


def test_a_kill_before_the_name_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that dies when all is written and nothing named goes on from the one before, and the draft goes."""
    kept = Checkpoints(tmp_path)
    kept.save(checkpoint(2))
    with monkeypatch.context() as patched:
        patched.setattr(files, "publish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            kept.save(checkpoint(4))
    resumed = Checkpoints(tmp_path)
    assert_equal(resumed.newest(), checkpoint(2))
    resumed.save(checkpoint(4))
    assert [path.suffix for path in sorted(tmp_path.iterdir())] == [".safetensors"] * 2


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    """Where nothing can be written the error says where, why, and what to do."""
    (tmp_path / "run").write_text("a file, where the folder should be")
    with pytest.raises(StudentError, match=r"run: no checkpoint can be written \(.*\); make room there"):
        Checkpoints(tmp_path / "run").save(checkpoint(1))


def test_an_optimizer_goes_on_as_if_nothing_had_been() -> None:
    """A new optimizer that is given the moments of another makes the same steps, to the bit."""

    def stepped(optimizer: torch.optim.AdamW, weights: torch.nn.Parameter, count: int) -> None:
        for number in range(count):
            weights.grad = torch.sin(weights.detach() * (number + 1))
            optimizer.step()

    torch.manual_seed(1)
    weights = torch.nn.Parameter(torch.randn(5, 3))
    optimizer = torch.optim.AdamW([weights], lr=0.1)
    assert moments_of(optimizer) == {}
    stepped(optimizer, weights, 3)
    other = torch.nn.Parameter(weights.detach().clone())
    resumed = torch.optim.AdamW([other], lr=0.1)
    put_moments(resumed, {name: value.clone() for name, value in moments_of(optimizer).items()})
    stepped(optimizer, weights, 3)
    stepped(resumed, other, 3)
    assert torch.equal(weights, other)
