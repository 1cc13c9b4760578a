"""What fixes a training run: its code, the packages it computes with, and its plan."""

from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

import embedder
from embedder.params.finetune import Finetune
from embedder.training import identity
from embedder.training.plans import Batch, Part
from tests import project
from tests.training_sets import student

SETTINGS = Finetune.model_validate(project.tiny_params()["finetune"])


def hashes() -> dict[str, str]:
    """Return an identity."""
    return identity.identity({}, student(), SETTINGS, "cpu")


def test_all_code_counts(tmp_path: Path) -> None:
    """Every source file of the package is hashed, in whichever folder it lies; another byte or name is another hash."""
    package = Path(embedder.__file__).parent
    found = identity.code(package)
    assert set(found) == {path.relative_to(package).as_posix() for path in package.rglob("*.py")}
    assert {"seeds.py", "metrics.py", "params/recipe.py", "search/__init__.py", "training/loop.py"} <= set(found)
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "seeds.py").write_text("a")
    before = identity.code(tmp_path)
    (tmp_path / "inner" / "seeds.py").write_text("b")
    assert before.keys() == identity.code(tmp_path).keys() == {"inner/seeds.py"}
    assert identity.code(tmp_path) != before


def test_other_code_is_another_identity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that no list names changes the identity, and nothing else of it."""
    (tmp_path / "metrics.py").write_text("old")
    monkeypatch.setattr(identity, "_ROOT", tmp_path)
    old = hashes()
    (tmp_path / "metrics.py").write_text("new")
    assert {name for name, value in hashes().items() if value != old[name]} == {"code"}


@pytest.mark.parametrize("package", ["torch", "pyarrow", "scikit-learn", "scipy", "faiss-cpu"])
def test_another_version_is_another_identity(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packages that training, tables, search and scores compute with count."""
    old = hashes()
    monkeypatch.setattr(identity, "version", lambda name: "0" if name == package else version(name))
    assert {name for name, value in hashes().items() if value != old[name]} == {"packages"}


def part(**changes: object) -> Part:
    """Return two rows with two negatives each."""
    plain = Part("rooms", 0, np.array([3, 1]), np.array([[0, 1], [2, -1]], dtype=np.int32))
    return replace(plain, **changes)  # type: ignore[arg-type]  # of any field


def test_another_plan_is_another_hash() -> None:
    """Any change of a batch changes the hash of the plan, and an equal plan does not."""
    plain = identity.plan_hash([Batch(0, (part(),))])
    assert plain == identity.plan_hash([Batch(0, (part(rows=np.array([3, 1], dtype=np.int32)),))])
    negatives = np.array([[0, 1], [2, 3]], dtype=np.int32)
    others = [part(dataset="walls"), part(epoch=1), part(rows=np.array([1, 3])), part(negatives=negatives)]
    plans = [[Batch(0, (one,))] for one in others]
    plans += [[Batch(1, (part(),))], [], [Batch(0, (part(), part()))], [Batch(0, (part(),)), Batch(1, (part(),))]]
    found = {identity.plan_hash(one) for one in plans}
    assert len(found) == len(plans)
    assert plain not in found


def test_negatives_of_another_width_are_another_hash() -> None:
    """The same numbers in other rows are another plan."""
    wide, long = (part(negatives=np.zeros(form, dtype=np.int32)) for form in ((2, 3), (3, 2)))
    assert identity.plan_hash([Batch(0, (wide,))]) != identity.plan_hash([Batch(0, (long,))])
