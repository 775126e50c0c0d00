"""Operations on labels and instances beside the plain way, and what the Runner adds to a step.

    make bench

Results are equal: exactly, or for averages to float32's rounding.
"""

import time
from statistics import median

import numpy as np
import pytest
import torch
from plain import ops as plain
from side_by_side import in_turns, note

from i2ibench.data.datasets.toystreet import drawn_streets
from i2ibench.models.ops.confusion import full_confusion
from i2ibench.models.ops.images import colour_labels
from i2ibench.models.ops.labels import instance_average
from i2ibench.registry import PREPROCESSORS
from i2ibench.registry.configuration import load_config
from i2ibench.testing.tiny_datasets import write_paired_scenes
from i2ibench.training.optimizers import build_optimizers
from i2ibench.training.runner import build_runner
from i2ibench.training.stage import Stage
from tests.conftest import write_tiny_config


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Four collated scenes of 512x256."""
    dataset = drawn_streets(str(tmp_path_factory.mktemp("t")), num_scenes=4, width=512, height=256)
    return torch.utils.data.default_collate([dataset[i] for i in range(4)])


@pytest.mark.parametrize(("batch", "bar", "goal"), [(1, 3, 6), (4, 9, 20)])
def test_instance_pooling(benchmark, scenes, batch, bar, goal):
    instance = scenes["instance"][:batch]
    ours, loop = (forward_and_backward(way, instance) for way in AVERAGES)
    for one, two in zip(ours(), loop(), strict=True):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-5)
    row = f"instance pooling, forward and backward, 512x256 B{batch}"
    in_turns(benchmark, ours, loop, row, bar, goal, rounds=9)


AVERAGES = (instance_average, plain.instance_average)


def forward_and_backward(average, instance):
    """What gives the averages and the gradient of three channels."""
    batch, _, height, width = instance.shape
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(batch, 3, height, width, generator=generator, requires_grad=True)
    weight = torch.randn(batch, 3, height, width, generator=generator)

    def both():
        features.grad = None
        averaged = average(features, instance)
        averaged.backward(weight)
        return averaged.detach(), features.grad

    return both


def test_instance_pooling_is_flat_in_the_number_of_instances(benchmark):
    few, many = (forward_and_backward(instance_average, blocks(n)) for n in (4, 16))
    row = "instance pooling: time with 256 instances over 16"
    in_turns(benchmark, few, many, row, 2, 1, rounds=15)


def blocks(side):
    """side x side instances with ids as Cityscapes has them, int32 [1,1,256,512]."""
    ids = torch.arange(side * side, dtype=torch.int32).reshape(1, 1, side, side) + 26000
    return ids.repeat_interleave(256 // side, 2).repeat_interleave(512 // side, 3)


def test_condition(benchmark):
    generator = torch.Generator().manual_seed(0)
    label = torch.randint(0, 35, (1, 1, 16, 32), dtype=torch.uint8, generator=generator)
    label = label.repeat_interleave(32, 2).repeat_interleave(32, 3)
    arguments = label, label.int() * 1000, 35
    preprocessor = PREPROCESSORS.build({"type": "LabelPreprocessor"}, num_classes=35)
    data = {"name": ["s"], "label": label, "instance": arguments[1]}
    assert torch.equal(preprocessor(data)["condition"], plain.condition(*arguments))
    in_turns(
        benchmark,
        lambda: preprocessor(data),
        lambda: plain.condition(*arguments),
        "condition: one-hot and boundaries, 1024x512", 1.5, 1.9, rounds=9,
    )  # fmt: skip


def test_label_colouring(benchmark, scenes):
    label = scenes["label"][0].repeat_interleave(2, 1).repeat_interleave(2, 2)
    palette = np.random.default_rng(0).integers(0, 256, (35, 3)).tolist()
    assert torch.equal(colour_labels(label, palette), plain.coloured(label, palette))
    in_turns(
        benchmark,
        five_times(lambda: colour_labels(label, palette)),
        five_times(lambda: plain.coloured(label, palette)),
        "label colouring, 35 classes, 1024x512", 5, 11, rounds=9,
    )  # fmt: skip


def five_times(function):
    """Milliseconds are too short to be timed one by one."""

    def repeated():
        for _ in range(5):
            function()

    return repeated


def test_confusion_matrix(benchmark):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randint(0, 19, (2, 64, 128), dtype=torch.uint8, generator=generator)
    predicted, target = maps.repeat_interleave(16, 1).repeat_interleave(16, 2)
    target[:50] = 255
    expected = plain.confusion(predicted, target, 19)
    assert torch.equal(full_confusion(predicted, target, 19)[:19, :19], expected)
    in_turns(
        benchmark,
        lambda: full_confusion(predicted, target, 19),
        lambda: plain.confusion(predicted, target, 19),
        "confusion matrix, 19 classes, 2048x1024", 1.5, 2.4, rounds=9,
    )  # fmt: skip


def test_runner_over_a_bare_loop(benchmark, tmp_path):
    """Milliseconds that the Runner with its hooks adds to a step that costs nothing."""
    root = write_paired_scenes(tmp_path / "paired", count=150)
    config = write_tiny_config(tmp_path / "tiny.py", root)
    off = {"hooks.images": None, "hooks.styles": None, "hooks.checkpoints": None}
    off |= {"protocol": None, "train_cfg.max_epochs": 2, "train_cfg.val_interval": 9}
    off |= {"param_scheduler": []}
    changes = {**off, "hooks.log.interval": 20}
    runner = build_runner(Stage(load_config(config, changes, tmp_path / "r")))
    began = []

    def step(data, optim_wrapper):
        began.append(time.process_time())
        return losses

    losses = {f"loss{i}": torch.ones(()) for i in range(6)}
    runner.model.train_step = step
    runner.train()
    with_runner, began[:] = steps(began), []
    for _ in range(2):
        for data in runner.train_dataloader:
            step(data, None)
    added = 1000 * (with_runner - steps(began))
    note(benchmark, "Runner over a bare loop, ms a step", added, 1, 0.4)
    benchmark.pedantic(lambda: None)


def test_discriminator_passes_of_a_step(benchmark, tmp_path):
    root = write_paired_scenes(tmp_path / "paired", count=2)
    config = load_config(write_tiny_config(tmp_path / "tiny.py", root), {}, tmp_path / "run")
    runner, calls = build_runner(Stage(config)), []
    scores = [m for m in runner.model.discriminator.modules() if isinstance(m, torch.nn.Conv2d)][-1]
    scores.register_forward_hook(lambda *_: calls.append(1))
    data = next(iter(runner.train_dataloader))
    optimizers = build_optimizers(runner.model.networks(), config.optimizers)
    runner.model.train_step(data, optimizers)
    note(benchmark, "discriminator passes of a step", len(calls), 2, 2)
    benchmark.extra_info["less is better"] = True
    benchmark.pedantic(lambda: None)


def steps(began):
    """The median time from one step's beginning to the next."""
    return median(np.diff(began).tolist())
