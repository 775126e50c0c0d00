"""Tables of a study: who was preferred to whom, as the paper's Tables 2 and 4 lay it out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from i2ibench.io.spreadsheets import csv_text
from i2ibench.reports.tables import escaped, latex_table, markdown_table

Analysis = Mapping[str, Any]

COLUMNS = (
    "first", "second", "duration", "n", "preferred_first", "ties", "preferred_second", "rate",
    "low", "high", "wilson_low", "wilson_high", "effective", "p_cluster", "p_cluster_holm",
    "p_binomial", "p_binomial_holm", "n_without_exclusions", "rate_without_exclusions",
)  # fmt: skip


@dataclass(frozen=True)
class Rate:
    """A preference rate as text.

    Attributes:
        text: percent with one digit, or "–".
        bounds: of the cluster interval, such as "61.0 – 68.2", or nothing.
        verdict: "more" or "less" where the interval lies above or below 50 %, or nothing.
    """

    text: str
    bounds: str = ""
    verdict: str = ""


@dataclass(frozen=True)
class Grid:
    """A table of rates: of those who judged the two, the share that preferred the row."""

    head: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Rate]]]


def percent(value: float | None) -> str:
    """A share in percent with one digit."""
    return "–" if value is None else f"{100 * value:.1f}"


def seconds(value: float | None) -> str:
    """An exposure: fractions as the paper writes them."""
    if value is None:
        return "unlimited"
    if value < 1 and abs(1 / value - round(1 / value)) < 1e-9:
        return f"1/{round(1 / value)} s"
    return f"{value:g} s"


def p_text(value: float | None) -> str:
    """A p-value."""
    if value is None:
        return "–"
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}" if value < 0.01 else f"{value:.3f}"


def rate_of(row: Mapping[str, Any], mirrored: bool = False) -> Rate:
    """The cell of a comparison, for its first method or, mirrored, for its second."""
    if row["rate"] is None:
        return Rate("–")
    value, bounds = row["rate"], row["interval"]
    if mirrored:
        value, bounds = 1 - value, bounds and [1 - bounds[1], 1 - bounds[0]]
    if not bounds:
        return Rate(percent(value))
    verdict = "more" if bounds[0] > 0.5 else "less" if bounds[1] < 0.5 else ""
    return Rate(percent(value), f"{percent(bounds[0])} – {percent(bounds[1])}", verdict)


def preference_grid(analysis: Analysis) -> Grid:
    """The main table.

    With limited time a row for each pair and a column for each duration. Otherwise a row and a
    column for each method, in the order of their strengths; where some methods are always named
    first in their pairs and the others always second (ours against the others), only those rows
    and those columns.
    """
    rows = analysis["comparisons"]
    if rows[0]["duration"] is not None:
        return _timed_grid(rows)
    firsts, seconds_ = (list(dict.fromkeys(row[key] for row in rows)) for key in FIRST_SECOND)
    if set(firsts) & set(seconds_):
        firsts = seconds_ = ranked_methods(analysis)
    cells = {(row["first"], row["second"]): rate_of(row) for row in rows}
    cells |= {(row["second"], row["first"]): rate_of(row, mirrored=True) for row in rows}
    lines = [(one, [cells.get((one, other), Rate("–")) for other in seconds_]) for one in firsts]
    return Grid("% preferring the row to …", seconds_, lines)


FIRST_SECOND = ("first", "second")


def _timed_grid(rows: Sequence[Mapping[str, Any]]) -> Grid:
    pairs = list(dict.fromkeys((row["first"], row["second"]) for row in rows))
    times = list(dict.fromkeys(row["duration"] for row in rows))
    cells = {(row["first"], row["second"], row["duration"]): rate_of(row) for row in rows}
    lines = [(f"{a} over {b}", [cells[a, b, t] for t in times]) for a, b in pairs]
    return Grid("% preferring the first, shown for …", [seconds(t) for t in times], lines)


def ranked_methods(analysis: Analysis) -> list[str]:
    """The methods, strongest first (at the longest time); as the study names them if unfitted."""
    fitted = [m["method"] for m in analysis["bradley_terry"][-1]["methods"]]
    named = dict.fromkeys(row[key] for row in analysis["comparisons"] for key in FIRST_SECOND)
    return fitted or list(named)


def study_csv(analysis: Analysis) -> str:
    """Every number of every comparison; rates and bounds are shares from 0 to 1."""
    rows = []
    for row in analysis["comparisons"]:
        low, high = row["interval"] or ("", "")
        wilson = row["wilson"] or ("", "")
        values = {
            **row,
            "low": low,
            "high": high,
            "wilson_low": wilson[0],
            "wilson_high": wilson[1],
        }
        cells = ["" if values[name] is None else values[name] for name in COLUMNS]
        rows.append([*cells, analysis["kind"], analysis["study"]["hash"]])
    return csv_text([*COLUMNS, "participants", "study"], rows)


def study_markdown(analysis: Analysis) -> str:
    """The main table; intervals in brackets."""
    grid = preference_grid(analysis)
    rows = [[name, *(_plain(cell) for cell in cells)] for name, cells in grid.rows]
    return markdown_table([grid.head, *grid.columns], rows, study_caption(analysis))


def study_latex(analysis: Analysis) -> str:
    """The main table for a paper (booktabs)."""
    grid = preference_grid(analysis)
    rows = [[escaped(name), *(_latex(cell) for cell in cells)] for name, cells in grid.rows]
    return latex_table([grid.head, *grid.columns], rows, study_caption(analysis))


def study_caption(analysis: Analysis) -> str:
    """Who answered how often, and in which study."""
    counts, who = analysis["counts"], analysis["kind"]
    who = who.upper() if who == "simulated" else who
    return (
        f"{counts['participants_used']} {who} participants, {counts['judgments_used']} judgments, "
        f"{counts['scenes_used']} scenes, 95 % intervals over participants and scenes; "
        f"study {analysis['study']['hash'][:12]}"
    )


def _plain(cell: Rate) -> str:
    return f"{cell.text} [{cell.bounds}]" if cell.bounds else cell.text


def _latex(cell: Rate) -> str:
    bounds = cell.bounds.replace(" – ", "--")
    return rf"{cell.text} {{\scriptsize [{bounds}]}}" if bounds else cell.text.replace("–", "--")
