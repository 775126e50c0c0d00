"""Score checkpoints and folders of images with one protocol, and write a report.

eval CONFIG                            score the newest checkpoint of the config's run
eval CONFIG a.pth name=b.pth           score several checkpoints in one table
eval --protocol cityscapes --images name=DIR [--images ...]     score images of other programs
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
    add_launcher_argument,
    add_options_argument,
    add_precision_argument,
    add_settings_argument,
    add_weights_argument,
    add_work_dir_argument,
    checked_device,
    config_of,
    positive,
)
from i2ibench.errors import UserError
from i2ibench.evaluation.evaluate import WRITTEN, evaluate
from i2ibench.evaluation.protocol_scenes import prepare_scenes
from i2ibench.evaluation.protocols.protocol import Protocol, build_protocol, foreign_protocol
from i2ibench.evaluation.results import check_computed
from i2ibench.evaluation.system_sources import SystemSource, parse_systems
from i2ibench.inference import InferenceOptions
from i2ibench.inference.checkpoint_checks import read_config
from i2ibench.inference.checkpoint_names import shipped_systems
from i2ibench.inference.checkpoints import (
    latest_checkpoint,
    newest_of_config,
    read_checkpoint,
    stage_of,
)
from i2ibench.io.process_group import barrier, is_main_process
from i2ibench.io.run_folders import run_folder
from i2ibench.registry.assignments import resolve
from i2ibench.registry.configuration import Config, own_work_dir
from i2ibench.registry.mmengine_workarounds import process_group, silence_third_parties
from i2ibench.registry.shipped_configs import shipped_configs
from i2ibench.reports import score_lines, write_report
from i2ibench.reports.verdicts import verdicts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command `eval` to its parser, in place."""
    parser.add_argument("config", nargs="?", type=Path, help="a config file, such as configs/x.py")
    parser.add_argument(
        "checkpoints", nargs="*", metavar="[NAME=]CHECKPOINT",
        help="checkpoints to score (default: the newest in the config's work directory)",
    )  # fmt: skip
    parser.add_argument(
        "--images", action="append", default=[], metavar="[NAME=]DIR",
        help="a folder of images to score, matched with the scenes by file name",
    )  # fmt: skip
    parser.add_argument("--protocol", help="the name of a protocol (default: the config's)")
    parser.add_argument(
        "--protocol-options", nargs="+", action=Overrides, default={}, metavar="KEY=VALUE",
        help="options of the protocol, such as width=512 height=256",
    )  # fmt: skip
    parser.add_argument("--data-root", help="the folder of the data (default: the config's)")
    parser.add_argument(
        "--output",
        type=Path,
        help="the folder to write (default: evaluation/ in the work directory)",
    )
    parser.add_argument(
        "--require", nargs="+", default=[], metavar="SCORE",
        help="fail if one of these scores cannot be computed, such as fid",
    )  # fmt: skip
    parser.add_argument(
        "--batch-size", type=positive, help="scenes to translate at once (default: the config's)"
    )
    add_work_dir_argument(parser)
    add_options_argument(parser)
    add_device_argument(parser)
    add_weights_argument(parser, ["both"])
    add_precision_argument(parser)
    add_compile_argument(parser)
    add_settings_argument(parser)
    add_launcher_argument(parser)


def run(options: argparse.Namespace) -> None:
    """Evaluate, and print the scores and the paths of numbers and report.

    `results.json` and the report are written to --output. With several processes, only the main
    process prints and writes the report.

    Raises:
        UserError: an argument is wrong, or a score of --require cannot be computed. Such scores are
            looked for again after the report has been written.
    """
    silence_third_parties()
    if options.config is not None and not _is_config(options.config):
        options.checkpoints.insert(0, str(options.config))  # a checkpoint without a config
        options.config = None
    if options.config is None and (options.cfg_options or options.work_dir):
        raise UserError("--cfg-options and --work-dir need a config: name one.")
    config = config_of(options) if options.config else None
    systems, config = _systems(options, config)
    protocol, foreign = _protocol(options, config, systems)
    output = options.output or _output(config, protocol, named=bool(options.protocol))
    with (
        process_group(options.launcher),
        own_work_dir(output, "evaluating", "give another folder with --output", WRITTEN),
    ):
        if is_main_process():
            prepare_scenes(protocol, config, options.data_root, foreign)
        barrier()
        results = evaluate(
            protocol, systems, output, config, options.data_root, checked_device(options.device),
            options.batch_size or _batch_size(config), options.require,
        )  # fmt: skip
        if not is_main_process():
            return
        report = write_report(output, results)
        for line in score_lines(results) + verdicts(results):
            print(line)
        print(f"numbers: {output / 'results.json'}")
        print(f"report:  {report}")
        check_computed(results, options.require)


def _is_config(named: Path) -> bool:
    """Return whether the first argument names a config, and not a checkpoint, run or system."""
    if named.suffix == ".py":
        return True
    taken = named.exists() or str(named) in shipped_systems()
    return not taken and str(named) in shipped_configs()


def _systems(
    options: argparse.Namespace, config: Config | None
) -> tuple[list[SystemSource], Config | None]:
    """Return the systems to score, and the config of the stage that they belong to.

    A system is a checkpoint or a folder of images. If the command line names neither, it is the
    newest checkpoint of the config's run. A single checkpoint in the folder of a stage determines
    the stage's config.
    """
    checkpoints = list(options.checkpoints)
    if config is not None and not checkpoints and not options.images:
        work_dir = Path(config.work_dir)
        checkpoints = [str(newest_of_config(config) or latest_checkpoint(work_dir))]
    systems = parse_systems(checkpoints, options.images)
    if not systems:
        raise UserError("Nothing to evaluate: name a config, checkpoints or --images DIR.")
    if config is not None and len(systems) == 1 and not systems[0].is_folder:
        config = stage_of(config, systems[0].path)
    how = InferenceOptions(options.amp, options.compile, settings=options.set)
    chosen = {"options": how, "weights": options.weights}
    return [replace(system, **chosen) for system in systems], config


def _protocol(
    options: argparse.Namespace, config: Config | None, systems: list[SystemSource]
) -> tuple[Protocol, bool]:
    """Return the protocol, and whether it comes from a checkpoint.

    The protocol is that of the command line, else the config's, else the first checkpoint's. A
    protocol from a checkpoint may not run programs, such as TorchScript files.
    """
    chosen = options.protocol or (config.get("protocol") if config is not None else None)
    if chosen:
        return build_protocol(_with_options(chosen, options.protocol_options)), False
    path = next((system.path for system in systems if not system.is_folder), None)
    chosen = read_config(read_checkpoint(path), path).get("protocol") if path else None
    if not chosen:
        raise UserError("No protocol is named: pass --protocol NAME, or set it in the config.")
    assert path is not None
    return foreign_protocol(_with_options(chosen, options.protocol_options), path), True


def _with_options(chosen: str | Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a protocol's config, a dict with `type`, with changed options."""
    named = {"type": chosen} if isinstance(chosen, str) else dict(chosen)
    merged = Config({"protocol": named})
    given = resolve(changes, named)
    merged.merge_from_dict({f"protocol.{key}": value for key, value in given.items()})
    changed: dict[str, Any] = merged.protocol.to_dict()
    return changed


def _output(config: Config | None, protocol: Protocol, named: bool) -> Path:
    """Return the default folder of the report."""
    if config is None:
        return Path("work_dirs") / "evaluation" / protocol.name
    name = f"evaluation_{protocol.name}" if named else "evaluation"
    # The report of a stage is written to the folder of its run.
    return run_folder(Path(config.work_dir)) / name


def _batch_size(config: Config | None) -> int:
    return int(config.val_dataloader.get("batch_size", 1)) if config is not None else 1
