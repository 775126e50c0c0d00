"""The report of a grid: every row with mean and interval over seeds, on one page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from i2ibench.io.files import write_text
from i2ibench.io.spreadsheets import csv_text
from i2ibench.reports.page import image_uri
from i2ibench.reports.rendering import render
from i2ibench.reports.seeds import mean_difference, summarise
from i2ibench.reports.tables import (
    caption,
    escaped,
    latex_table,
    main_scores,
    markdown_table,
    number,
)
from i2ibench.reports.titles import title

Results = Mapping[str, Any]

COMPARED = ("seg/miou", "seg/pixel_acc", "lpips_alex")
"""Scores whose differences between neighbouring rows are listed."""


@dataclass(frozen=True)
class GridRow:
    """The cells that differ in their seed only.

    Attributes:
        name: such as "losses=full".
        systems: their names in the results, by seed.
        values: of each axis.
        facts: what one cell took: parameters, step time, memory.
        informed: whether the styles were read from the photos.
    """

    name: str
    systems: list[str]
    values: Mapping[str, str]
    facts: Mapping[str, Any] = field(default_factory=dict)
    informed: bool = False


def write_grid_report(
    folder: Path, name: str, rows: Sequence[GridRow], results: Results, missing: Mapping[str, str]
) -> Path:
    """Write `report.html`, `table.csv`, `.md` and `.tex`; gives the page's path.

    Args:
        folder: the grid's; its `evaluation/` holds the results and images.
        name: the grid's.
        rows: in order.
        results: of one evaluation of all finished cells.
        missing: cells that are not finished, and their state.
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
        costs=[(row.name, _cost(row.facts)) for row in rows if row.facts and not row.informed],
        differences=list(neighbour_differences(rows, results)),
        scenes=list(_strips(folder / "evaluation", rows, results)),
        missing=missing,
        results=results,
        title=title,
        number=number,
    )
    write_text(folder / "report.html", page)
    return folder / "report.html"


def neighbour_differences(
    rows: Sequence[GridRow], results: Results
) -> list[tuple[str, str, dict[str, Any]]]:
    """For rows that differ in one axis only: names, score, and the difference seed by seed."""
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


def _cost(facts: Mapping[str, Any]) -> list[str]:
    parameters = sum(facts["parameters"].values())
    step, memory = facts["step_seconds"], facts["memory_bytes"]
    return [
        f"{parameters / 1e6:.2f} M",
        "–" if step is None else f"{step:.3f} s",
        "–" if memory is None else f"{memory / 2**30:.2f} GiB",
        str(facts["scenes"]),
        str(facts["steps"]),
        facts["device"],
    ]


def _strips(folder: Path, rows: Sequence[GridRow], results: Results) -> list[dict[str, Any]]:
    """Per shown scene the input, the photo and the first seed's image of every row."""
    strips = []
    for shown in results["shown"]:
        wanted = {"input": "input", **{c: c for c in results["controls"]}}
        wanted |= {row.systems[0]: row.name for row in rows}
        columns = [
            {"name": wanted[key], "picture": image_uri(folder / path)}
            for key, path in shown["pictures"].items()
            if key in wanted
        ]
        strips.append({"name": shown["scene"], "columns": columns})
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
    """Names and cells, controls last; `mean ± half interval` where there are several seeds."""
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
