"""A curve: a cost over a size, with the exponent that fits it and a verdict beside its bar."""

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

Prepare = Callable[[float], Callable[[], Any]]
"""Gives, for a size, what is to be measured at that size."""


class Bar(NamedTuple):
    """How much the cost may grow: at most `most * (largest size / smallest size) ** power`."""

    power: int
    most: float


LINEAR = Bar(1, 1.15)
"""15 % more for each unit at the largest size than at the smallest."""


@dataclass(frozen=True)
class Plan:
    """How much is measured, and where files may be written."""

    folder: Path
    quick: bool = False

    def take(self, whole, short):
        """The first of two choices, or in a quick run the second."""
        return short if self.quick else whole


@dataclass(frozen=True)
class Curve:
    """A cost over a size.

    Attributes:
        panel: the title of the axes that it is drawn in.
        name: of the line.
        size: what the size is, with its unit.
        cost: what the cost is, with its unit.
        sizes: ascending, each with its label.
        rounds: the costs of all sizes, per round.
        bar: None where nothing is asked.
        origin: "measured", "counted" (deterministic) or "computed" (by a model).
    """

    panel: str
    name: str
    size: str
    cost: str
    sizes: Mapping[float, str]
    rounds: list[list[float]]
    bar: Bar | None
    origin: str = "measured"

    @cached_property
    def costs(self):
        """The median of every size."""
        return np.median(self.rounds, axis=0)

    @cached_property
    def line(self):
        """Slope and height of the least squares through the logarithms of the medians."""
        return fitted(list(self.sizes), self.costs)

    @property
    def exponent(self):
        """That slope: 1 is linear, 0 is flat."""
        return self.line[0]

    @cached_property
    def exponents(self):
        """The least and the greatest exponent of a round alone."""
        slopes = [fitted(list(self.sizes), costs)[0] for costs in self.rounds]
        return min(slopes), max(slopes)

    @cached_property
    def growth(self):
        """Cost at the largest size over that at the smallest, less what the bar's power allows.

        The median of the rounds' ratios or the ratio of the minima, whichever is less: other work
        on the machine makes both too large now and then, and neither too small.
        """
        costs, sizes = np.array(self.rounds), list(self.sizes)
        allowed = (sizes[-1] / sizes[0]) ** (self.bar.power if self.bar else 0)
        least = costs.min(0)
        ratios = np.median(costs[:, -1] / costs[:, 0]), least[-1] / least[0]
        return float(min(ratios) / allowed)

    @property
    def verdict(self):
        """ "holds", "MISSED", or "-" without a bar."""
        if self.bar is None:
            return "-"
        return "holds" if self.growth <= self.bar.most else "MISSED"

    @property
    def asked(self):
        """The bar in words."""
        if self.bar is None:
            return "-"
        return f"{'linear' if self.bar.power else 'flat'}, at most {self.bar.most:g}"

    def facts(self):
        """All of it as plain JSON."""
        return {
            "panel": self.panel, "name": self.name, "size": self.size, "cost": self.cost,
            "origin": self.origin, "sizes": list(self.sizes), "labels": list(self.sizes.values()),
            "rounds": self.rounds, "exponent": round(self.exponent, 4),
            "exponents of rounds": [round(e, 4) for e in self.exponents],
            "growth": round(self.growth, 4), "bar": self.asked, "verdict": self.verdict,
        }  # fmt: skip


def fitted(sizes, costs):
    """Slope and height of the least squares through the logarithms."""
    slope, height = np.polyfit(np.log(sizes), np.log(costs), 1)
    return float(slope), float(height)


def timed(prepare: Prepare, sizes, rounds):
    """CPU seconds of every size, per round; the sizes take turns, after a round that is not kept.

    Each call is repeated until it has taken a twentieth of a second, up to a hundred times.
    """
    ready = {size: prepare(size) for size in sizes}
    gc.collect()
    gc.freeze()  # what is there already need not be searched for garbage before every call
    repeats = {size: int(np.clip(0.05 / cpu_seconds(f), 1, 100)) for size, f in ready.items()}
    found = [[cpu_seconds(f, repeats[s]) for s, f in ready.items()] for _ in range(rounds)]
    gc.unfreeze()
    return found


def cpu_seconds(function, repeats=1):
    """The process's CPU time for one call."""
    gc.collect()
    gc.disable()
    begin = time.process_time()
    for _ in range(repeats):
        function()
    taken = time.process_time() - begin
    gc.enable()
    return taken / repeats


def named(numbers, unit=""):
    """Sizes that are called by their number."""
    return {number: f"{number:g}{unit}" for number in numbers}


def pixels(widths):
    """The pixels of scenes twice as wide as high, by size."""
    return {width * (width // 2): f"{width}×{width // 2}" for width in widths}


def width_of(number):
    """The width of such a scene."""
    return round((2 * number) ** 0.5)
