"""Facts about pictures: where their shapes lie."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedder.report.parts import interval, percent
from embedder.report.pictures import Point, Ridge, bar, reach, ridges, scatter, stack, ticks

FIGURES = st.floats(-1e6, 1e6, allow_subnormal=False)


@given(FIGURES, FIGURES, st.integers(1, 9))
def test_ticks_are_few_and_within(one: float, other: float, most: int) -> None:
    """Marks on an axis lie between its ends, ascend, and are no more than asked for and one."""
    low, high = min(one, other), max(one, other)
    found = ticks(low, high, most)
    assert len(found) <= most + 1
    assert found == sorted(set(found))
    slack = 1e-6 * max(abs(low), abs(high), 1e-6)
    assert all(low - slack <= tick <= high + slack for tick in found)


def test_ticks_are_round() -> None:
    """Steps are 1, 2 or 5 times a power of ten."""
    assert ticks(1, 129, 7) == [20, 40, 60, 80, 100, 120]
    assert ticks(0, 0.23, 5) == [0, 0.05, 0.1, 0.15, 0.2]
    assert ticks(3, 3, 5) == [3]


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(-9, 9)), max_size=9))
def test_every_point_lies_inside_its_picture(rows: list[tuple[float, float, float]]) -> None:
    """Whatever is drawn, no shape lies outside, and higher shares lie higher."""
    points = [Point(x, y, min(y, z), max(y, z), "p", "says") for y, z, x in rows]
    root = ET.fromstring(scatter(points, "label"))  # noqa: S314 - our own SVG
    circles = root.findall(".//circle")
    assert len(circles) == len(points)
    for circle in circles:
        assert 0 <= float(circle.attrib["cx"].rstrip("%")) <= 100
        assert 0 <= float(circle.attrib["cy"]) <= float(root.attrib["height"])
    heights = [float(circle.attrib["cy"]) for circle in circles]
    ordered = sorted(zip((point.y for point in points), heights, strict=True))
    assert [height for _, height in ordered] == sorted(heights, reverse=True)


def test_each_distribution_reaches_its_own_top() -> None:
    """The tallest bar of every row touches the top of its row, whatever the counts of the others."""
    made = ridges([Ridge("few", "a", [0, 1, 2], ""), Ridge("many", "b", [1000, 0, 0], "")], 0, 3, "label")
    assert re.findall(r'd="([^"]+)"', made) == ["M0 40V40.0h1V20.0h1V0.0h1V40Z", "M0 40V0.0h1V40.0h1V40.0h1V40Z"]


def test_nothing_to_draw_is_drawn() -> None:
    """Pictures of nothing are empty and well-formed."""
    for made in (
        ridges([], 0, 0, "none"),
        scatter([], "none"),
        stack([], "none"),
        bar(0, 0, "none"),
        reach(0, 0, 0, 0, "none"),
    ):
        ET.fromstring(made)  # noqa: S314 - our own SVG


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.0, "0 %"),
        (1.0, "100 %"),
        (0.34, "34 %"),
        (0.088, "8.8 %"),
        (0.00123, "0.12 %"),
        (0.985, "98.5 %"),
        (8.76e-6, "0.00088 %"),
        (1e-9, "0.00000 %"),
    ],
)
def test_a_share_is_written_with_two_digits_that_count(share: float, said: str) -> None:
    """Small shares are not rounded to none, and those near all not to all."""
    assert percent(share) == said


def test_an_interval_names_its_unit_once() -> None:
    """The per cent sign comes last."""
    assert interval(0.07, 0.115) == "7.0 to 12 %"
