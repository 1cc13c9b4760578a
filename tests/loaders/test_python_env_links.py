"""Facts about See Also links: what names mean, and what is near."""

from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.loaders.python_env.links import Links, near, resolve
from embedder.loaders.python_env.parse import Definition
from tests.loaders.made_up import definition, entries

WORLD = [
    definition("p.a.x:mean"),
    definition("p.a.y:mean"),
    definition("p.a.y:Frame", kind="class"),
    definition("p.a.y:Frame.head"),
    definition("p.a.y:Frame.tail"),
    definition("p.b.z:mean"),
    definition("p.b.z:median"),
    definition("q.c:mean"),
]


def meaning(source: str, name: str) -> tuple[list[str], list[str]]:
    """Return what a See Also name of `source` means, and why it was refused."""
    asking = definition(source, see_also=[name])
    rows = sorted([*(row for row in WORLD if row.id != asking.id), asking], key=lambda d: d.id)
    links = resolve(rows)
    return [rows[target].id for _, target in sorted(links.sure)], [reject.reason for reject in links.rejects]


def test_the_closest_scope_decides() -> None:
    """A name means the definition of the same module, else subpackage, else package."""
    assert meaning("p.a.y:new", "mean") == (["p.a.y.mean"], [])
    assert meaning("p.b.w:new", "mean") == (["p.b.z.mean"], [])
    assert meaning("p.c.v:new", "median") == (["p.b.z.median"], [])


def test_ambiguous_names_are_dropped_and_counted() -> None:
    """A name with two meanings in its closest scope is not guessed."""
    assert meaning("p.a.w:new", "mean") == ([], ["ambiguous"])


def test_unknown_names_are_counted() -> None:
    """A name of nothing is unresolved, also where only another package has it."""
    assert meaning("p.a.x:new", "nothing") == ([], ["unresolved"])
    assert meaning("q.c:new", "median") == ([], ["unresolved"])


def test_modules_may_be_left_out_of_a_dotted_name() -> None:
    """The public path of a function leaves out the private module that defines it; another package must be named."""
    assert meaning("p.a.w:new", "p.b.mean") == (["p.b.z.mean"], [])
    assert meaning("q.c:new", "p.median") == (["p.b.z.median"], [])


def test_a_method_needs_its_class() -> None:
    """A bare name means a method only among methods of one class; elsewhere the class is named."""
    assert meaning("p.a.y:Frame.new", "head") == (["p.a.y.Frame.head"], [])
    assert meaning("p.a.y:new", "head") == ([], ["unresolved"])
    assert meaning("p.b.z:new", "Frame.head") == (["p.a.y.Frame.head"], [])
    assert meaning("p.b.z:new", "Other.head") == ([], ["unresolved"])


def test_a_name_of_itself_is_no_link() -> None:
    """A definition that names itself is counted and not linked."""
    assert meaning("p.b.z:median", "median") == ([], ["names itself"])


def chain(length: int) -> list[Definition]:
    """Return definitions of which each names the next."""
    return [definition(f"p.m:f{i}", see_also=[f"f{i + 1}"]) for i in range(length)]


def test_three_hops_are_near_and_four_are_far() -> None:
    """Links count in both directions, and reach at most three steps."""
    rows = entries(chain(6))
    matrix = near(rows, resolve([row.definition for row in rows])).toarray()
    assert [[bool(matrix[i, j]) == (abs(i - j) <= 3) for j in range(6)] for i in range(6)] == [[True] * 6] * 6


def test_a_group_is_one_place() -> None:
    """What is near one member of a group is near the others."""
    rows = entries([*chain(2), definition("p.m:twin")], groups={"p.m.f0": "g", "p.m.twin": "g"})
    matrix = near(rows, resolve([row.definition for row in rows])).toarray()
    assert bool(matrix[1, 2])
    assert bool(matrix[2, 0])


def test_ambiguous_names_make_near() -> None:
    """What an ambiguous name may mean is near, so it is never judged as unrelated."""
    rows = entries([definition("p.a.w:new", see_also=["mean"]), *WORLD])
    links = resolve([row.definition for row in rows])
    ids = [row.definition.id for row in rows]
    matrix = near(rows, links).toarray()
    assert not links.sure
    assert [bool(matrix[ids.index("p.a.w.new"), ids.index(f"p.a.{m}.mean")]) for m in "xy"] == [True, True]


@settings(max_examples=25, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=10))
def test_near_agrees_with_a_search(pairs: set[tuple[int, int]]) -> None:
    """For any links, near is what a breadth-first search finds in three steps."""
    rows = entries([definition(f"p.m:f{i}") for i in range(8)])
    matrix = near(rows, Links(sure=pairs)).toarray()
    for start in range(8):
        seen = {start}
        for _ in range(3):
            seen |= {b for a, b in pairs if a in seen} | {a for a, b in pairs if b in seen}
        assert {j for j in range(8) if matrix[start, j]} == seen
