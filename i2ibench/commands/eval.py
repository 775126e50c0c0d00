"""Evaluate a checkpoint: translate the validation scenes, score them, write a report."""

import argparse
from pathlib import Path

from i2ibench.checkpoints import latest_checkpoint, newest_of_config, stage_of
from i2ibench.commands.arguments import (
    add_device_argument,
    add_run_arguments,
    checked_device,
    config_of,
)
from i2ibench.compat import silence_third_parties
from i2ibench.evaluation import evaluate
from i2ibench.report import score_lines, write_report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_run_arguments(parser)
    parser.add_argument(
        "checkpoint", nargs="?", type=Path, help="default: the newest of the config's work dir"
    )
    parser.add_argument("--output", type=Path, help="default: evaluation/ in the work dir")
    add_device_argument(parser)


def run(options: argparse.Namespace) -> None:
    """Evaluate; the report's path is printed last."""
    silence_third_parties()
    config = config_of(options)
    work_dir = Path(config.work_dir)
    checkpoint = options.checkpoint or newest_of_config(config) or latest_checkpoint(work_dir)
    config = stage_of(config, checkpoint)
    output = options.output or work_dir / "evaluation"
    results = evaluate(config, checkpoint, output, checked_device(options.device))
    for line in score_lines(results):
        print(line)
    print(f"numbers: {output / 'results.json'}")
    print(f"report:  {write_report(output, work_dir, config)}")
