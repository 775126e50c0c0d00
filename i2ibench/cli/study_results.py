"""What `study` does with answers: analysis, report, and the power that more of them would have."""

import argparse
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from i2ibench.apps.study.analyse.analysis import analyse, write_analysis
from i2ibench.apps.study.analyse.power import Clusters, Question, power_lines, study_question
from i2ibench.apps.study.collect.store import AnswerStore
from i2ibench.apps.study.define.definition import Definition, load_definition
from i2ibench.apps.study.define.study import Study, open_study
from i2ibench.reports.study_page import write_study_report


def analyse_study(options: argparse.Namespace) -> None:
    """Write analysis.json: preferences with intervals, exclusions, everything else."""
    study = open_study(options.folder)
    _analyse(study, options)
    print(f"analysis: {study.folder / 'analysis.json'}")


def report_study(options: argparse.Namespace) -> None:
    """Analyse, and write report.html with the tables and plots, and the tables as CSV, MD, TeX."""
    study = open_study(options.folder)
    path = write_study_report(study.folder, _analyse(study, options), study.image_path)
    print(f"report: {path}")


def _analyse(study: Study, options: argparse.Namespace) -> dict[str, Any]:
    with AnswerStore(study) as store:
        collected = store.collected()
    analysis = analyse(study, collected, options.participants)
    write_analysis(study.folder / "analysis.json", analysis)
    return analysis


def power(options: argparse.Namespace) -> None:
    """Say how many judgments and participants it takes to tell a preference from none.

    Of a study (its folder or file), or of the numbers that are given.
    """
    clusters = {"per_participant": 10, "scenes": 500}
    question, participants = Question(), None
    if options.folder is not None:
        definition, scenes = _planned(options.folder)
        clusters = {"per_participant": definition.per_pair, "scenes": scenes or 500}
        question, participants = study_question(definition), definition.participants
        if not scenes and options.scenes is None:
            print("The study file says no number of scenes: 500 are assumed (--scenes).")
    lines = power_lines(
        Clusters(**clusters | _given(options, Clusters)),
        replace(question, **_given(options, Question)),
        options.participants or participants,
    )
    print("\n".join(lines))


def _given(options: argparse.Namespace, kind: type) -> dict[str, Any]:
    """Those fields of a dataclass that the command line says."""
    named = {f.name: getattr(options, f.name) for f in fields(kind)}
    return {name: value for name, value in named.items() if value is not None}


def _planned(path: Path) -> tuple[Definition, int]:
    """The definition of a study, from its folder or file, and its number of scenes or 0."""
    if path.is_dir():
        study = open_study(path)
        return study.definition, len(study.scenes)
    definition = load_definition(path)
    return definition, definition.scenes.number
