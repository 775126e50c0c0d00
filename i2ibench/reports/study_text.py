"""Sentences of a study's report: what was found, and which rules left out what."""

from collections.abc import Mapping
from typing import Any

from i2ibench.reports.study_tables import percent, ranked_methods, rate_of, seconds

Analysis = Mapping[str, Any]


def headline(analysis: Analysis) -> list[str]:
    """What was found, in a few sentences."""
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
    """How one pair's preference goes with the time."""
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
    """Every rule of exclusion: what it left out, in words, and how many."""
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
