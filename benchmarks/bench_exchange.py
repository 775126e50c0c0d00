"""Two gloo processes on one machine: gradients exchanged during the backward pass, or after it.

    make bench

The time is that of both networks' backward passes with the exchange, as in one update of the
generator and the discriminator; the ways take turns. Both processes compute on one thread each, and
the link is the machine's own memory: an exchange costs processor time here and no waiting, which is
the worst case for overlapping. Compare within one run.
"""

import time
from statistics import median

import pytest
import torch
import torch.distributed as dist

from i2ibench.registry import PREPROCESSORS, TRANSLATORS
from i2ibench.translators.exchange import GradientExchange
from i2ibench.translators.optimizers import build_optimizers
from tests.unit.translators.processes import TwoProcesses

ADAM = {"type": "Adam", "lr": 2e-4, "betas": (0.5, 0.999)}
ROUNDS = 9


def small_translator():
    torch.manual_seed(0)
    model = dict(
        type="PairedTranslator",
        generator=dict(
            type="CoarseToFineGenerator", num_enhancers=0, base_channels=32, num_downsamplings=4,
            num_blocks=3,
        ),
        discriminator=dict(type="MultiScaleDiscriminator", num_scales=2, base_channels=32),
        encoder=dict(type="InstanceEncoder", base_channels=8, num_downsamplings=2),
        adversarial=dict(type="LeastSquaresGAN"),
        losses=dict(feature_matching=dict(type="FeatureMatching", weight=10.0)),
    )  # fmt: skip
    preprocessor = PREPROCESSORS.build({"type": "LabelPreprocessor"}, num_classes=35)
    return TRANSLATORS.build(model, data_preprocessor=preprocessor)


def scenes():
    label = torch.randint(0, 35, (1, 1, 64, 128), dtype=torch.uint8)
    photo = torch.randint(0, 256, (1, 3, 64, 128), dtype=torch.uint8)
    return {"name": ["s"], "label": label, "instance": label.int() * 1000, "image": photo}


def average_afterwards(parameters):
    """One message with everything, as before there was an exchange."""
    gradients = [p.grad for p in parameters]
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    sizes = [g.numel() for g in gradients]
    for gradient, mean in zip(gradients, flat.split(sizes), strict=True):
        gradient.copy_(mean.view_as(gradient))


def backward_and_exchange(way, model, optimizers, batch):
    """Seconds from the first backward pass to the last mean."""
    step = model.forward_step(batch)
    losses = {"generator": model.generator_loss(step)[0]}
    losses["discriminator"] = sum(model.discriminator_loss(step).values())
    for optimizer in optimizers.values():
        optimizer.zero_grad()
    dist.barrier()
    begin = time.perf_counter()
    for name, loss in losses.items():
        retain = name == "generator"
        optimizers[name].add_gradient(loss, retain, last=way == "overlapped")
    for optimizer in optimizers.values():
        if way == "one message afterwards":
            average_afterwards(optimizer.parameters)
        elif way != "no exchange":
            optimizer.exchange.finish()
    return time.perf_counter() - begin


def measured(rank, bucket_bytes):
    torch.set_num_threads(1)
    model = small_translator()
    optimizers = build_optimizers(model.networks(), {"generator": ADAM, "discriminator": ADAM})
    for optimizer in optimizers.values():
        optimizer.exchange = GradientExchange(optimizer.parameters, bucket_bytes)
    batch = model.data_preprocessor(scenes(), training=True)
    ways = ("overlapped", "buckets afterwards", "one message afterwards", "no exchange")
    seconds = {way: [] for way in ways}
    for number in range(ROUNDS + 1):
        for way in ways:
            taken = backward_and_exchange(way, model, optimizers, batch)
            if number:  # the first round warms up
                seconds[way].append(taken)
    sizes = {n: sum(p.numel() for p in o.parameters) * 4 for n, o in optimizers.items()}
    return seconds, sizes, [len(o.exchange.buckets) for o in optimizers.values()]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    with TwoProcesses(tmp_path_factory.mktemp("group")) as processes:
        yield processes


@pytest.mark.parametrize("mebibytes", [1, 5, 25])
def test_exchange_during_and_after_the_backward_pass(benchmark, two, mebibytes):
    arguments = (measured, mebibytes * 2**20)
    answers = benchmark.pedantic(two.call, args=arguments, kwargs={"seconds": 600}, rounds=1)
    seconds, sizes, buckets = answers[0]
    for way, taken in seconds.items():
        benchmark.extra_info[f"{way}, s"] = round(median(taken), 4)
        if way == "overlapped":
            continue
        pairs = zip(seconds["overlapped"], taken, strict=True)
        benchmark.extra_info[f"overlapped / {way}"] = round(median(a / b for a, b in pairs), 3)
    benchmark.extra_info |= {"bytes": sizes, "buckets": buckets}
