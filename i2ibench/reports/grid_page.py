"""The report of a grid: every row with average and interval over training seeds, on one page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import sqrt
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from scipy.stats import t

from i2ibench.io.files import write_text
from i2ibench.io.spreadsheets import csv_text
from i2ibench.reports.page import image_uri, png_uri
from i2ibench.reports.pareto_chart import CostPoint, pareto_chart
from i2ibench.reports.rendering import render
from i2ibench.reports.tables import (
    caption,
    escaped,
    latex_table,
    main_scores,
    markdown_table,
    number,
    title,
)

Results = Mapping[str, Any]

LEVEL = 0.95


@dataclass(frozen=True)
class Summary:
    """A score averaged over training seeds.

    Attributes:
        value: the average.
        bounds: the 95 % interval of the average over seeds (Student's t). For one seed, the
            interval over scenes. None if there is no interval.
        seeds: the number of seeds.
    """

    value: float
    bounds: tuple[float, float] | None
    seeds: int

    def text(self) -> str:
        """Return the average over seeds, formatted as in tables."""
        return number(self.value)

    def interval(self) -> str:
        """Return the interval and the number of seeds as text; "" without an interval."""
        if self.bounds is None:
            return ""
        over = f"{self.seeds} seeds" if self.seeds > 1 else "1 seed, over scenes"
        return f"{number(self.bounds[0])} – {number(self.bounds[1])} ({over})"


def mean_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Return the 95 % interval (low, high) of the mean of values by Student's t.

    Return None for fewer than two values.
    """
    if len(values) < 2:
        return None
    half = t.ppf((1 + LEVEL) / 2, len(values) - 1) * stdev(values) / sqrt(len(values))
    return mean(values) - float(half), mean(values) + float(half)


def summarise(results: Results, systems: Sequence[str], score: str) -> Summary | None:
    """Average a score over systems that differ in their training seed only.

    Systems without a value are left out. Return None if no system has one. For one value the
    interval is that over scenes, if there is one.

    Args:
        results: the results of one evaluation of all systems.
        systems: the names of the systems.
        score: the name of the score.
    """
    found = [results["systems"][name].get(score, {}) for name in systems]
    known = [entry for entry in found if entry.get("value") is not None]
    if not known:
        return None
    values = [entry["value"] for entry in known]
    bounds = mean_interval(values)
    if bounds is None and "low" in known[0]:
        bounds = (known[0]["low"], known[0]["high"])
    return Summary(mean(values), bounds, len(values))


def mean_difference(
    results: Results, ones: Sequence[str], others: Sequence[str], score: str
) -> dict[str, Any] | None:
    """Return the mean difference of a score between two rows of a grid, paired by seeds.

    Args:
        results: the results of one evaluation of all systems.
        ones, others: the systems of each row, in the same order of seeds; the difference is ones
            minus others.
        score: the name of the score.

    Returns:
        A dict with "value", "bounds" (the 95 % interval over seeds; None for one seed), "seeds" and
        "seen_in", the number of seeds whose paired interval over scenes excludes zero. None if a
        system lacks the score.
    """
    values, intervals = [], []
    for one, other in zip(ones, others, strict=True):
        a, b = (results["systems"][name].get(score, {}).get("value") for name in (one, other))
        if a is None or b is None:
            return None
        values.append(a - b)
        intervals.append(_paired(results, one, other, score))
    excluded = [i is not None and not i[0] <= 0 <= i[1] for i in intervals]
    return {
        "value": mean(values),
        "bounds": mean_interval(values),
        "seeds": len(values),
        "seen_in": sum(excluded),
    }


def _paired(results: Results, one: str, other: str, score: str) -> tuple[float, float] | None:
    for found in results["differences"]:
        if found["score"] == score and set(found["systems"]) == {one, other}:
            low, high = found["interval"]
            return (low, high) if found["systems"][0] == one else (-high, -low)
    return None


COMPARED = ("seg/miou", "seg/pixel_acc", "lpips_alex")
"""The scores whose differences between similar rows are listed."""


@dataclass(frozen=True)
class GridRow:
    """The cells of a grid that differ only in their seed.

    Attributes:
        name: the name of the row, such as "losses=full".
        systems: the names of the cells in the results, by seed.
        values: the value of each axis.
        costs: parameters, step time, memory, scenes and steps of one cell.
        informed: True if the styles were encoded from the real images.
    """

    name: str
    systems: list[str]
    values: Mapping[str, str]
    costs: Mapping[str, Any] = field(default_factory=dict)
    informed: bool = False


def write_grid_report(
    folder: Path, name: str, rows: Sequence[GridRow], results: Results, missing: Mapping[str, str]
) -> Path:
    """Write a grid's `report.html`, `table.csv`, `.md` and `.tex`; return the path of the page.

    Args:
        folder: the folder of the grid, with results and images in `evaluation/`.
        name: the name of the grid.
        rows: the rows of the tables, in order.
        results: the results of one evaluation of all finished runs of the grid.
        missing: the state of each unfinished run as text, by name.
    """
    scores = main_scores(results)
    for suffix, text in (
        ("csv", _csv(rows, results, scores)),
        ("md", _markdown(rows, results, scores)),
        ("tex", _latex(rows, results, scores)),
    ):
        write_text(folder / f"table.{suffix}", text)
    page = render(
        "grid.html",
        name=name,
        rows=[(row, [summarise(results, row.systems, s) for s in scores]) for row in rows],
        controls=[(c, [summarise(results, [c], s) for s in scores]) for c in results["controls"]],
        scores=[title(score) for score in scores],
        costs=[(row.name, _cost(row.costs)) for row in rows if row.costs and not row.informed],
        pareto=png_uri(pareto_chart(_panels(rows, results))),
        differences=list(neighbour_differences(rows, results)),
        scenes=list(_strips(folder / "evaluation", rows, results)),
        missing=missing,
        results=results,
        title=title,
        number=number,
    )
    write_text(folder / "report.html", page)
    return folder / "report.html"


def _panels(rows: Sequence[GridRow], results: Results) -> list[tuple[str, bool, list[CostPoint]]]:
    """Return the panels of the chart of quality over cost: scores of COMPARED with two points."""
    panels = []
    for score in COMPARED:
        points = []
        for row in rows:
            found = summarise(results, row.systems, score)
            if found is not None and not row.informed and row.costs.get("image_flop"):
                low, high = found.bounds or (found.value, found.value)
                cost = row.costs["image_flop"]
                name = ", ".join(row.values.values())
                points.append(CostPoint(name, cost, found.value, low, high))
        if len({point.cost for point in points}) > 1:
            panels.append((title(score), results["better"].get(score) == "higher", points))
    return panels


def neighbour_differences(
    rows: Sequence[GridRow], results: Results
) -> list[tuple[str, str, dict[str, Any]]]:
    """Return the differences of the scores COMPARED for all pairs of rows that differ in one axis.

    Each is a tuple of a name such as "<later row> − <earlier row>", the score, and the dict of
    `mean_difference`. Left out are rows with styles from the real image, pairs with different
    numbers of seeds, and scores that a run lacks.
    """
    found = []
    ranked = [row for row in rows if not row.informed]
    for position, one in enumerate(ranked):
        for other in ranked[position + 1 :]:
            apart = [axis for axis in one.values if one.values[axis] != other.values[axis]]
            if len(apart) != 1 or len(one.systems) != len(other.systems):
                continue
            for score in COMPARED:
                difference = mean_difference(results, other.systems, one.systems, score)
                if difference is not None:
                    found.append((f"{other.name} − {one.name}", score, difference))
    return found


def _cost(costs: Mapping[str, Any]) -> list[str]:
    parameters = sum(costs["parameters"].values())
    step, memory = costs["step_seconds"], costs["memory_bytes"]
    return [
        f"{parameters / 1e6:.2f} M",
        "–" if step is None else f"{step:.3f} s",
        "–" if memory is None else f"{memory / 2**30:.2f} GiB",
        str(costs["scenes"]),
        str(costs["steps"]),
        f"{costs['training_flop'] / 1e12:,.1f} T" if "training_flop" in costs else "–",
        f"{costs['image_flop'] / 1e9:,.1f} G" if "image_flop" in costs else "–",
        str(costs.get("evaluations", "–")),
        costs["device"],
    ]


def _strips(folder: Path, rows: Sequence[GridRow], results: Results) -> list[dict[str, Any]]:
    """Read the images of the example scenes, and return for each scene its name and its columns.

    A column is a dict with "name" and "picture" (the image as a data URI). The columns are the
    input, the control systems that have an image there (the real photos), and the first seed of
    each row of the grid, in the order in which the evaluation shows them.
    """
    strips = []
    for example in results["shown"]:
        wanted = {"input": "input", **{c: c for c in results["controls"]}}
        wanted |= {row.systems[0]: row.name for row in rows}
        columns = [
            {"name": wanted[key], "picture": image_uri(folder / path)}
            for key, path in example["pictures"].items()
            if key in wanted
        ]
        strips.append({"name": example["scene"], "columns": columns})
    return strips


def _csv(rows: Sequence[GridRow], results: Results, scores: Sequence[str]) -> str:
    head = ["row", "score", "mean", "low", "high", "seeds", "protocol"]
    cells = []
    for row in rows:
        for score in scores:
            found = summarise(results, row.systems, score)
            if found is not None:
                bounds = found.bounds or ("", "")
                hash_ = results["protocol"]["sha256"]
                cells.append([row.name, score, found.value, *bounds, found.seeds, hash_])
    return csv_text(head, cells)


def _markdown(rows: Sequence[GridRow], results: Results, scores: Sequence[str]) -> str:
    lines = [[name, *texts] for name, texts in _texts(rows, results, scores, " ± ")]
    return markdown_table(["system", *map(title, scores)], lines, caption(results))


def _latex(rows: Sequence[GridRow], results: Results, scores: Sequence[str]) -> str:
    lines = [[escaped(name), *texts] for name, texts in _texts(rows, results, scores, r" $\pm$ ")]
    return latex_table(["system", *map(title, scores)], lines, caption(results))


def _texts(
    rows: Sequence[GridRow], results: Results, scores: Sequence[str], sign: str
) -> list[tuple[str, list[str]]]:
    """Return for each row of the table its name and a text for each score, control systems last.

    The text is the mean, for several seeds with half of its interval after `sign`, or "–" without a
    value.
    """
    systems = [(row.name, row.systems) for row in rows]
    systems += [(name, [name]) for name in results["controls"]]
    table = []
    for name, members in systems:
        texts = []
        for score in scores:
            found = summarise(results, members, score)
            text = "–" if found is None else found.text()
            if found is not None and found.seeds > 1 and found.bounds is not None:
                text += sign + number((found.bounds[1] - found.bounds[0]) / 2)
            texts.append(text)
        table.append((name, texts))
    return table
