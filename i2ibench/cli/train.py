"""Train the models of a config; the same command continues a run that was stopped.

On SIGTERM or SIGUSR1, training finishes the step, saves its state and exits with code 75
(EX_TEMPFAIL). A scheduler may then run the command again. torchrun turns the 75 into 1; srun
returns it unchanged.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from i2ibench.cli.arguments import add_launcher_argument, add_run_arguments, config_of
from i2ibench.data.loaders import BatchSpec
from i2ibench.errors import UserError
from i2ibench.io.process_group import is_main_process
from i2ibench.io.run_folders import list_epochs
from i2ibench.registry.configuration import Config, list_stages
from i2ibench.registry.mmengine_workarounds import process_group, silence_third_parties
from i2ibench.training.hooks.preemption import EXIT_CODE, Preempted, Preemption
from i2ibench.training.memory_estimate import MemoryEstimate, estimate_memory
from i2ibench.training.optimizers import choose_precision
from i2ibench.training.run import train

CARDS = (8, 12, 16, 24, 32, 48, 80, 141)
"""The memory of common GPUs, in GB."""

GIB = 2**30
SHARE, FIXED = 0.1, 1 * GIB
"""Memory to reserve besides the tensors: a share of their bytes, and a fixed number of bytes."""

NOTE = """\
The table lists bytes of tensors, estimated from a training step and a translation on tensors
without data. Nothing was trained. The named card holds the tensors, a tenth more and 1 GiB for what
is not counted: the driver's context, scratch space of libraries and gaps between blocks. The number
of instances in an image has no influence. With several processes, each one needs this memory and
buckets for its gradients. Operations: a multiplication with its addition counts as two."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command `train` to its parser, in place."""
    add_run_arguments(parser)
    parser.add_argument(
        "--resume",
        nargs="?",
        const=Path(),
        type=Path,
        metavar="CHECKPOINT",
        help="continue from this checkpoint (default: the newest), even if the config or the data "
        "has changed",
    )
    parser.add_argument(
        "--start-from",
        type=Path,
        metavar="CHECKPOINT",
        help="start a new run with the weights of any checkpoint (fine-tuning); classes are "
        "matched by name",
    )
    parser.add_argument(
        "--fresh",
        action="store_true",
        help="start anew; an earlier run is moved aside, not deleted",
    )
    parser.add_argument(
        "--amp",
        choices=("auto", "bf16", "fp16", "none"),
        help="precision of the networks; auto is bf16 on GPUs that support it, else float32 "
        "(default: the config's amp, else auto)",
    )
    parser.add_argument(
        "--estimate-memory", action="store_true",
        help="print the memory that training and translating need, and stop; this works without "
        "the data and without a GPU",
    )  # fmt: skip
    add_launcher_argument(parser)


def run(options: argparse.Namespace) -> None:
    """Train, or print the memory that training needs.

    Options of the command line replace the config's `start_from` and `amp`. A run that a signal
    stopped ends the program with the exit code 75.

    Raises:
        UserError: options exclude each other, or see `train`.
    """
    silence_third_parties()
    if options.fresh and options.resume is not None:
        raise UserError("--fresh starts anew and --resume continues: pass only one of them.")
    if options.estimate_memory and (options.fresh or options.resume is not None):
        raise UserError("--estimate-memory trains nothing: remove --fresh and --resume.")
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
                print(
                    f"stopped by a signal: saved in {config.work_dir}; the same command continues"
                )
            sys.exit(EXIT_CODE)
        if is_main_process():
            newest = _newest_epoch(config)
            nothing = newest is not None and newest == before
            path = newest[0] if newest else work_dir
            print(f"{'already trained' if nothing else 'trained'}: {path}")


def _newest_epoch(config: Config) -> tuple[Path, int] | None:
    """Return the newest checkpoint of a complete epoch, with its modification time in ns.

    The checkpoint is the last one of the last stage that has any. None stands for no checkpoint.
    """
    stages = list_stages(config)
    paths = [path for stage in stages for path in list_epochs(Path(stage.work_dir))]
    return (paths[-1], paths[-1].stat().st_mtime_ns) if paths else None


def print_estimates(config: Config) -> None:
    """Print the memory of every stage of a config, at every precision that it may train in.

    The precisions of amp="auto" are bf16 and float32. A note follows that explains the numbers.

    Raises:
        UserError: the config is wrong, or its memory cannot be estimated.
    """
    console = Console(highlight=False)
    stages = list_stages(config)
    for stage in stages:
        estimates = {name: estimate_memory(stage, name) for name in _precisions(stage)}
        estimate = next(iter(estimates.values()))
        if len(stages) > 1:
            console.print(f"stage {stage.work_dir}", style="bold")
        console.print(_networks(estimate))
        console.print(_peaks(estimates, stage.train_dataloader.get("accumulate", 1)))
        step, image = (flop / 1e9 for flop in (estimate.step_flop, estimate.image_flop))
        print(f"operations: {step:,.1f} GFLOP for a training step, {image:,.1f} GFLOP for an image")
    print(NOTE)


def smallest_card(tensors: int) -> str:
    """Return the smallest GPU memory of CARDS that suffices, such as "24 GB", or "none".

    Args:
        tensors: the bytes of tensors. SHARE and FIXED are added for everything else.
    """
    needed = tensors * (1 + SHARE) + FIXED
    return next((f"{size} GB" for size in CARDS if size * GIB >= needed), "none")


def _precisions(stage: Config) -> list[str | None]:
    amp = stage.get("amp", "auto")
    if amp == "auto":
        return ["bf16", None]
    return [choose_precision(amp, "cuda")]


def _networks(estimate: MemoryEstimate) -> Table:
    table = _table("network", "parameters", "trained", "weights", "gradients", "state")
    for name, network in estimate.networks.items():
        sizes = network.weights, network.gradients, network.state
        numbers = (f"{n:,}" for n in (network.parameters, network.trained))
        table.add_row(name, *numbers, *(_gib(size) for size in sizes))
    if estimate.average:
        table.add_row("average", "", "", _gib(estimate.average), "", "")
    return table


def _peaks(estimates: dict[str | None, MemoryEstimate], accumulate: int) -> Table:
    """Return a table of the peak memory of a training step and of a translation."""
    table = _table("peak", "activations", "gradients", "in all", "card")
    for precision, estimate in estimates.items():
        heading = f"step {precision or 'float32'}, {_batch(estimate.train, accumulate)}"
        parts = estimate.activations, estimate.gradients, estimate.step
        table.add_row(heading, *(_gib(part) for part in parts), smallest_card(estimate.step))
    estimate = next(iter(estimates.values()))
    peak = estimate.translation
    heading = f"translation, {_batch(estimate.val)}"
    table.add_row(heading, "", "", _gib(peak), smallest_card(peak))
    return table


def _batch(images: BatchSpec, accumulate: int = 1) -> str:
    times = f"{accumulate} x " if accumulate > 1 else ""
    return f"{times}{images.batch_size} of {images.width}x{images.height}"


def _table(first: str, *others: str) -> Table:
    table = Table()
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


def _gib(size: int) -> str:
    return f"{size / GIB:.2f} GiB" if size >= GIB / 10 else f"{size / 2**20:.1f} MiB"
