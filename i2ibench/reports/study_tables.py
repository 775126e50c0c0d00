"""Tables and sentences of a study's report, in the layout of the paper's Tables 2 and 4."""

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
        text: the percentage with one decimal, or "–".
        bounds: the cluster interval, such as "61.0 – 68.2", or "".
        verdict: "more" or "less" if the interval lies above or below 50 %, else "".
    """

    text: str
    bounds: str = ""
    verdict: str = ""


@dataclass(frozen=True)
class RateTable:
    """A table of rates: the share of the judgments of a pair that preferred the row."""

    head: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[Rate]]]


def percent(value: float | None) -> str:
    """Format a share in 0..1 as a percentage with one decimal and without a sign; "–" for None."""
    return "–" if value is None else f"{100 * value:.1f}"


def seconds(value: float | None) -> str:
    """Format the time an image is shown, such as "1/8 s" or "2 s"; "unlimited" for None."""
    if value is None:
        return "unlimited"
    if value < 1 and abs(1 / value - round(1 / value)) < 1e-9:
        return f"1/{round(1 / value)} s"
    return f"{value:g} s"


def p_text(value: float | None) -> str:
    """Format a p-value for a table; "–" for None."""
    if value is None:
        return "–"
    return "< 0.0001" if value < 1e-4 else f"{value:.4f}" if value < 0.01 else f"{value:.3f}"


def rate_of(row: Mapping[str, Any], mirrored: bool = False) -> Rate:
    """Return the cell of a comparison: the share of judgments that preferred its first method.

    Args:
        row: a comparison of the analysis. The cell is "–" if it has no rate.
        mirrored: return the share that preferred the second method instead.
    """
    if row["rate"] is None:
        return Rate("–")
    value, bounds = row["rate"], row["interval"]
    if mirrored:
        value, bounds = 1 - value, bounds and [1 - bounds[1], 1 - bounds[0]]
    if not bounds:
        return Rate(percent(value))
    verdict = "more" if bounds[0] > 0.5 else "less" if bounds[1] < 0.5 else ""
    return Rate(percent(value), f"{percent(bounds[0])} – {percent(bounds[1])}", verdict)


def preference_grid(analysis: Analysis) -> RateTable:
    """Return the main table of a user study: the rates of all pairs of methods.

    With limited time it has a row for each pair and a column for each duration. Otherwise it has a
    row and a column for each method, in the order of their strengths. If no method is first in one
    pair and second in another (ours against the others), the rows are the first methods and the
    columns the second methods. Cells without a comparison are "–".
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
    return RateTable("% preferring the row to …", seconds_, lines)


FIRST_SECOND = ("first", "second")


def _timed_grid(rows: Sequence[Mapping[str, Any]]) -> RateTable:
    pairs = list(dict.fromkeys((row["first"], row["second"]) for row in rows))
    times = list(dict.fromkeys(row["duration"] for row in rows))
    cells = {(row["first"], row["second"], row["duration"]): rate_of(row) for row in rows}
    lines = [(f"{a} over {b}", [cells[a, b, t] for t in times]) for a, b in pairs]
    return RateTable("% preferring the first, shown for …", [seconds(t) for t in times], lines)


def ranked_methods(analysis: Analysis) -> list[str]:
    """Return the names of a study's methods, strongest first by the Bradley-Terry fit.

    Of several exposure times the longest is taken. Without a fit the methods are in study order.
    """
    fitted = [m["method"] for m in analysis["bradley_terry"][-1]["methods"]]
    named = dict.fromkeys(row[key] for row in analysis["comparisons"] for key in FIRST_SECOND)
    return fitted or list(named)


def study_csv(analysis: Analysis) -> str:
    """Return all numbers of a study's comparisons as CSV, one line each; shares are in 0..1.

    The columns are COLUMNS, the kind of the participants and the hash of the study. Unknown numbers
    are empty.
    """
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
    """Return the main table of a user study in Markdown, with intervals and a caption."""
    grid = preference_grid(analysis)
    rows = [[name, *(_plain(cell) for cell in cells)] for name, cells in grid.rows]
    return markdown_table([grid.head, *grid.columns], rows, study_caption(analysis))


def study_latex(analysis: Analysis) -> str:
    """Return the main table of a user study in LaTeX (booktabs); its caption is a comment."""
    grid = preference_grid(analysis)
    rows = [[escaped(name), *(_latex(cell) for cell in cells)] for name, cells in grid.rows]
    return latex_table([grid.head, *grid.columns], rows, study_caption(analysis))


def study_caption(analysis: Analysis) -> str:
    """Return a text with a study's numbers of participants, judgments and scenes, and its hash.

    Simulated participants are named in capitals.
    """
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


def headline(analysis: Analysis) -> list[str]:
    """Return a few sentences with the main findings of a user study.

    They are about the trend over exposure time, about each pair for one or two pairs, or else about
    the order of the methods. One sentence says so if there is no judgment or no interval.
    """
    rows = [row for row in analysis["comparisons"] if row["rate"] is not None]
    if not rows:
        return ["No judgment is left to analyse."]
    if all(row["interval"] is None for row in rows):
        used, scenes = (analysis["counts"][f"{what}_used"] for what in ("participants", "scenes"))
        return [
            f"Participants: {used}, scenes: {scenes}. That is too few for intervals: nothing can "
            "be said of other people and other scenes."
        ]
    if rows[0]["duration"] is not None:
        return [_over_time(analysis, slope) for slope in analysis["exposure"]] or [
            _one_rate(row) for row in rows
        ]
    if len(rows) <= 2:
        return [_one_rate(row) for row in rows]
    return _order(analysis) + [_number_clear(rows)]


def _one_rate(row: Mapping[str, Any]) -> str:
    cell = rate_of(row)
    time = "" if row["duration"] is None else f" shown for {seconds(row['duration'])}"
    interval = f" (95 % interval {cell.bounds})" if cell.bounds else ""
    verdict = "" if cell.verdict else ", which may be no preference at all"
    return (
        f"{row['first']} was preferred to {row['second']} in {cell.text} % of {row['n']} "
        f"judgments{time}{interval}{verdict}."
    )


def _order(analysis: Analysis) -> list[str]:
    methods = analysis["bradley_terry"][0]["methods"]
    if not methods:
        return []
    close = [
        f"{one['method']} and {other['method']}"
        for one, other in zip(methods, methods[1:], strict=False)
        if not one["ahead_interval"] or one["ahead_interval"][0] <= 0
    ]
    lines = [f"From most to least preferred: {', '.join(ranked_methods(analysis))}."]
    return lines + ([f"Neighbours not told apart: {'; '.join(close)}."] if close else [])


def _number_clear(rows: list[Any]) -> str:
    clear = sum(r["p_cluster_holm"] is not None and r["p_cluster_holm"] < 0.05 for r in rows)
    return (
        f"Pairs that differ from 50 %: {clear} of {len(rows)}, at the 5 % level with Holm's "
        "correction for all of them."
    )


def _over_time(analysis: Analysis, slope: Mapping[str, Any]) -> str:
    """Return a sentence on how the preference in one pair of methods changes with exposure time."""
    pair = (slope["first"], slope["second"])
    rows = [r for r in analysis["comparisons"] if (r["first"], r["second"]) == pair]
    rows = sorted((r for r in rows if r["rate"] is not None), key=lambda r: r["duration"])
    if not rows or slope["slope"] is None:
        return f"{pair[0]} over {pair[1]}: no judgments."
    trend = "no clear trend"
    if slope["p_holm"] is not None and slope["p_holm"] < 0.05:
        trend = "grows with time" if slope["slope"] > 0 else "falls with time"
    ends = [f"{percent(r['rate'])} % at {seconds(r['duration'])}" for r in (rows[0], rows[-1])]
    return f"{pair[0]} over {pair[1]}: {ends[0]}, {ends[1]}; {trend}."


def rule_lines(analysis: Analysis) -> list[tuple[str, str, int]]:
    """Return the exclusion rules of a study: what is excluded, the rule as text, and the count.

    Participants are excluded by the first rules, single judgments by the others. Rules that are
    switched off are listed too and say so.
    """
    exclusion = analysis["exclusion"]
    rules = exclusion["rules"]
    people = {
        "no_consent": "no consent given",
        "catch": _fewer(rules["min_catch_correct"], "catch trials right"),
        "repeats": _fewer(rules["min_repeat_agreement"], "repeats as the first time"),
        "answered": _fewer(rules["min_answered"], "main trials answered"),
        "one_side": f"one side in more than {100 * rules['max_one_side']:g} % of the main trials",
    }
    trials = {
        "too_quick": f"answered within {rules['min_response_ms']:g} ms of being able to",
        "exposure_off": f"exposure off by more than {rules['exposure_tolerance_ms']:g} ms "
        "and half a frame, or not measured",
        "unfocused": f"the page lost the focus{'' if rules['drop_unfocused'] else OFF}",
        "seen_again": "shown again after a reload, with limited time",
    }
    lines = [("participants", text, exclusion["participants"][key]) for key, text in people.items()]
    return lines + [
        ("judgments", text, exclusion["judgments"][key]) for key, text in trials.items()
    ]


OFF = " (rule switched off)"


def _fewer(share: float, what: str) -> str:
    return f"fewer than {100 * share:g} % of the {what}" if share else what + OFF
