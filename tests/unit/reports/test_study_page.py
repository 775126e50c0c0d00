"""The report of a study says who answered, and its tables say what the analysis says."""

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2ibench.apps.study.analyse.analysis import analyse
from i2ibench.apps.study.analyse.simulation import Crowd, simulate
from i2ibench.apps.study.answers import Collected
from i2ibench.reports.published import published_preferences
from i2ibench.reports.study_charts import CHARTS, DARK
from i2ibench.reports.study_page import render_study, write_study_report
from i2ibench.reports.study_tables import (
    headline,
    p_text,
    preference_grid,
    rule_lines,
    seconds,
    study_csv,
    study_latex,
    study_markdown,
)
from tests.unit.apps.study.crowds import study_of

STRENGTHS = {"ours": 1.2, "crn": -0.6, "photos": 1.3, "pix_2": -1.0}


def analysed(study, participants=12, real=False, **crowd):
    collected = simulate(study, Crowd(STRENGTHS, **crowd), participants)
    if real:
        people = [replace(p, simulated=False) for p in collected.participants]
        collected = Collected(people, collected.answers)
    return analyse(study, collected, draws=100)


@pytest.fixture(scope="module")
def unlimited():
    study = study_of(
        ("ours", "crn", "photos"), title="Streets <script>alert(1)</script>", ties=True
    )
    return analysed(study, tie_width=0.4)


@pytest.fixture(scope="module")
def timed():
    return analysed(study_of(durations=[0.125, 1.0, 8.0], per_pair=4), exposure_scale=1.0)


@pytest.fixture(scope="module")
def page(unlimited, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    pixels = np.random.default_rng(0).integers(0, 255, (8, 16, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "one.png")

    def image(method, scene):
        return folder / ("none.png" if method == "crn" else "one.png")

    path = write_study_report(folder, unlimited, image)
    assert sorted(p.name for p in folder.glob("table.*")) == ["table.csv", "table.md", "table.tex"]
    return path.read_text()


def test_a_page_of_simulated_participants_says_so_first(page):
    banner = page.index("SIMULATED PARTICIPANTS")
    assert banner < page.index('class="found"') and "12 programs answered" in page
    assert "real participants</b>" not in page and "(simulated)" in page[: page.index("</title>")]


def test_a_page_of_real_participants_says_how_many():
    text = render_study(
        analysed(study_of(("ours", "crn")), 5, real=True), lambda m, s: Path("none")
    )
    assert "5 real participants</b>" in text and "SIMULATED" not in text


def test_the_page_needs_nothing_from_outside(page):
    sources = re.findall(r'(?:src|srcset|href)="([^"]*)"', page)
    assert len(sources) > 6 and all(s.startswith("data:image/png;base64,") for s in sources)
    assert "<script" not in page and "@import" not in page and "url(" not in page


def test_names_are_escaped_and_missing_images_are_said(page):
    assert "Streets &lt;script&gt;" in page
    assert "image missing" in page and 'alt="ours, scene_' in page


def test_published_figures_stand_apart_and_say_how_they_were_seen(page):
    other = page.index('class="other"')
    assert page.index("93.8") > other and "with other images and other participants" in page[other:]
    assert "(recalled)" in page[other:] and "(paper)" in page[other:]
    assert {row["seen"] for row in published_preferences()} == {"recalled", "paper"}


def test_the_page_holds_what_is_needed_to_repeat_the_study(page, unlimited):
    assert unlimited["study"]["hash"] in page and "min_catch_correct" in page
    assert "scene_029" in page and "numpy" in page


def test_methods_that_all_met_stand_in_rows_and_columns_strongest_first(unlimited):
    grid = preference_grid(unlimited)
    assert list(grid.columns) == [name for name, _ in grid.rows] == ["photos", "ours", "crn"]
    for i in range(3):
        assert grid.rows[i][1][i].text == "–"
        for j in range(i):
            one, other = grid.rows[i][1][j], grid.rows[j][1][i]
            assert float(one.text) + float(other.text) == pytest.approx(100, abs=0.11)
            assert {one.verdict, other.verdict} in ({""}, {"more", "less"})
    best = grid.rows[1][1][2]
    assert best.verdict == "more" and float(best.bounds.split(" – ")[0]) > 50


def test_ours_against_the_others_is_laid_out_as_the_papers_table():
    pairs = [["ours", "pix_2"], ["ours", "crn"], ["photos", "pix_2"], ["photos", "crn"]]
    study = study_of(("ours", "photos", "pix_2", "crn"), pairs=pairs)
    analysis = analysed(study)
    grid = preference_grid(analysis)
    assert [name for name, _ in grid.rows] == ["ours", "photos"]
    assert list(grid.columns) == ["pix_2", "crn"]
    row = analysis["comparisons"][0]
    assert grid.rows[0][1][0].text == f"{100 * row['rate']:.1f}"
    assert r"pix\_2" in study_latex(analysis) and "SIMULATED participants" in study_latex(analysis)
    assert "| ours | " in study_markdown(analysis)


def test_limited_time_has_a_column_for_each_duration(timed):
    grid = preference_grid(timed)
    assert list(grid.columns) == ["1/8 s", "1 s", "8 s"]
    assert [name for name, _ in grid.rows] == [
        "ours over crn",
        "ours over photos",
        "crn over photos",
    ]
    text = render_study(timed, lambda m, s: Path("none"))
    assert "change per doubling" in text and "limited time, 3 durations" in text


def test_charts_are_drawn_where_there_is_something_to_draw(unlimited, timed):
    drawn = {name: bool(draw(unlimited, DARK)) for name, draw in CHARTS.items()}
    assert drawn == {
        "preferences": True, "strengths": True, "exposure": False, "strength_curves": False,
    }  # fmt: skip
    drawn = {name: draw(timed, DARK)[:4] for name, draw in CHARTS.items()}
    assert drawn == {
        "preferences": b"", "strengths": b"",
        "exposure": b"\x89PNG", "strength_curves": b"\x89PNG",
    }  # fmt: skip


def test_the_csv_holds_every_number(unlimited):
    rows = list(csv.DictReader(io.StringIO(study_csv(unlimited))))
    for row, known in zip(rows, unlimited["comparisons"], strict=True):
        assert (row["first"], row["second"], row["participants"]) == (
            known["first"], known["second"], "simulated",
        )  # fmt: skip
        assert float(row["rate"]) == known["rate"] and float(row["low"]) == known["interval"][0]
        assert row["duration"] == "" and row["study"] == unlimited["study"]["hash"]


def test_the_headline_says_what_was_found(unlimited, timed):
    lines = headline(unlimited)
    assert lines[0] == "From most to least preferred: photos, ours, crn."
    assert lines[1] == "Neighbours not told apart: photos and ours."
    assert lines[2].startswith("Pairs that differ from 50 %: 2 of 3")
    assert re.match(
        r"ours over crn: [\d.]+ % at 1/8 s, [\d.]+ % at 8 s; grows with time", headline(timed)[0]
    )
    alone = headline(analysed(study_of(("ours", "crn"))))
    assert re.match(r"ours was preferred to crn in [\d.]+ % of 72 judgments \(95 %", alone[0])


def test_rules_are_said_with_their_numbers(unlimited):
    texts = {text: (what, count) for what, text, count in rule_lines(unlimited)}
    assert texts["fewer than 75 % of the catch trials right"] == ("participants", 0)
    assert any("repeats" in text and "switched off" in text for text in texts)


def test_a_study_without_usable_answers_has_a_page(tmp_path):
    path = write_study_report(
        tmp_path, analysed(study_of(), missing=1.0), lambda m, s: Path("none")
    )
    assert "No judgment is left to analyse." in path.read_text()


@pytest.mark.parametrize("value, text", [
    (None, "–"), (0.00002, "< 0.0001"), (0.0049, "0.0049"), (0.21, "0.210"), (1.0, "1.000"),
])  # fmt: skip
def test_p_values_as_text(value, text):
    assert p_text(value) == text


@pytest.mark.parametrize("value, text", [
    (0.125, "1/8 s"), (0.3, "0.3 s"), (8.0, "8 s"), (None, "unlimited"),
])  # fmt: skip
def test_exposures_as_text(value, text):
    assert seconds(value) == text


def test_one_participant_makes_no_ranking():
    (line,) = headline(analysed(study_of(("ours", "crn", "photos")), participants=1))
    assert line.startswith("Participants: 1, scenes: ") and "too few for intervals" in line
