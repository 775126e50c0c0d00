"""Train the system of a config; the same command goes on with a run that was stopped."""

import argparse
from pathlib import Path

from mmengine.dist import barrier, is_main_process

from i2ibench.checkpoints import newest_of_config
from i2ibench.commands.arguments import add_run_arguments, config_of
from i2ibench.commands.prepare_data import draw_streets
from i2ibench.compat import LAUNCHERS, process_group, silence_third_parties
from i2ibench.errors import UserError
from i2ibench.experiment import train


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_run_arguments(parser)
    parser.add_argument(
        "--resume",
        nargs="?",
        const=Path(),
        type=Path,
        metavar="CHECKPOINT",
        help="go on from this checkpoint, or the newest, even if the config has changed",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="start anew; an earlier run is moved aside"
    )
    parser.add_argument("--amp", choices=("bf16", "fp16"), help="train in mixed precision")
    parser.add_argument("--launcher", choices=LAUNCHERS, default="none", help="who started us")


def run(options: argparse.Namespace) -> None:
    """Train."""
    silence_third_parties()
    if options.fresh and options.resume is not None:
        raise UserError("--fresh starts anew and --resume goes on: give one of them.")
    config = config_of(options)
    if options.amp:
        config.amp = options.amp
    resume = options.resume is not None
    path = options.resume if options.resume != Path() else None
    with process_group(options.launcher):
        if is_main_process():
            draw_streets(config)
        barrier()  # the other processes read what the first has drawn
        work_dir = train(config, fresh=options.fresh, resume=resume, resume_from=path)
        if is_main_process():
            print(f"trained: {newest_of_config(config) or work_dir}")
