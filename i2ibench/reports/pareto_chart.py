"""A chart of quality over cost, for a grid of methods."""

from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.figure import Figure

from i2ibench.reports.training_curves import as_png


class CostPoint(NamedTuple):
    """A method in the chart.

    Attributes:
        name: the name of the row.
        cost: floating-point operations for an image.
        value: the mean of the score over seeds.
        low, high: the interval of the mean, or the value itself.
    """

    name: str
    cost: float
    value: float
    low: float
    high: float


def pareto_chart(panels: Sequence[tuple[str, bool, Sequence[CostPoint]]]) -> bytes:
    """Plot the scores of methods over the operations for an image, and return a PNG.

    A filled point is on the Pareto front: no other method is at least as cheap and at least as
    good, and better in one of the two. Return b"" without panels.

    Args:
        panels: the title of a score, whether higher is better, and the methods, for each score.
    """
    if not panels:
        return b""
    figure = Figure(figsize=(5.4 * len(panels), 4.2), dpi=120, layout="constrained")
    for number, (title, higher, points) in enumerate(panels, start=1):
        axes = figure.add_subplot(1, len(panels), number)
        front = {point.name for point in pareto_front(points, higher)}
        for index, p in enumerate(points):
            spread = [[max(p.value - p.low, 0)], [max(p.high - p.value, 0)]]
            colour = f"C{index % 10}"
            face = colour if p.name in front else "none"
            axes.errorbar(
                [p.cost / 1e9], [p.value], yerr=spread, fmt="o", color=colour, mfc=face, capsize=3
            )
            axes.annotate(
                p.name, (p.cost / 1e9, p.value), xytext=(5, 4), textcoords="offset points",
                fontsize=8,
            )  # fmt: skip
        axes.set_xscale("log")
        axes.set_xlabel("GFLOP for an image")
        axes.set_ylabel(f"{title} ({'higher' if higher else 'lower'} is better)")
        axes.margins(x=0.25)
        axes.grid(alpha=0.3)
    return as_png(figure)


def pareto_front(points: Sequence[CostPoint], higher: bool) -> list[CostPoint]:
    """Return the points that no other point beats in one of cost and value and equals in the other.

    Args:
        points: the methods.
        higher: whether higher values are better.
    """
    sign = 1 if higher else -1

    def beats(one: CostPoint, other: CostPoint) -> bool:
        gain = sign * (one.value - other.value)
        cheap = other.cost - one.cost
        return gain >= 0 and cheap >= 0 and (gain > 0 or cheap > 0)

    return [p for p in points if not any(beats(other, p) for other in points)]
