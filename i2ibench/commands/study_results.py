"""What `study` does with answers: analysis, report, and the power that more of them would have."""

import argparse
from pathlib import Path
from typing import Any

from i2ibench.report.study_page import write_study_report
from i2ibench.study.analysis import analyse, write_analysis
from i2ibench.study.definition import Definition
from i2ibench.study.power import Clusters, Question, power_lines, study_question
from i2ibench.study.store import Store
from i2ibench.study.study import NOTE, Study, open_study
from i2ibench.study.study_file import load_definition


def analyse_study(options: argparse.Namespace) -> None:
    """Write analysis.json: preferences with intervals, exclusions, everything else."""
    study = open_study(options.folder)
    _analyse(study, options)
    print(f"analysis: {study.folder / 'analysis.json'}")


def report_study(options: argparse.Namespace) -> None:
    """Analyse, and write report.html with the tables and plots, and the tables as CSV, MD, TeX."""
    study = open_study(options.folder)
    path = write_study_report(study.folder, _analyse(study, options), study.picture)
    print(f"report: {path}")


def _analyse(study: Study, options: argparse.Namespace) -> dict[str, Any]:
    with Store(study) as store:
        collected = store.collected()
    analysis = analyse(study, collected, options.participants)
    write_analysis(study.folder / "analysis.json", analysis)
    return analysis


def power(options: argparse.Namespace) -> None:
    """Say how many judgments and participants it takes to tell a preference from none.

    Of a study (its folder or file), or of the numbers that are given.
    """
    definition, scenes = _planned(options.folder)
    per_participant, participants = options.per_participant or 10, options.participants
    asked = Question(options.alpha or 0.05, options.power or 0.8, options.comparisons or 1)
    if definition is not None:
        per_participant = options.per_participant or definition.per_pair
        participants = options.participants or definition.participants
        if options.comparisons is None:
            asked = study_question(definition, asked.alpha, asked.power)
    clusters = Clusters(
        per_participant,
        options.scenes or scenes or 500,
        0.05 if options.participant_share is None else options.participant_share,
        0.05 if options.scene_share is None else options.scene_share,
    )
    print("\n".join(power_lines(clusters, asked, participants)))


def _planned(path: Path | None) -> tuple[Definition | None, int]:
    """The definition of a study and its number of scenes; (None, 0) without one."""
    if path is None:
        return None, 0
    if (path / NOTE).is_file() or path.is_dir():
        study = open_study(path)
        return study.definition, len(study.scenes)
    definition = load_definition(path)
    return definition, definition.scenes.number
