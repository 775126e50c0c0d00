"""The tables of `train --estimate-memory`."""

from rich.console import Console
from rich.table import Table

from i2ibench.data.loaders import BatchSpec
from i2ibench.registry.configuration import Config, list_stages
from i2ibench.training.memory_estimate import Estimate, estimate_memory
from i2ibench.training.optimizers import choose_precision

CARDS = (8, 12, 16, 24, 32, 48, 80, 141)
"""Memory of common GPUs, in GB."""

GIB = 2**30
SHARE, FIXED = 0.1, 1 * GIB
"""What is left free beside the tensors: this share of them and so many bytes."""

NOTE = """\
Bytes of tensors by a count over a step and a translation without contents; nothing was trained.
The card named holds them, a tenth more and 1 GiB: for the driver's context, scratch
space of libraries and gaps between blocks, which are not counted. The number of instances in a
image changes nothing. More processes: each has all of this, and buckets for its gradients."""


def print_estimates(config: Config) -> None:
    """Print the memory of every stage of a config, at every precision that it may run in.

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
        accumulate = stage.train_dataloader.get("accumulate", 1)
        console.print(_peaks(estimates, accumulate))
    print(NOTE)


def smallest_card(tensors: int) -> str:
    """The smallest of CARDS that holds so many bytes of tensors."""
    needed = tensors * (1 + SHARE) + FIXED
    return next((f"{size} GB" for size in CARDS if size * GIB >= needed), "none")


def _precisions(stage: Config) -> list[str | None]:
    amp = stage.get("amp", "auto")
    if amp == "auto":
        return ["bf16", None]
    return [choose_precision(amp, "cuda")]


def _networks(estimate: Estimate) -> Table:
    table = _table("network", "parameters", "trained", "weights", "gradients", "state")
    for name, network in estimate.networks.items():
        sizes = network.weights, network.gradients, network.state
        numbers = (f"{n:,}" for n in (network.parameters, network.trained))
        table.add_row(name, *numbers, *(_gib(size) for size in sizes))
    if estimate.average:
        table.add_row("average", "", "", _gib(estimate.average), "", "")
    return table


def _peaks(estimates: dict[str | None, Estimate], accumulate: int) -> Table:
    """The peaks; gradients are those that are there at the peak."""
    table = _table("peak", "activations", "gradients", "in all", "card")
    for precision, estimate in estimates.items():
        heading = f"step {precision or 'float32'}, {_what(estimate.train, accumulate)}"
        parts = estimate.activations, estimate.gradients, estimate.step
        table.add_row(heading, *(_gib(part) for part in parts), smallest_card(estimate.step))
    estimate = next(iter(estimates.values()))
    peak = estimate.translation
    heading = f"translation, {_what(estimate.val)}"
    table.add_row(heading, "", "", _gib(peak), smallest_card(peak))
    return table


def _what(images: BatchSpec, accumulate: int = 1) -> str:
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
