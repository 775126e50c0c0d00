"""Two gloo processes on one machine: the gradients' means beside plain DistributedDataParallel.

    make bench

Figures are CPU seconds of a process, which computes on one thread. The link is the machine's own
memory: what a network makes a GPU wait for is not measured. The ways take turns. Compare within one
run.
"""

import time
from statistics import median

import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from i2ibench.registry import PREPROCESSORS, TRANSLATORS
from i2ibench.training.optimizers import build_optimizers
from tests.unit.models.translators.processes import TwoProcesses

ADAM = {"type": "Adam", "lr": 2e-4, "betas": (0.5, 0.999)}
ROUNDS = 15


def small_translator():
    torch.manual_seed(0)
    model = dict(
        type="PairedTranslator",
        generator=dict(
            type="CoarseToFineGenerator", num_enhancers=0, base_channels=32, num_downsamplings=4,
            num_blocks=3,
        ),
        discriminator=dict(type="MultiScaleDiscriminator", num_scales=2, base_channels=32),
        adversarial=dict(type="LeastSquaresGAN"),
        losses=dict(feature_matching=dict(type="FeatureMatching", weight=10.0)),
    )  # fmt: skip
    preprocessor = PREPROCESSORS.build({"type": "LabelPreprocessor"}, num_classes=35)
    return TRANSLATORS.build(model, data_preprocessor=preprocessor)


def scenes():
    label = torch.randint(0, 35, (1, 1, 64, 128), dtype=torch.uint8)
    photo = torch.randint(0, 256, (1, 3, 64, 128), dtype=torch.uint8)
    return {"name": ["s"], "label": label, "instance": label.int() * 1000, "image": photo}


def of_one_network():
    """By name a function that makes the same step of one generator."""
    model = small_translator()
    batch = model.data_preprocessor(scenes(), training=True)
    condition, real = batch["condition"], batch["real"]
    plain = small_translator().generator
    wrapped = DistributedDataParallel(plain, gradient_as_bucket_view=True)
    adam = torch.optim.Adam(plain.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
    named = dict(model.generator.named_parameters())
    optimizer = build_optimizers({"generator": named}, {"generator": ADAM})["generator"]

    def plain_step():
        adam.zero_grad()
        (wrapped(condition) - real).abs().mean().backward()
        adam.step()

    def own_step():
        optimizer.update((model.generator(condition) - real).abs().mean())

    return {"this project": own_step, "plain DDP": plain_step}


def of_two_networks():
    """By name a function that makes one update of G and D."""
    ways = {}
    for way in ("this project", "no exchange"):
        model = small_translator()
        optimizers = build_optimizers(model.networks(), {"generator": ADAM, "discriminator": ADAM})
        if way == "no exchange":
            for optimizer in optimizers.values():
                optimizer.ddp = None
        ways[way] = lambda model=model, optimizers=optimizers: model.train_step(
            scenes(), optimizers
        )
    return ways


def measured(rank, ways):
    """CPU seconds of each way in turns, without the first round."""
    torch.set_num_threads(1)
    steps = ways()
    seconds = {way: [] for way in steps}
    for _ in range(ROUNDS + 1):
        for way, step in steps.items():
            dist.barrier()
            begin = time.process_time()
            step()
            seconds[way].append(time.process_time() - begin)
    return {way: taken[1:] for way, taken in seconds.items()}


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    with TwoProcesses(tmp_path_factory.mktemp("group")) as processes:
        yield processes


@pytest.mark.parametrize("ways", [of_one_network, of_two_networks])
def test_step_beside_other_ways_to_average(benchmark, two, ways):
    answers = benchmark.pedantic(two.call, args=(measured, ways), kwargs={"seconds": 600}, rounds=1)
    seconds = answers[0]
    own = seconds["this project"]
    for way, taken in seconds.items():
        benchmark.extra_info[f"{way}, s"] = round(median(taken), 4)
        ratio = median(a / b for a, b in zip(own, taken, strict=True))
        benchmark.extra_info[f"this project / {way}"] = round(ratio, 3)
