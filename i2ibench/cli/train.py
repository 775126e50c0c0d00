"""Train the system of a config; the same command goes on with a run that was stopped.

SIGTERM and SIGUSR1 finish the step, save, and exit with code 75 (EX_TEMPFAIL), on which a
scheduler may run the command again. torchrun itself exits with 1 then; srun hands the 75 on.
"""

import argparse
import sys
from pathlib import Path

from i2ibench.cli.arguments import add_run_arguments, config_of
from i2ibench.cli.memory_tables import print_estimates
from i2ibench.errors import UserError
from i2ibench.io.processes import is_main_process
from i2ibench.io.run_folders import list_epochs
from i2ibench.registry.compat import LAUNCHERS, process_group, silence_third_parties
from i2ibench.registry.configuration import Config, list_stages
from i2ibench.training.hooks.preemption import EXIT_CODE, Preempted, Preemption
from i2ibench.training.run import train


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    add_run_arguments(parser)
    parser.add_argument(
        "--resume",
        nargs="?",
        const=Path(),
        type=Path,
        metavar="CHECKPOINT",
        help="go on from this checkpoint, or the newest, even if config or data have changed",
    )
    parser.add_argument(
        "--start-from",
        type=Path,
        metavar="CHECKPOINT",
        help="begin with the weights of any checkpoint (fine-tuning); classes match by name",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="start anew; an earlier run is moved aside"
    )
    parser.add_argument(
        "--amp",
        choices=("auto", "bf16", "fp16", "none"),
        help="precision; auto, the default, is bf16 on GPUs that have it and float32 elsewhere",
    )
    parser.add_argument(
        "--estimate-memory", action="store_true",
        help="print what training and translating would take, without the data or a GPU, and stop",
    )  # fmt: skip
    parser.add_argument("--launcher", choices=LAUNCHERS, default="none", help="who started us")


def run(options: argparse.Namespace) -> None:
    """Train."""
    silence_third_parties()
    if options.fresh and options.resume is not None:
        raise UserError("--fresh starts anew and --resume goes on: give one of them.")
    if options.estimate_memory and (options.fresh or options.resume is not None):
        raise UserError("--estimate-memory trains nothing: leave --fresh and --resume out.")
    config = config_of(options)
    if options.start_from is not None:
        config.start_from = str(options.start_from)
    if options.amp:
        config.amp = None if options.amp == "none" else options.amp
    if options.estimate_memory:
        print_estimates(config)
    else:
        _train(config, options)


def _train(config: Config, options: argparse.Namespace) -> None:
    resume = options.resume is not None
    path = options.resume if options.resume != Path() else None
    with Preemption() as preemption, process_group(options.launcher):
        before = _newest_epoch(config)
        try:
            work_dir = train(config, options.fresh, resume, path, preemption)
        except Preempted:
            if is_main_process():
                print(f"asked to end: saved in {config.work_dir}; the same command goes on")
            sys.exit(EXIT_CODE)
        if is_main_process():
            newest = _newest_epoch(config)
            nothing = newest is not None and newest == before
            path = newest[0] if newest else work_dir
            print(f"{'already trained' if nothing else 'trained'}: {path}")


def _newest_epoch(config: Config) -> tuple[Path, int] | None:
    """Return the newest complete epoch of the config's stages, and when it was written."""
    stages = list_stages(config)
    paths = [path for stage in stages for path in list_epochs(Path(stage.work_dir))]
    return (paths[-1], paths[-1].stat().st_mtime_ns) if paths else None
