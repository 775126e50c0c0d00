"""The training step over pixels, batch, instances, scales and levels; pooling over instances."""

import torch
from bench_memory import peak_of
from systems import BOTH_FUSED, batch, translator

from i2ibench.models.ops.labels import instance_average
from i2ibench.training.optimizers import build_optimizers
from scaling_parts.curves import LINEAR, Bar, Curve, named, pixels, timed, width_of

TIME, PEAK = "CPU seconds", "MiB of tensors at the peak"
FLAT = Bar(0, 2.0)
GENERATOR = {"num_downsamplings": 3, "num_blocks": 3}


def curves(plan):
    widths = plan.take([256, 384, 512, 768, 1024], [128, 256])
    yield from time_and_peak(
        "step over pixels", "pixels", pixels(widths), lambda n: step(plan, width_of(n)), plan
    )
    sizes = named(plan.take([1, 2, 4, 8], [1, 2]))
    width = plan.take(256, 128)
    yield from time_and_peak(
        "step over batch", "scenes in a batch", sizes, lambda n: step(plan, width, n), plan
    )
    sizes = named([side * side for side in plan.take([4, 8, 16], [2, 4])])
    for name, bar, prepare in (
        ("whole step", FLAT, lambda n: step(plan, width, instances=n)),
        ("pooling alone, 512×256", FLAT, pooling),
    ):
        rounds = timed(prepare, sizes, plan.take(5, 1))
        yield Curve("instances", name, "instances in a scene", TIME, sizes, rounds, bar)
    for name, most, prepare in (
        ("discriminator scales", 4, lambda n: step(plan, width, num_scales=n)),
        ("generator levels", 3, lambda n: step(plan, width, levels=n)),
    ):
        sizes = named(range(1, plan.take(most, 2) + 1))
        rounds = timed(prepare, sizes, plan.take(4, 1))
        yield Curve("step over depth", name, "scales, levels", TIME, sizes, rounds, LINEAR)


def time_and_peak(panel, size, sizes, prepare, plan):
    """Two curves of the same calls."""
    rounds = timed(prepare, sizes, plan.take(4, 1))
    yield Curve(f"{panel}: time", "CPU time", size, TIME, sizes, rounds, LINEAR)
    peaks = [peak_of_second(prepare(number)) / 2**20 for number in sizes]
    yield Curve(f"{panel}: memory", "peak", size, PEAK, sizes, [peaks], LINEAR, "counted")


def peak_of_second(function):
    """Bytes of a call after another, whose Adam has its moments already."""
    function()
    return peak_of(function)


def step(plan, width, size=1, instances=None, num_scales=2, levels=2):
    """A training step of a small system with all its parts; batches of ToyStreet."""
    generator = {**GENERATOR, "base_channels": plan.take(8, 2), "num_enhancers": levels - 1}
    discriminator = {"base_channels": plan.take(16, 4), "num_scales": num_scales}
    model = translator(
        generator,
        discriminator={"type": "MultiScaleDiscriminator", **discriminator},
        encoder={"type": "InstanceEncoder", "base_channels": 8, "num_downsamplings": 3},
    )
    optimizers = build_optimizers(model.networks(), BOTH_FUSED)
    prepared = batch(plan.folder / f"{width}x{size}", width, width // 2, size)
    if instances is not None:
        side = round(instances**0.5)
        prepared["instance"] = blocks(side, width, width // 2).repeat(size, 1, 1, 1)
    return lambda: model.train_step(prepared, optimizers)


def pooling(instances):
    """Averages over instances of three channels, forward and backward."""
    instance = blocks(round(instances**0.5), 512, 256)
    features = torch.randn(1, 3, 256, 512, requires_grad=True)
    weight = torch.randn(1, 3, 256, 512)
    return lambda: instance_average(features, instance).backward(weight)


def blocks(side, width, height):
    """side x side instances with ids as Cityscapes has them, int32 [1,1,H,W]."""
    ids = torch.arange(side * side, dtype=torch.int32).reshape(1, 1, side, side) + 26000
    return ids.repeat_interleave(height // side, 2).repeat_interleave(width // side, 3)
