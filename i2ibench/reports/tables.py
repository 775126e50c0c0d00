"""Tables of results: for a terminal, as CSV, Markdown and LaTeX, and as cells of a page."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from i2ibench.io.spreadsheets import csv_text

TITLES = {
    "seg/pixel_acc": "pixel accuracy",
    "seg/pixel_acc_void_err": "pixel accuracy, void as error",
    "seg/miou": "mean IoU",
    "seg/miou_void_err": "mean IoU, void as error",
    "seg/miou_zero_absent": "mean IoU, absent classes 0",
    "seg/rel_miou": "mean IoU / oracle",
    "seg/rel_pixel_acc": "pixel accuracy / oracle",
    "seg/mean_acc": "mean class accuracy",
    "seg/fwiou": "frequency-weighted IoU",
    "seg/classes_counted": "classes counted",
    "edge/bf1": "boundary F1",
    "edge/inst_auc_sobel": "borders between objects (AUC)",
    "edge/inst_pixels": "pixels of such borders",
    "inst/iiou": "instance-weighted IoU",
    "fid": "FID",
    "kid": "KID",
    "fid_legacy": "FID, legacy",
    "kid_legacy": "KID, legacy",
    "lpips_alex": "LPIPS (alex)",
    "lpips_vgg": "LPIPS (vgg)",
    "div/lpips_alex": "diversity (LPIPS alex)",
    "checkerboard/2": "energy at 2 pixels / photos",
    "checkerboard/4": "energy at 4 pixels / photos",
    "checkerboard/8": "energy at 8 pixels / photos",
    "psnr": "PSNR, dB",
    "ssim": "SSIM",
    "rmse": "RMSE",
    "mae": "MAE",
    "distribution": "FID and KID",
    "distribution_legacy": "FID and KID, legacy",
    "lpips": "LPIPS",
    "diversity": "diversity (LPIPS)",
    "objects": "FID and KID of objects",
    "edges": "borders between objects",
    "pixels": "PSNR and SSIM",
    "segmentation": "segmentation scores",
    "psnr_identical": "identical images",
    "inst/recall50_S": "small objects found",
    "inst/recall50_M": "medium objects found",
    "inst/recall50_L": "large objects found",
    "style/r2": "style: colour from features (R²)",
    "style/acc": "style: names from features",
    "style/purity": "style: purity of modes",
    "style/hit": "style: intended colour reached",
    "style/hit_chance": "style: the same by chance",
    "style/hit_photos": "style: the same of photos",
    "style/hit_levelled": "style: intended colour reached, light levelled",
    "style/kept": "style: rest kept",
    "style/control": "style control",
    "style/control_levelled": "style control, light levelled",
    "style/change": "style: change inside, levels",
    "style/leakage": "style: change elsewhere, levels",
    "style/pictures": "style: images of the control test",
    "div/colour": "diversity (colour, levels)",
    "div/colour_photos": "diversity of photos (colour, levels)",
}


def title(score: str) -> str:
    """Return the readable title of a score or metric, or its name if it has none."""
    return TITLES.get(score, score)


Results = Mapping[str, Any]

MAIN = (
    "seg/pixel_acc", "seg/pixel_acc_void_err", "seg/miou", "seg/rel_miou", "seg/mean_acc",
    "edge/bf1", "inst/iiou", "edge/inst_auc_sobel", "style/control",
)  # fmt: skip
"""The scores of the main table; distances of distributions are added after them."""

_OF_A_CLASS = re.compile(r"seg/iou/|seg/acc/|crop_|style/\w+/")


@dataclass(frozen=True)
class ScoreCell:
    """A number in a table.

    Attributes:
        text: the value.
        bounds: the interval, or "".
        mark: "best", "tied" (the difference from the best may be zero) or "".
        hint: a warning, or a description of the interval.
    """

    text: str
    bounds: str = ""
    mark: str = ""
    hint: str = ""


def list_scores(results: Results) -> list[str]:
    """Return the names of all scores that were computed for at least one system.

    They are in the order of their first appearance. Scores of single classes are left out. An
    undefined value counts as computed.
    """
    names: dict[str, None] = {}
    for scores in results["systems"].values():
        names |= dict.fromkeys(n for n, s in scores.items() if s["status"] == "ok")
    return [name for name in names if not _OF_A_CLASS.match(name)]


def main_scores(results: Results) -> list[str]:
    """Return the names of the main table's columns: scores of MAIN, then other ranked scores.

    Scores that no system has are left out. Of the segmentation, border, instance and style scores
    only those of MAIN are taken. The accuracy with void pixels as errors is left out if it equals
    the accuracy for all systems.
    """
    known = list_scores(results)
    if all(
        _equal(s, "seg/pixel_acc", "seg/pixel_acc_void_err") for s in results["systems"].values()
    ):
        known = [name for name in known if name != "seg/pixel_acc_void_err"]  # there is no void
    groups = ("seg/", "edge/", "inst/", "style/")
    others = [n for n in known if not n.startswith(groups) and n in results["better"]]
    return [name for name in MAIN if name in known] + others


def _equal(scores: Mapping[str, Any], one: str, other: str) -> bool:
    return bool(scores.get(one, {}).get("value") == scores.get(other, {}).get("value"))


def cell(results: Results, system: str, score: str) -> ScoreCell:
    """Return the text, interval and mark of a system's score in a table.

    The text is "–" if the system has no entry for the score, the entry's status if it was not
    computed, and "undefined" if it has no value.
    """
    found = results["systems"][system].get(score)
    if found is None:
        return ScoreCell("–")
    if found["status"] != "ok":
        return ScoreCell(found["status"], hint=found.get("reason", ""))
    if found["value"] is None:
        return ScoreCell("undefined")
    hint = found.get("warning", "") or found.get("spread", "")
    bounds = ""
    if "low" in found:
        bounds = f"{number(found['low'])} – {number(found['high'])}"
        hint = hint or "95 % interval, bootstrap over scenes"
    return ScoreCell(number(found["value"]), bounds, rank(results, system, score), hint)


def number(value: float) -> str:
    """Format a value for a table: four decimals, two from 10 on, six below 0.01.

    Whole numbers from 1 on have no decimals.
    """
    if float(value).is_integer() and abs(value) >= 1:
        return f"{int(value)}"
    if 0 < abs(value) < 0.01:
        return f"{value:.6f}"
    return f"{value:.4f}" if abs(value) < 10 else f"{value:.2f}"


def rank(results: Results, system: str, score: str) -> str:
    """Return "best" for the system with the best value of a score, "tied", or "" for the others.

    "tied": the interval of the paired difference from the best contains zero, or is unknown. The
    result is always "" for systems that are not ranked (control systems, styles from the real
    image), for fewer than two ranked values, and for scores without a direction or without
    intervals of differences, such as FID.
    """
    direction = results["better"].get(score)
    values = {
        name: scores[score]["value"]
        for name, scores in results["systems"].items()
        if name not in results["unranked"] and scores.get(score, {}).get("value") is not None
    }
    if direction is None or system not in values or len(values) < 2:
        return ""
    compared = [found for found in results["differences"] if found["score"] == score]
    if not compared:  # distances of distributions have no paired intervals and no marks
        return ""
    best = (max if direction == "higher" else min)(values, key=lambda name: values[name])
    if system == best:
        return "best"
    for found in compared:
        if set(found["systems"]) == {system, best}:
            low, high = found["interval"]
            return "tied" if low <= 0 <= high else ""
    return "tied"


def missing_metrics(results: Results) -> dict[str, str]:
    """Return by titles of scores the reason why they were not computed for a system.

    Scores with the same reason share a key, such as "LPIPS, diversity (LPIPS)".
    """
    by_reason: dict[str, dict[str, None]] = {}
    for scores in results["systems"].values():
        for name, score in scores.items():
            if score["status"] == "not computed":
                by_reason.setdefault(score["reason"], {})[title(name)] = None
    return {", ".join(names): reason for reason, names in by_reason.items()}


def score_lines(results: Results) -> list[str]:
    """Return lines of text for a terminal: main scores by system, missing scores, and notes."""
    lines = [f"protocol {results['protocol']['name']}, {results['data']['scenes']} scenes"]
    for system in results["systems"]:
        lines.append(system)
        for score in main_scores(results):
            found = cell(results, system, score)
            if found.text != "–":
                bounds = f"  [{found.bounds}]" if found.bounds else ""
                lines.append(f"  {title(score):32} {found.text}{bounds}")
    lines += [f"{name}: not computed: {why}" for name, why in missing_metrics(results).items()]
    return lines + [f"note: {note}" for note in results["notes"]]


def as_csv(results: Results) -> str:
    """Return every score of every system as CSV, one line each.

    The columns are system, score, value, low, high, n, status, protocol. The last column is the
    hash of the protocol. Fields without a number are empty.
    """
    keys = ("value", "low", "high", "n", "status")
    rows = []
    for system, scores in results["systems"].items():
        for name, score in scores.items():
            values = [score.get(key, "") for key in keys]
            rows.append([system, name, *values, results["protocol"]["sha256"]])
    return csv_text(["system", "score", *keys, "protocol"], rows)


def as_markdown(results: Results) -> str:
    """Return the main table of an evaluation in Markdown.

    The best value is bold, ≈ marks ties with it. Control systems, such as the real photos, are in
    italics. A caption is below.
    """
    scores = main_scores(results)
    rows = []
    for system in results["systems"]:
        texts = [_format_mark(cell(results, system, s), "**{}**", "{} ≈") for s in scores]
        rows.append([_format_control(results, system, "*{}*"), *texts])
    return markdown_table(["system", *map(title, scores)], rows, caption(results))


def as_latex(results: Results) -> str:
    """Return the main table of an evaluation in LaTeX.

    The best value is bold, † marks ties with it. Control systems, such as the real photos, are in
    italics. A caption is in a comment.
    """
    scores = main_scores(results)
    rows = []
    for system in results["systems"]:
        best, tied = r"\textbf{{{}}}", r"{}$^\dagger$"
        texts = [_format_mark(cell(results, system, s), best, tied) for s in scores]
        rows.append([_format_control(results, escaped(system), r"\textit{{{}}}", system), *texts])
    return latex_table(["system", *map(title, scores)], rows, caption(results))


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]], below: str) -> str:
    """Return a table in Markdown with a line of text below; "|" in cells is escaped.

    Args:
        head: the titles of the columns.
        rows: the cells of each row.
        below: the text.
    """
    lines = [_row(head), _row(["---"] * len(head)), *map(_row, rows)]
    return "\n".join([*lines, "", below, ""])


def latex_table(head: Sequence[str], rows: Iterable[Sequence[str]], above: str) -> str:
    """Return a table in LaTeX (booktabs): first column to the left, others to the right.

    The head is escaped. The cells of rows are not escaped, because they may contain commands.

    Args:
        head: the titles of the columns.
        rows: the cells of each row.
        above: a text for a comment above the table.
    """
    columns = "l" + "r" * (len(head) - 1)
    first, *others = [" & ".join(cells) + r" \\" for cells in (map(escaped, head), *rows)]
    lines = [f"% {above}", rf"\begin{{tabular}}{{{columns}}}", r"\toprule", first, r"\midrule"]
    return "\n".join([*lines, *others, r"\bottomrule", r"\end{tabular}", ""])


def escaped(text: str) -> str:
    """Return a text with LaTeX's special characters escaped."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(c) or (f"\\{c}" if c in "%&_#${}" else c) for c in text)


def caption(results: Results) -> str:
    """Return a text with an evaluation's number of scenes, and its protocol with a short hash."""
    hash_ = results["protocol"]["sha256"][:12]
    return f"{results['data']['scenes']} scenes, protocol {results['protocol']['name']} {hash_}"


def _format_mark(found: ScoreCell, best: str, tied: str) -> str:
    return {"best": best, "tied": tied}.get(found.mark, "{}").format(found.text)


def _format_control(results: Results, text: str, pattern: str, system: str | None = None) -> str:
    return pattern.format(text) if (system or text) in results["controls"] else text


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
