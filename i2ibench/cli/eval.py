"""Score checkpoints and folders of images with one protocol, and write a report.

eval CONFIG                            score the newest checkpoint of the config's run
eval CONFIG a.pth name=b.pth           score several checkpoints in one table
eval --protocol cityscapes --images name=DIR [--images ...]     score images of other programs
"""

import argparse
from pathlib import Path

from i2ibench.api.evaluation import EvaluationRequest, run_evaluation
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
    config_of,
    positive,
)
from i2ibench.errors import UserError
from i2ibench.evaluation.results import check_computed
from i2ibench.inference import InferenceOptions
from i2ibench.inference.checkpoint_names import shipped_systems
from i2ibench.io.devices import checked_device
from i2ibench.registry.mmengine_workarounds import process_group, silence_third_parties
from i2ibench.registry.shipped_configs import shipped_configs


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
    request = EvaluationRequest(
        config_of(options) if options.config else None,
        options.checkpoints,
        options.images,
        options.protocol,
        options.protocol_options,
        options.data_root,
        options.output,
        options.require,
        options.batch_size,
        checked_device(options.device),
        options.weights,
        InferenceOptions(options.amp, options.compile, settings=options.set),
    )
    with process_group(options.launcher):
        evaluation = run_evaluation(request)
    if evaluation is None:
        return
    for line in evaluation.lines():
        print(line)
    print(f"numbers: {evaluation.report.with_name('results.json')}")
    print(f"report:  {evaluation.report}")
    check_computed(evaluation.results, options.require)


def _is_config(named: Path) -> bool:
    """Return whether the first argument names a config, and not a checkpoint, run or system."""
    if named.suffix == ".py":
        return True
    taken = named.exists() or str(named) in shipped_systems()
    return not taken and str(named) in shipped_configs()
