"""Tables: marks, intervals and formats say what the results say."""

import csv
import io

import pytest

from i2ibench.reports import tables
from i2ibench.reports.verdicts import verdicts


def score(value, low=None, high=None):
    bounds = {"low": low, "high": high} if low is not None else {}
    return {"value": value, "n": 9, "status": "ok", **bounds}


@pytest.fixture
def results():
    missing = {"value": None, "status": "not computed", "reason": "no file"}
    return {
        "protocol": {"name": "p", "sha256": "abc" * 20},
        "data": {"scenes": 9},
        "systems": {
            "ours": {"seg/miou": score(0.6, 0.5, 0.7), "lpips_alex": score(0.2), "fid": missing},
            "tied_1": {"seg/miou": score(0.59, 0.5, 0.7), "lpips_alex": score(0.1)},
            "worse": {"seg/miou": score(0.3, 0.2, 0.4), "lpips_alex": score(0.4)},
            "oracle": {"seg/miou": score(0.9, 0.8, 0.95)},
        },
        "controls": ["oracle"],
        "unranked": ["oracle"],
        "better": {"seg/miou": "higher", "lpips_alex": "lower"},
        "differences": [
            {"score": "seg/miou", "systems": ["ours", "tied_1"], "interval": [-0.01, 0.03]},
            {"score": "seg/miou", "systems": ["ours", "worse"], "interval": [0.2, 0.4]},
            {"score": "lpips_alex", "systems": ["ours", "tied_1"], "interval": [0.05, 0.15]},
        ],
        "notes": ["a note"],
    }


def test_only_an_interval_of_the_difference_makes_a_winner(results):
    marks = {name: tables.rank(results, name, "seg/miou") for name in results["systems"]}
    assert marks == {"ours": "best", "tied_1": "tied", "worse": "", "oracle": ""}
    assert tables.rank(results, "tied_1", "lpips_alex") == "best"


def test_sentences_name_the_best_system_and_those_that_may_be_equally_good(results):
    assert verdicts(results) == [
        "mean IoU: ours is best (0.6000); tied_1 (0.5900) may be equally good.",
        "LPIPS (alex): tied_1 is best (0.1000); worse (0.4000) may be equally good.",
    ]  # nobody compared `worse` with the best by LPIPS
    results["differences"].append(
        {"score": "lpips_alex", "systems": ["tied_1", "worse"], "interval": [-0.4, -0.2]}
    )
    assert verdicts(results)[1] == (
        "LPIPS (alex): tied_1 is best (0.1000), by the paired interval."
    )
    results["unranked"] = [name for name in results["systems"] if name != "ours"]
    assert verdicts(results) == []


def test_every_number_is_in_the_csv_with_its_protocol(results):
    lines = list(csv.DictReader(io.StringIO(tables.as_csv(results))))
    ours = next(r for r in lines if r["system"] == "ours" and r["score"] == "seg/miou")
    assert (ours["value"], ours["low"], ours["status"]) == ("0.6", "0.5", "ok")
    missing = next(r for r in lines if r["score"] == "fid")
    assert missing["status"] == "not computed" and missing["value"] == ""
    assert {r["protocol"] for r in lines} == {"abc" * 20}


def test_markdown_and_latex_mark_the_best_and_set_controls_apart(results):
    markdown, latex = tables.as_markdown(results), tables.as_latex(results)
    assert "| ours | **0.6000** | 0.2000 |" in markdown
    assert "| *oracle* | 0.9000 | – |" in markdown and "0.5900 ≈" in markdown
    assert r"tied\_1 & 0.5900$^\dagger$ & \textbf{0.1000} \\" in latex
    assert r"\textit{oracle}" in latex and "protocol p abcabc" in latex


def test_the_terminal_names_what_is_missing_and_why(results):
    lines = tables.score_lines(results)
    assert "FID: not computed: no file" in lines and "note: a note" in lines


def test_names_stay_what_they_are_in_both_formats():
    head, rows = ["a_b", "50 %"], [["x|y", "1"]]
    assert tables.markdown_table(head, rows, "below").splitlines() == [
        "| a_b | 50 % |", "| --- | --- |", r"| x\|y | 1 |", "", "below",
    ]  # fmt: skip
    latex = tables.latex_table(head, [[tables.escaped(r"{x}^~\_"), "1"]], "above").splitlines()
    assert latex[:2] == ["% above", r"\begin{tabular}{lr}"] and latex[3] == r"a\_b & 50 \% \\"
    assert latex[5] == r"\{x\}\textasciicircum{}\textasciitilde{}\textbackslash{}\_ & 1 \\"
