"""Looking after a store of vectors."""

from pathlib import Path

import pytest

from embedder.vectors.keys import text_keys
from embedder.vectors.store import Space
from embedder.vectors.upkeep import is_wanted, mentioned, tidy
from tests.vectors.made_up import encode


def space(root: Path, revision: str = "a") -> Space:
    """Make a space of two units of a model."""
    made = Space(root, {"model": {"name": "m", "revision": revision}}, "float32")
    for texts in ("ab", "cde"):
        made.add(text_keys(texts), encode(texts))
    return made


def test_whole_spaces_are_left_alone(tmp_path: Path) -> None:
    """Nothing is done to a space that is as it was written, and it is counted."""
    made = space(tmp_path)
    (state,) = tidy(tmp_path, {"a"})
    assert (state.key, state.vectors, state.bytes) == (made.key, 5, 5 * (16 + 12))
    assert (state.damaged, state.unfinished, state.removed) == (0, 0, False)
    assert len(space(tmp_path).missing(text_keys("abcde"))) == 0


def test_what_a_kill_left_is_removed(tmp_path: Path) -> None:
    """Drafts and units that no line names go; they count as unfinished, not as damaged."""
    folder = space(tmp_path).folder
    (folder / "units" / ".x.1.tmp").touch()
    (folder / "units" / ("0" * 64)).touch()
    (folder / ".facts.json.1.tmp").touch()
    (state,) = tidy(tmp_path, {"a"})
    assert (state.damaged, state.unfinished, state.vectors) == (0, 2, 5)
    assert len(list(folder.rglob("*"))) == 5


def test_models_nobody_names_go(tmp_path: Path) -> None:
    """The spaces of a model that is not wanted are removed; those of others stay."""
    space(tmp_path, "a")
    gone = space(tmp_path, "b")
    states = {state.key: state for state in tidy(tmp_path, {"a", "m2"})}
    assert {key for key, state in states.items() if state.removed} == {gone.key}
    assert states[gone.key].vectors == 5
    assert not gone.folder.exists()
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("content", [None, "{", "[]", '{"facts": {}}', '{"facts": 3, "schema": 1, "dtype": "float32"}'])
def test_a_space_that_lost_its_facts_stays(content: str | None, tmp_path: Path) -> None:
    """Without its facts nobody knows whose vectors a space holds: they are verified, and stay."""
    path = space(tmp_path).folder / "facts.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    (state,) = tidy(tmp_path, set())
    assert (state.facts, state.vectors, state.removed) == (None, 5, False)


def test_what_is_no_space_is_somebody_elses(tmp_path: Path) -> None:
    """The lock, other folders and links out of the store are left alone."""
    outside = space(tmp_path / "other")
    root = tmp_path / "vectors"
    (root / "mine").mkdir(parents=True)
    (root / "lock").touch()
    (root / outside.key).symlink_to(outside.folder)
    assert list(tidy(root, set())) == []
    assert len(outside.missing(text_keys("abcde"))) == 0
    assert len(list(root.iterdir())) == 3


def test_a_space_is_wanted_by_any_of_its_values() -> None:
    """Values of the facts are compared, however deep; keys and parts of values are not."""
    facts = {"model": {"base": {"revision": "r1"}, "adapters": ["r2"], "length": 3}, "prompt": "p"}
    assert list(mentioned(facts)) == ["r1", "r2", "p"]
    assert is_wanted(facts, {"r1"})
    assert is_wanted(facts, ["x", "r2"])
    assert not is_wanted(facts, {"r", "revision", "3"})
    assert not is_wanted({}, {"r1"})
