"""Peak memory of tensors beside the plain way's, counted without computing anything.

    make bench

A deterministic count: every storage that an operator makes, from its birth to its end, at the
paper's size on tensors without contents. Gradients are in it; scratch space within operators,
weights and the optimiser's state are not.
"""

import pytest
import torch
from plain.step import PlainStep
from side_by_side import note
from systems import BOTH_FUSED, empty_batch, translator
from torch._subclasses import FakeTensorMode

from i2ibench.models.ops.peak_memory import peak_of
from i2ibench.models.translators.updates import simultaneous_update
from i2ibench.training.optimizers import build_optimizers

LOCAL = {"base_channels": 32, "num_enhancers": 1}
SIZE = (2048, 1024)
PARTS = ["coarse", "enhancers", "head"]


def system(**options):
    return translator({**LOCAL, **options}, vgg=True)


@pytest.fixture(autouse=True)
def _without_contents():
    with FakeTensorMode():
        yield


def test_synthesis(benchmark):
    model, prepared = system().eval(), empty_batch(*SIZE)
    condition = prepared["condition"]

    def ours():
        with torch.inference_mode():
            return model(condition)

    tell(benchmark, "peak memory, synthesis", peak_of(ours), peak_of(lambda: model(condition)),
         0.2, 0.14)  # fmt: skip


STEPS = {
    "peak memory, step": ([], None, 0.9, 0.8),
    "peak memory, step with checkpointing": (PARTS, None, 0.6, 0.52),
    "peak memory, step bf16 with checkpointing": (PARTS, "bf16", 0.6, 0.28),
}


@pytest.mark.parametrize("row", STEPS)
def test_step(benchmark, row):
    """Gradients included, the update not."""
    parts, precision, bar, goal = STEPS[row]
    model, prepared = system(checkpointed=parts), empty_batch(*SIZE)
    optimizers = build_optimizers(model.networks(), BOTH_FUSED, precision)
    for optimizer in optimizers.values():
        optimizer.apply = lambda: None
    ours = peak_of(lambda: simultaneous_update(model, [prepared], optimizers))
    model.zero_grad(set_to_none=True)
    plain = PlainStep(system())
    tell(benchmark, row, ours, peak_of(lambda: plain(prepared)), bar, goal)


def tell(benchmark, row, ours, plain, bar, goal):
    note(benchmark, row, ours / plain, bar, goal)
    gib = {"ours": round(ours / 2**30, 2), "plain": round(plain / 2**30, 2)}
    benchmark.extra_info["GiB"] = gib
    print(f"\n{row}: {benchmark.extra_info}")
    benchmark.pedantic(lambda: None)
