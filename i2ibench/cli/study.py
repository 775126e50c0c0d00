"""The human perceptual study: which of two images do people find more realistic?

study create STUDY.py         choose scenes, translate them, make the study's folder
study serve FOLDER            the page for participants
study report FOLDER           what they preferred, with intervals, tables and plots
study power                   how many judgments tell 55 % from 50 %
"""

import argparse
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from i2ibench.cli import study_collecting as collecting
from i2ibench.cli import study_results as results
from i2ibench.cli.arguments import (
    Values,
    add_address_arguments,
    add_device_argument,
    positive,
)
from i2ibench.cli.plugin_option import PLUGIN_OPTION
from i2ibench.registry.compat import silence_third_parties

ACTIONS = True
"""Each action has a parser of its own; their arguments do not mix with the command's."""

CROWD = "such as lapse=0.05 side_bias=0.2 participant_sd=0.5 scene_sd=0.5 missing=0.02 seed=1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    actions = parser.add_subparsers(metavar="ACTION", required=True, title="actions")

    def action(name: str, act: Callable[..., None]) -> argparse.ArgumentParser:
        text = inspect.getdoc(act) or ""
        form = argparse.RawDescriptionHelpFormatter
        made: argparse.ArgumentParser = actions.add_parser(
            name, help=text.partition("\n")[0], description=text, formatter_class=form,
            parents=[PLUGIN_OPTION],
        )  # fmt: skip
        made.set_defaults(act=act)
        return made

    _add_create(action("create", collecting.create))
    _add_serve(_of_folder(action("serve", collecting.serve_study)))
    _of_folder(action("status", collecting.status))
    _add_simulate(_of_folder(action("simulate", collecting.simulate)))
    _add_export(_of_folder(action("export", collecting.export)))
    added = _of_folder(action("import", collecting.add_answers))
    added.add_argument("files", type=Path, nargs="+", metavar="FILE", help=".json or MTurk's .csv")
    forget = _of_folder(action("forget", collecting.forget))
    forget.add_argument("token", nargs="?", help="of a participant")
    forget.add_argument("--simulated", action="store_true", help="all simulated participants")
    for name, act in (("analyse", results.analyse_study), ("report", results.report_study)):
        _of_folder(action(name, act)).add_argument(
            "--participants", choices=("real", "simulated"),
            help="whose answers; real and simulated ones are never analysed together",
        )  # fmt: skip
    _add_power(action("power", results.power))


def run(options: argparse.Namespace) -> None:
    """Do what the action says."""
    silence_third_parties()
    options.act(options)


def _of_folder(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("folder", type=Path, help="the study that `create` made")
    return parser


def _add_create(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", type=Path, help="a study file, such as configs/studies/x.py")
    parser.add_argument("--output", type=Path, help="work_dirs/studies/<name of the study file>")
    add_device_argument(parser)


def _add_serve(parser: argparse.ArgumentParser) -> None:
    add_address_arguments(parser)
    parser.add_argument(
        "--public-url", default="", metavar="URL",
        help="the page's address where a proxy stands before this server, with its path",
    )  # fmt: skip
    parser.add_argument(
        "--results-key", type=Path, metavar="FILE",
        help="whoever knows this file's first line may read /results from elsewhere; without it "
        "they are read on this machine only",
    )  # fmt: skip


def _add_simulate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--number", type=positive, default=20, help="of participants (20)")
    parser.add_argument("--concurrent", type=positive, default=5, help="at a time (5)")
    parser.add_argument("--url", help="of a page that is served already; else one is started")
    parser.add_argument(
        "--strengths", nargs="+", action=Values, default={}, metavar="METHOD=LOG_ODDS",
        help="how much each method is preferred; 0 for those that are not named",
    )  # fmt: skip
    parser.add_argument(
        "--crowd", nargs="+", action=Values, default={}, metavar="KEY=VALUE", help=CROWD
    )


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("output", type=Path, help="a file, or for --mturk and answers a folder")
    what: Any = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--static", action="store_true", help="one HTML file, for any participant")
    what.add_argument(
        "--mturk", metavar="URL", help="hits.csv, question.xml, layout.html for a page at URL"
    )
    what.add_argument("--answers", action="store_true", help="answers.csv and participants.csv")
    what.add_argument("--token", help="all that is stored of one participant, JSON")
    parser.add_argument(
        "--slots", type=positive, help="plans in the static page or rows for MTurk (the study's)"
    )


def _add_power(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", type=Path, help="a study, or a study file; optional")
    numbers = (
        ("--per-participant", int, 10, "judgments of a pair by each participant"),
        ("--scenes", int, 500, "how many there are"),
        ("--comparisons", int, 1, "pairs that are tested"),
        ("--alpha", float, 0.05, "chance of an error of the first kind, over all comparisons"),
        ("--power", float, 0.8, "chance to find what is there"),
        ("--participant-share", float, 0.05, "of an answer's variance, the participant's"),
        ("--scene-share", float, 0.05, "of an answer's variance, the scene's"),
    )
    for name, kind, value, what in numbers:
        parser.add_argument(name, type=kind, help=f"{what} ({value})")
    parser.add_argument("--participants", type=positive, help="say what so many can tell")
