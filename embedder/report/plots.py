"""Small inline pictures: intervals around zero, and bars of shares. Colours come from the page's style."""

from collections.abc import Sequence

from embedder.report.html import Html, tag

_WIDTH, _HEIGHT = 160, 22


def interval(low: float, middle: float, high: float, scale: float, outcome: str) -> Html:
    """Draw an interval on an axis from -scale to +scale with zero in the middle."""
    left, point, right = (_WIDTH / 2 * (1 + value / scale) for value in (low, middle, high))
    centre = _HEIGHT / 2
    label = f"{middle:+.4f}, interval {low:+.4f} to {high:+.4f}"
    return _svg(
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
    return _svg(track, full, label=label, kind="bar", width=_WIDTH, height=_HEIGHT)


def stack(parts: Sequence[tuple[str, int]], label: str) -> Html:
    """Draw a stacked bar of (CSS class, count) parts over the whole width."""
    total, start, rects = sum(count for _, count in parts), 0.0, []
    for kind, count in parts:
        width = 1000 * count / total if total else 0.0
        rects.append(tag("rect", x=_at(start), y=0, width=_at(width), height=16, class_=kind))
        start += width
    return _svg(*rects, label=label, kind="stack", width=1000, height=16)


def _svg(*shapes: Html, label: str, kind: str, width: int, height: int) -> Html:
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
