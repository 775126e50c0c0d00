"""Check every file of a config's data sets, and print statistics, all faults and their fixes."""

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
    """Add the arguments of the command `validate` to its parser, in place."""
    add_config_arguments(parser)
    parser.add_argument(
        "--html", type=Path, metavar="PATH", help="also write an HTML page with images"
    )


def run(options: argparse.Namespace) -> None:
    """Check the data of both splits, and print statistics, problems and their fixes.

    With --html, a page is written too. A split that cannot be opened is a problem, and the other
    split is checked nevertheless.

    Raises:
        UserError: there is a fatal problem, after everything has been printed.
    """
    config = config_of(options)
    surveys: dict[str, list[SceneSurvey]] = {}
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
            surveys[split] = survey(dataset.scenes, progress.advance)
        codings = [scene.coding for scene in surveys[split]]
        notes += [f"{split}: {note}" for note in format_notes(dataset.scenes, codings)]
        classes = dataset.scenes.classes
        infos.append(dataset.metainfo)
        problems_here = find_problems(split, surveys[split], classes)
        settled = _settled(config, split, dataset)
        problems += [
            *_lacking(config, split, dataset),
            *(p for p in problems_here if p.kind not in settled),
        ]
    problems += [*_unlike(infos), *shared_scenes(surveys)]
    problems.sort(key=lambda problem: not problem.fatal)
    if options.html is not None:
        write_text(options.html, render_data(options.config.stem, surveys, classes, problems))
    _print(surveys, classes, problems)
    for note in notes:
        print(note)
    if options.html is not None:
        print(f"page: {options.html}")
    faults = [problem.message for problem in problems if problem.fatal]
    if faults:
        raise UserError("\n".join(faults))


FIX_PAIRS = (
    "Add the named files or folders, remove files without a partner, or name other folders in the "
    "data set's config or with --cfg-options data_root=PATH"
)

FIX_MIXED = (
    "Save all images with the same number of channels and the same depth, or remove those that "
    "differ; image_channels= and image_depth= of the data set set the expected format"
)


def _not_opened(split: str, error: UserError) -> Problem:
    if isinstance(error, MixedImagesError):
        return Problem(split, "mixed images", str(error), FIX_MIXED, fatal=True)
    return Problem(split, "pairing", str(error), FIX_PAIRS, fatal=True)


def _needs(config: Config, dataset: Dataset) -> list[str]:
    """Return the kinds of files that the condition, the encoder or training need, each once.

    They are keys of a sample, such as "label" and "image".
    """
    known = dataset_options(dataset.metainfo)
    needs = [*PREPROCESSORS.build_for(config.data_preprocessor, known).needs, "image"]
    needs += ["instance"] if config.model.get("encoder") else []
    return list(dict.fromkeys(needs))


def _settled(config: Config, split: str, dataset: Dataset) -> set[str]:
    """Return the kinds of problems that do not matter for this config.

    "no instances" does not matter if nothing needs instance maps. "several sizes" does not matter
    with a batch size of 1, or if transforms bring scenes to one size.
    """
    settled = set() if "instance" in _needs(config, dataset) else {"no instances"}
    batch_size = config[f"{split}_dataloader"].get("batch_size", 1)
    return settled | ({"several sizes"} if batch_size == 1 or _is_of_one_size(dataset) else set())


def _is_of_one_size(dataset: Dataset) -> bool:
    """Return whether the transforms bring all scenes of a data set to one size.

    One scene of each size is read. The result is False if one of them cannot be read.
    """
    try:
        samples = [dataset[index] for index in dataset.scenes.one_of_each_size()]
    except UserError:  # reported as a separate problem
        return False
    return len({size_of(sample) for sample in samples}) == 1


def _lacking(config: Config, split: str, dataset: Dataset) -> list[Problem]:
    """Return a fatal problem for each kind of file that the config needs and that scenes lack."""
    lacking = []
    for kind in _needs(config, dataset):
        without = [files.name for files in dataset.scenes.files if kind not in files.paths]
        if without:
            message = f"{len(without)} scenes have no {KINDS[kind].called}, such as {without[0]}."
            lacking.append(Problem(split, "missing", message, KINDS[kind].way_out, fatal=True))
    return lacking


def _unlike(infos: Sequence[Mapping[str, Any]]) -> list[Problem]:
    """Return a fatal problem if training would refuse to use the two splits together."""
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
    surveys: Mapping[str, Sequence[SceneSurvey]], classes: ClassTable, problems: Sequence[Problem]
) -> None:
    print(table(summary_rows(surveys), left=(0, 3)))
    if len(classes) and surveys:
        print(f"\n{table(class_rows(surveys, classes), left=(1,))}")
    print()
    for problem in problems:
        print(problem_text(problem))
    if not problems:
        print("no problems")
