"""A step over the number of processes: two gloo ranks measured, more of them by scaling.py's model.

Measured is CPU time per rank for the same work in each, beside one process that exchanges nothing
while the other waits. The model is of GPUs at a step time that is assumed; see scaling.py.
"""

from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing
from device_scaling import COUNTS, MACHINES, PER_NODE, exchange_seconds, gradient_counts

from scaling_parts.curves import Bar, Curve, Plan, cpu_seconds, named
from scaling_parts.training import step

CONFIG = Path(__file__).parents[2] / "configs" / "pix2pixhd_cityscapes_1024x512_released.py"
STEP_SECONDS = 0.02
"""Of one device, assumed: what is asked of an H200. Exchange is dearer the faster the step."""


def curves(plan):
    panel, size = "ranks", "processes, each with its own batch"
    relative = "time per step, 1 process = 1"
    alone, both = measured(plan)
    rounds = [[1.0, two / one] for one, two in zip(alone, both, strict=True)]
    yield Curve(panel, "CPU time per rank, gloo", size, relative, named([1, 2]), rounds,
                Bar(0, 1.2))  # fmt: skip
    if plan.quick:
        return
    gradients = list(gradient_counts(CONFIG).values())
    for name, (inner, outer) in MACHINES.items():
        total = [
            1 + exchange_seconds(n, gradients, inner if n <= PER_NODE else outer) / STEP_SECONDS
            for n in COUNTS
        ]
        yield Curve(panel, f"computed: {name}", size, relative, named(COUNTS), [total], None,
                    "computed")  # fmt: skip


def measured(plan):
    """CPU seconds of a step by round: of one process alone, and the mean of two."""
    folder = plan.folder / "group"
    folder.mkdir()
    arguments = (str(plan.folder), plan.quick, plan.take(9, 1))
    torch.multiprocessing.spawn(rank, arguments, nprocs=2)
    alone, first = torch.load(folder / "0.pt")
    _, second = torch.load(folder / "1.pt")
    return alone, [(x + y) / 2 for x, y in zip(first, second, strict=True)]


def rank(number, folder, quick, rounds):
    """One of the two: the first works alone, then both together, in turns."""
    torch.set_num_threads(1)
    plan = Plan(Path(folder) / f"rank{number}", quick)
    by_itself = step(plan, plan.take(256, 128))
    by_itself()  # the first update decides whether gradients are averaged: there is no group yet
    group = f"file://{folder}/group/meeting"
    dist.init_process_group("gloo", init_method=group, rank=number, world_size=2)
    together = step(plan, plan.take(256, 128))
    seconds = [], []
    for _ in range(rounds + 1):
        dist.barrier()
        seconds[0].append(cpu_seconds(by_itself) if number == 0 else 0.0)
        dist.barrier()
        seconds[1].append(cpu_seconds(together))
    torch.save([own[1:] for own in seconds], Path(folder) / "group" / f"{number}.pt")
    dist.destroy_process_group()
