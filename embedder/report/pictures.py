"""Inline SVG pictures; colours come from the page's style.

Shapes lie at percentages of the width, so that a picture fills a phone as well as a desktop and its words stay readable.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from embedder.report.html import Html, tag

_WIDTH, _HEIGHT = 160, 22
_ROW, _BARS, _AXIS = 66, 40, 22
_PLOT, _TOP, _LEFT = 300, 14, 9.0
_TICKS = 7
_ROUND = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
_APART = 24


@dataclass(frozen=True)
class Ridge:
    """One row of a picture of distributions: a name, a CSS class, counts per bin, and a remark."""

    name: str
    kind: str
    counts: Sequence[int]
    remark: str


@dataclass(frozen=True)
class Point:
    """A point with a vertical interval, a CSS class and the words shown on pointing at it."""

    x: float
    y: float
    low: float
    high: float
    kind: str
    says: str


def interval(low: float, middle: float, high: float, scale: float, outcome: str) -> Html:
    """Draw an interval on an axis from -scale to +scale with zero in the middle."""
    left, point, right = (_WIDTH / 2 * (1 + value / scale) for value in (low, middle, high))
    centre = _HEIGHT / 2
    label = f"{middle:+.4f}, interval {low:+.4f} to {high:+.4f}"
    return _stretched(
        tag("line", x1=_WIDTH / 2, y1=2, x2=_WIDTH / 2, y2=_HEIGHT - 2, class_="zero"),
        tag("line", x1=_at(left), y1=centre, x2=_at(right), y2=centre, class_="reach"),
        tag("circle", cx=_at(point), cy=centre, r=4, class_="point"),
        label=label,
        kind=f"interval {outcome.replace(' ', '-')}",
        width=_WIDTH,
        height=_HEIGHT,
    )


def bar(share: float, most: float, label: str) -> Html:
    """Draw one bar, as long as its share of the longest."""
    full = tag("rect", width=_at(_WIDTH * share / most if most else 0), height=_HEIGHT, class_="full")
    track = tag("rect", width=_WIDTH, height=_HEIGHT, class_="track")
    return _stretched(track, full, label=label, kind="bar", width=_WIDTH, height=_HEIGHT)


def reach(low: float, middle: float, high: float, most: float, label: str) -> Html:
    """Draw an interval on an axis from 0 to `most`."""
    ends = [_percent(_share(value, 0, most, room=98) + 1) for value in (low, middle, high)]
    return tag(
        "svg",
        tag("line", x1="0", y1=11, x2="100%", y2=11, class_="track"),
        tag("line", x1=ends[0], y1=11, x2=ends[2], y2=11, class_="reach"),
        tag("circle", cx=ends[1], cy=11, r=4, class_="point"),
        class_="reaches",
        role="img",
        aria_label=label,
    )


def stack(parts: Sequence[tuple[str, int]], label: str) -> Html:
    """Draw a stacked bar of (CSS class, count) parts over the whole width."""
    total, start, rects = sum(count for _, count in parts), 0.0, []
    for kind, count in parts:
        width = 1000 * count / total if total else 0.0
        rects.append(tag("rect", x=_at(start), y=0, width=_at(width), height=16, class_=kind))
        start += width
    return _stretched(*rects, label=label, kind="stack", width=1000, height=16)


def ridges(rows: Sequence[Ridge], low: float, high: float, label: str) -> Html:
    """Draw distributions one above the other over one axis; each is scaled to its own tallest bar."""
    height = _ROW * len(rows) + _AXIS
    marks = [(_percent(_share(tick, low, high)), tick) for tick in ticks(low, high, _TICKS)]
    lines = [tag("line", x1=x, y1=0, x2=x, y2=height - _AXIS, class_="grid") for x, _ in marks]
    words = [_tick(x, height - 6, tick, low, high) for x, tick in marks]
    shapes = [shape for place, row in enumerate(rows) for shape in _ridge(row, place * _ROW)]
    return tag("svg", *lines, *shapes, *words, class_="ridges", height=height, role="img", aria_label=label)


def scatter(points: Sequence[Point], label: str) -> Html:
    """Draw shares with their intervals over any figure; the last point lies on top.

    Heights go by the square root: shares of 0.3 % and of 80 % are both told from their neighbours.
    """
    low, high = _padded([point.x for point in points])
    most = min(1.0, max((point.high for point in points), default=0.0) * 1.1) or 1.0
    levels = [(_level(share, most), share) for share in _shares(most)]
    places = [(_across(tick, low, high), tick) for tick in ticks(low, high, _TICKS)]
    grid = [tag("line", x1=_percent(_LEFT), x2="100%", y1=_at(y), y2=_at(y), class_="grid") for y, _ in levels]
    words = [
        *(tag("text", f"{100 * share:g} %", x=0, y=_at(y + 4), class_="tick") for y, share in levels),
        *(_tick(_percent(x), _PLOT + 16, tick, low, high) for x, tick in places),
    ]
    shapes = [_point(point, _percent(_across(point.x, low, high)), most) for point in points]
    return tag("svg", *grid, *words, *shapes, class_="scatter", height=_PLOT + _AXIS, role="img", aria_label=label)


def _shares(most: float) -> list[float]:
    """Return the shares to mark on an axis: round, and far enough from one another."""
    marked = [0.0]
    for share in _ROUND:
        if share <= most and _level(marked[-1], most) - _level(share, most) >= _APART:
            marked.append(share)
    return marked


def ticks(low: float, high: float, most: int) -> list[float]:
    """Return up to `most` + 1 round numbers from `low` to `high`."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    exponent = math.floor(math.log10(rough))
    power = 10.0**exponent
    step = next(power * times for times in (1, 2, 5, 10) if power * times >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(place * step, 1 - exponent) for place in range(first, last + 1)]


def _ridge(row: Ridge, top: int) -> list[Html]:
    tallest = max(row.counts, default=0) or 1
    steps = "".join(f"V{_at(_BARS * (1 - count / tallest))}h1" for count in row.counts)
    path = tag("path", d=f"M0 {_BARS}{steps}V{_BARS}Z", class_=row.kind)
    view = f"0 0 {max(len(row.counts), 1)} {_BARS}"
    place = {"x": 0, "y": top + 22, "width": "100%", "height": _BARS}
    bars = tag("svg", path, **place, viewBox=view, preserveAspectRatio="none", aria_hidden="true")
    name = tag("text", tag("tspan", row.name, class_="name"), f"  {row.remark}", x=0, y=top + 15)
    return [name, bars, tag("line", x1=0, x2="100%", y1=top + 22 + _BARS, y2=top + 22 + _BARS, class_="base")]


def _point(point: Point, x: str, most: float) -> Html:
    low, middle, high = (_at(_level(share, most)) for share in (point.low, point.y, point.high))
    return tag(
        "g",
        tag("title", point.says),
        tag("line", x1=x, x2=x, y1=low, y2=high, class_="reach"),
        tag("circle", cx=x, cy=middle, r=4.5, class_="point"),
        class_=point.kind,
    )


def _tick(x: str, y: float, tick: float, low: float, high: float) -> Html:
    """Write a number below its place, kept inside the picture at either end."""
    place = _share(tick, low, high)
    anchor = "start" if place < 4 else "end" if place > 96 else "middle"  # noqa: PLR2004 - per cent of the width
    return tag("text", f"{tick:g}", x=x, y=_at(y), class_="tick", text_anchor=anchor)


def _padded(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = (high - low) * 0.06 or abs(high) * 0.06 or 1.0
    return low - room, high + room


def _across(value: float, low: float, high: float) -> float:
    return _LEFT + _share(value, low, high, room=100 - _LEFT)


def _level(value: float, most: float) -> float:
    return _TOP + (_PLOT - _TOP) * (1 - math.sqrt(value / most))


def _share(value: float, low: float, high: float, room: float = 100.0) -> float:
    return room * (value - low) / (high - low) if high > low else 0.0


def _percent(value: float) -> str:
    return f"{value:.2f}%"


def _stretched(*shapes: Html, label: str, kind: str, width: int, height: int) -> Html:
    stretch = None if kind.startswith("interval") else "none"
    return tag(
        "svg",
        *shapes,
        class_=kind,
        viewBox=f"0 0 {width} {height}",
        preserveAspectRatio=stretch,
        role="img",
        aria_label=label,
    )


def _at(value: float) -> str:
    return f"{value:.1f}"
