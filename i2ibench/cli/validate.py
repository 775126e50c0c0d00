"""Check every file of a config's data sets: what they hold, all faults, how to mend them."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from i2ibench.cli.arguments import add_config_arguments, config_of
from i2ibench.data.classes import ClassTable
from i2ibench.data.kinds import KINDS
from i2ibench.data.loaders import build_dataset, prepare_dataset
from i2ibench.data.pixel_formats import MixedImagesError
from i2ibench.data.problems import Problem, find_problems, shared_scenes
from i2ibench.data.survey import SceneSurvey, survey
from i2ibench.data.validation import format_notes
from i2ibench.errors import UserError
from i2ibench.io.files import write_text
from i2ibench.io.progress import Progress
from i2ibench.models.translators.conditions import dataset_options
from i2ibench.registry import PREPROCESSORS
from i2ibench.registry.configuration import Config
from i2ibench.registry.contracts import Dataset
from i2ibench.reports.data_page import class_rows, problem_text, render_data, summary_rows, table
from i2ibench.structures import size_of
from i2ibench.training.preflight import check_alike


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_config_arguments(parser)
    parser.add_argument("--html", type=Path, metavar="PATH", help="also write a page with images")


def run(options: argparse.Namespace) -> None:
    """Validate."""
    config = config_of(options)
    facts: dict[str, list[SceneSurvey]] = {}
    notes: list[str] = []
    classes = ClassTable(())
    problems: list[Problem] = []
    infos: list[Mapping[str, Any]] = []
    for split in ("train", "val"):
        try:
            prepare_dataset(config[f"{split}_dataloader"], config.get("data_root"))
            dataset = build_dataset(config[f"{split}_dataloader"], config.get("data_root"))
        except UserError as error:
            problems.append(_not_opened(split, error))
            continue
        with Progress(f"checking {split}", len(dataset)) as progress:
            facts[split] = survey(dataset.scenes, progress.advance)
        codings = [scene.coding for scene in facts[split]]
        notes += [f"{split}: {note}" for note in format_notes(dataset.scenes, codings)]
        classes = dataset.scenes.classes
        infos.append(dataset.metainfo)
        found = find_problems(split, facts[split], classes)
        settled = _settled(config, split, dataset)
        problems += [
            *_lacking(config, split, dataset),
            *(p for p in found if p.kind not in settled),
        ]
    problems += [*_unlike(infos), *shared_scenes(facts)]
    problems.sort(key=lambda problem: not problem.fatal)
    if options.html is not None:
        write_text(options.html, render_data(options.config.stem, facts, classes, problems))
    _print(facts, classes, problems)
    for note in notes:
        print(note)
    if options.html is not None:
        print(f"page: {options.html}")
    faults = [problem.message for problem in problems if problem.fatal]
    if faults:
        raise UserError("\n".join(faults))


MEND_PAIRS = (
    "Add the files or folders that are named, remove what has no partner, or name other folders "
    "in the data set's config or with --cfg-options data_root=PATH"
)

MEND_MIX = (
    "Save the images in one number of channels and one depth, or leave out those that differ; "
    "image_channels= and image_depth= of the data set say which are right"
)


def _not_opened(split: str, error: UserError) -> Problem:
    if isinstance(error, MixedImagesError):
        return Problem(split, "mixed images", str(error), MEND_MIX, fatal=True)
    return Problem(split, "pairing", str(error), MEND_PAIRS, fatal=True)


def _needs(config: Config, dataset: Dataset) -> list[str]:
    """Return the kinds of files that the condition, the encoder or training take."""
    known = dataset_options(dataset.metainfo)
    needs = [*PREPROCESSORS.build_for(config.data_preprocessor, known).needs, "image"]
    needs += ["instance"] if config.model.get("encoder") else []
    return list(dict.fromkeys(needs))


def _settled(config: Config, split: str, dataset: Dataset) -> set[str]:
    """Return the kinds of problems that the config has settled as their fixes say."""
    settled = set() if "instance" in _needs(config, dataset) else {"no instances"}
    batch_size = config[f"{split}_dataloader"].get("batch_size", 1)
    return settled | ({"several sizes"} if batch_size == 1 or _is_of_one_size(dataset) else set())


def _is_of_one_size(dataset: Dataset) -> bool:
    """Return whether the transforms bring the scenes of all sizes to one."""
    try:
        samples = [dataset[index] for index in dataset.scenes.one_of_each_size()]
    except UserError:  # which is told as a problem of its own
        return False
    return len({size_of(sample) for sample in samples}) == 1


def _lacking(config: Config, split: str, dataset: Dataset) -> list[Problem]:
    """Return a problem for each kind of files that is needed and that scenes do not have."""
    lacking = []
    for kind in _needs(config, dataset):
        without = [files.name for files in dataset.scenes.files if kind not in files.paths]
        if without:
            message = f"{len(without)} scenes have no {KINDS[kind].called}, such as {without[0]}."
            lacking.append(Problem(split, "missing", message, KINDS[kind].way_out, fatal=True))
    return lacking


def _unlike(infos: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """Return a problem if training would refuse the two splits together."""
    try:
        if len(infos) == 2:
            check_alike(*infos)
    except UserError as error:
        fix = (
            "Edit classes=, image_channels=, image_depth= or instance_ids= of the data sets in the "
            "config"
        )
        return [Problem("train, val", "splits differ", str(error), fix, fatal=True)]
    return []


def _print(
    facts: Mapping[str, Sequence[SceneSurvey]], classes: ClassTable, problems: Sequence[Problem]
) -> None:
    print(table(summary_rows(facts), left=(0, 3)))
    if len(classes) and facts:
        print(f"\n{table(class_rows(facts, classes), left=(1,))}")
    print()
    for problem in problems:
        print(problem_text(problem))
    if not problems:
        print("no problems")
