"""Facts about entity groups and the split."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.loaders.python_env.groups import group_ids, split_of, unit
from embedder.loaders.python_env.parse import Definition
from tests.loaders.made_up import definition

LONG = "these are ten words that no other body here has at all"
CODE = "def MASKED(x):\n    a = x + {0}\n    b = a * a\n    return b - {0} - a"


def grouped(*definitions: Definition) -> list[str]:
    """Return the groups by the last part of their ids."""
    return [group.rsplit(".", 1)[-1] for group in group_ids(definitions)]


def test_equal_summaries_are_one_group() -> None:
    """Case and white space do not tell summaries apart."""
    assert grouped(definition("p.b", "Do  it."), definition("p.a", "do it."), definition("p.c", "Do that.")) == [
        "a",
        "a",
        "c",
    ]


def test_near_copies_of_bodies_are_one_group() -> None:
    """Half of the shingles in common makes one group; a third does not."""
    near, far = f"{LONG} with a tail", f"{LONG} " + " ".join(f"word{i}" for i in range(20))
    rows = [definition(f"p.{name}", body=body) for name, body in zip("abc", (LONG, near, far), strict=True)]
    assert grouped(*rows) == ["a", "a", "c"]


def test_equal_code_is_one_group_unless_it_is_trivial() -> None:
    """Equal code of three statements makes one group; a one-line wrapper says nothing."""
    code = CODE.format(1)
    assert grouped(*(definition(f"p.{n}", code=code, statements=3) for n in "ab")) == ["a", "a"]
    assert grouped(*(definition(f"p.{n}", code=code, statements=2) for n in "ab")) == ["a", "b"]


def test_groups_are_closed_under_chains() -> None:
    """Two definitions linked only through a third are one group, named by its smallest id."""
    first = definition("p.z", "One summary.")
    middle = definition("p.m", "One summary.", body=LONG)
    last = definition("p.k", "Another summary.", body=LONG)
    assert grouped(first, middle, last) == ["k", "k", "k"]


def test_empty_texts_make_no_group() -> None:
    """Definitions without body and code are not copies of each other, and no definitions are no groups."""
    assert grouped(definition("p.a"), definition("p.b")) == ["a", "b"]
    assert group_ids([]) == []


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(8)))
def test_groups_do_not_depend_on_order(order: list[int]) -> None:
    """Each definition has the same group however they are listed."""
    rows = [definition(f"p.f{i}", f"Summary {i % 3}.", body=f"{LONG} {i % 4}") for i in range(8)]
    expected = dict(zip([row.id for row in rows], group_ids(rows), strict=True))
    shuffled = [rows[i] for i in order]
    assert dict(zip([row.id for row in shuffled], group_ids(shuffled), strict=True)) == expected


def test_the_split_takes_about_its_share() -> None:
    """A quarter of many groups is dev, and a group that is dev stays dev when the share grows."""
    names = [f"group {i}" for i in range(4000)]
    dev = {name for name in names if split_of(name, 0.25) == "dev"}
    assert len(dev) / len(names) == pytest.approx(0.25, abs=0.03)
    assert dev <= {name for name in names if split_of(name, 0.4) == "dev"}


def test_the_hash_is_fixed() -> None:
    """The split is the same on every machine: the first 8 bytes of SHA-256, not Python's seeded hash."""
    assert unit("") == 0xE3B0C44298FC1C14 / 2**64
