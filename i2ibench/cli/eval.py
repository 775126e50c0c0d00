"""Score checkpoints and folders of images by one protocol, and write a report.

eval CONFIG                            the newest checkpoint of the config's run
eval CONFIG a.pth name=b.pth           several checkpoints, in one table
eval --protocol cityscapes --images name=DIR [--images ...]     images of any code
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from i2ibench.cli.arguments import (
    Overrides,
    add_compile_argument,
    add_device_argument,
    add_options_argument,
    add_precision_argument,
    add_settings_argument,
    checked_device,
    config_of,
    positive,
)
from i2ibench.errors import UserError
from i2ibench.evaluation.evaluate import WRITTEN, evaluate
from i2ibench.evaluation.protocols.protocol import Protocol, build_protocol, foreign_protocol
from i2ibench.evaluation.results import check_computed
from i2ibench.evaluation.scored_scenes import prepare_scenes
from i2ibench.evaluation.systems import SystemSource, parse_systems
from i2ibench.inference import InferenceOptions
from i2ibench.inference.checkpoint_contents import read_config
from i2ibench.inference.checkpoints import (
    latest_checkpoint,
    newest_of_config,
    read_checkpoint,
    stage_of,
)
from i2ibench.io.processes import barrier, is_main_process
from i2ibench.io.run_folders import run_folder
from i2ibench.registry.assignments import resolve
from i2ibench.registry.compat import LAUNCHERS, process_group, silence_third_parties
from i2ibench.registry.configuration import Config, own_work_dir
from i2ibench.reports import score_lines, write_report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("config", nargs="?", type=Path, help="a config file, such as configs/x.py")
    parser.add_argument(
        "checkpoints", nargs="*", metavar="[NAME=]CHECKPOINT",
        help="default: the newest of the config's work dir",
    )  # fmt: skip
    parser.add_argument(
        "--images", action="append", default=[], metavar="[NAME=]DIR",
        help="a folder of images, paired with the scenes by name",
    )  # fmt: skip
    parser.add_argument("--protocol", help="a protocol's name; default: the config's")
    parser.add_argument(
        "--protocol-options", nargs="+", action=Overrides, default={}, metavar="KEY=VALUE",
        help="options of the protocol, such as width=512 height=256",
    )  # fmt: skip
    parser.add_argument("--data-root", help="the data's folder, instead of the config's")
    parser.add_argument("--output", type=Path, help="default: evaluation/ in the work dir")
    parser.add_argument(
        "--require", nargs="+", default=[], metavar="SCORE",
        help="fail if one of these scores cannot be computed, such as fid",
    )  # fmt: skip
    parser.add_argument("--batch-size", type=positive, help="scenes translated at once")
    parser.add_argument("--work-dir", type=Path, help="default: work_dirs/<config name>")
    add_options_argument(parser)
    add_device_argument(parser)
    add_precision_argument(parser)
    add_compile_argument(parser)
    add_settings_argument(parser)
    parser.add_argument("--launcher", choices=LAUNCHERS, default="none", help="who started us")


def run(options: argparse.Namespace) -> None:
    """Evaluate; the report's path is printed last."""
    silence_third_parties()
    if options.config is not None and options.config.suffix != ".py":
        options.checkpoints.insert(0, str(options.config))  # a checkpoint without a config
        options.config = None
    if options.config is None and (options.cfg_options or options.work_dir):
        raise UserError("--cfg-options and --work-dir belong to a config, and none is named.")
    config = config_of(options) if options.config else None
    subjects, config = _subjects(options, config)
    protocol, foreign = _protocol(options, config, subjects)
    output = options.output or _output(config, protocol, named=bool(options.protocol))
    with (
        process_group(options.launcher),
        own_work_dir(output, "evaluating", "give another folder with --output", WRITTEN),
    ):
        if is_main_process():
            prepare_scenes(protocol, config, options.data_root, foreign)
        barrier()
        results = evaluate(
            protocol, subjects, output, config, options.data_root, checked_device(options.device),
            options.batch_size or _batch_size(config), options.require,
        )  # fmt: skip
        if not is_main_process():
            return
        report = write_report(output, results)
        for line in score_lines(results):
            print(line)
        print(f"numbers: {output / 'results.json'}")
        print(f"report:  {report}")
        check_computed(results, options.require)


def _subjects(
    options: argparse.Namespace, config: Config | None
) -> tuple[list[SystemSource], Config | None]:
    """Return the subjects, and the config of the stage that they belong to."""
    checkpoints = list(options.checkpoints)
    if config is not None and not checkpoints and not options.images:
        work_dir = Path(config.work_dir)
        checkpoints = [str(newest_of_config(config) or latest_checkpoint(work_dir))]
    subjects = parse_systems(checkpoints, options.images)
    if not subjects:
        raise UserError("Nothing to evaluate: name a config, checkpoints or --images DIR.")
    if config is not None and len(subjects) == 1 and not subjects[0].is_folder:
        config = stage_of(config, subjects[0].path)
    how = InferenceOptions(options.amp, options.compile, settings=options.set)
    return [replace(subject, options=how) for subject in subjects], config


def _protocol(
    options: argparse.Namespace, config: Config | None, subjects: list[SystemSource]
) -> tuple[Protocol, bool]:
    """Return the protocol and whether it is a checkpoint's.

    It is that of the command line, else the config's, else the first checkpoint's.
    """
    chosen = options.protocol or (config.get("protocol") if config is not None else None)
    if chosen:
        return build_protocol(_with_options(chosen, options.protocol_options)), False
    path = next((subject.path for subject in subjects if not subject.is_folder), None)
    chosen = read_config(read_checkpoint(path), path).get("protocol") if path else None
    if not chosen:
        raise UserError("No protocol is named: pass --protocol NAME, or give the config one.")
    assert path is not None
    return foreign_protocol(_with_options(chosen, options.protocol_options), path), True


def _with_options(chosen: str | Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a protocol's config with options by dotted key."""
    named = {"type": chosen} if isinstance(chosen, str) else dict(chosen)
    merged = Config({"protocol": named})
    given = resolve(changes, named)
    merged.merge_from_dict({f"protocol.{key}": value for key, value in given.items()})
    changed: dict[str, Any] = merged.protocol.to_dict()
    return changed


def _output(config: Config | None, protocol: Protocol, named: bool) -> Path:
    """Return the folder of the report; a protocol of the command line has a folder of its own."""
    if config is None:
        return Path("work_dirs") / "evaluation" / protocol.name
    name = f"evaluation_{protocol.name}" if named else "evaluation"
    # A stage is evaluated beside its run, where one looks for the report.
    return run_folder(Path(config.work_dir)) / name


def _batch_size(config: Config | None) -> int:
    return int(config.val_dataloader.get("batch_size", 1)) if config is not None else 1
