"""The public contract tests tell a plugin's author in a sentence what is broken, and the fix."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch import nn

from i2ibench.errors import UserError
from i2ibench.registry import REGISTRIES
from i2ibench.registry.contracts import (
    AdversarialLoss,
    Dataset,
    Encoder,
    Executor,
    Generator,
    Loss,
    Metric,
    Preprocessor,
    Transform,
)
from i2ibench.testing import (
    test_datasets,
    test_encoders,
    test_executors,
    test_generators,
    test_losses,
    test_metrics,
    test_preprocessors,
    test_transforms,
)
from i2ibench.testing.parts import Workshop


@contextmanager
def registered(kind, part):
    """Registers a part as Poor and gives what builds it."""
    REGISTRIES[kind].register_module(name="Poor", module=part)
    try:
        yield
    finally:
        REGISTRIES[kind].module_dict.pop("Poor")


class Poor(Dataset):
    """What a reader of `dataset[i]` and `.metainfo` alone might write."""

    def __init__(self, seed: int = 0) -> None:
        self.metainfo = {"classes": ["a"]}

    def __len__(self):
        return 1

    def __getitem__(self, key):
        return {"name": "a"}


class Seedless(Poor):
    def __init__(self) -> None:
        super().__init__()


@pytest.mark.parametrize(
    ("part", "missing"),
    [(Poor, "does not set scenes"), (Seedless, "does not take 'seed'")],
)
def test_a_data_set_without_its_promise_fails_with_the_promise(part, missing, tmp_path):
    with registered("dataset", part), pytest.raises(UserError, match=missing):
        test_datasets.test_a_data_set_has_scenes_and_takes_a_seed(
            "Poor", Workshop(lambda name: tmp_path)
        )


class Plain(Generator):
    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, 3, 3, padding=1)

    def forward(self, condition):
        return self.conv(condition).tanh()


class Noisy(Plain):
    def forward(self, condition):
        return (self.conv(condition) + torch.randn(len(condition), 1, 1, 1)).tanh()


class Silent(Plain):
    draws_noise = True


class Halving(Plain):
    """Takes multiples of 4 alone and says 2."""

    stride = 2

    def forward(self, condition):
        small = nn.functional.pixel_unshuffle(condition, 4)
        return nn.functional.pixel_shuffle(small.tanh(), 4)[:, :3]


class Tiling(Plain):
    works_in_tiles = True

    def in_tiles(self, view, size, tile):
        return torch.zeros(1, 3, *size)


class Forgetful(Plain):
    accepts_labels = True

    def forward(self, condition, labels=None):
        return super().forward(condition) * (1 if labels is None else 0)


class ReadsAnswers(Loss):
    def forward(self, step):
        return sum(layer.square().mean() for scale in step.fake_outputs for layer in scale)


class ReadsStep(AdversarialLoss):
    def generator(self, fake):
        return fake.fake_outputs[0][-1].mean()

    def discriminator(self, *answers):
        return answers


class Narrow(Encoder):
    out_channels = 2
    stride = 2

    def forward(self, image, instance):
        return nn.functional.pixel_unshuffle(image, 4)[:, :2]


class ReadsPhoto(Metric):
    better = {"gap": "lower"}

    def measure(self, predictions):
        return [np.array([float((p["fake"] != p["real"]).sum())]) for p in predictions]

    def scores(self, sums):
        return {"gap": sums[..., 0]}


class Misnamed(ReadsPhoto):
    needs = ("real",)

    def scores(self, sums):
        return {"Gap": sums[..., 0]}


class Always(Transform):
    def transform(self, arrays):
        return arrays


class Random(Transform):
    deterministic = True

    def transform(self, arrays):
        flip = arrays["rng"].random() < 0.5
        return {**arrays, "label": arrays["label"][:, ::-1] if flip else arrays["label"]}


class Lone(Executor):
    def run(self, grid, cells):
        return None


class Wrong(Preprocessor):
    """The labels behind the photo, not before it."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = self.one_hot_channels = num_classes
        self.condition_channels = num_classes

    def forward(self, data, training=False):
        planes = nn.functional.one_hot(data["label"][:, 0].long(), self.num_classes)
        return {"condition": planes.permute(0, 3, 1, 2).flip(1).float()}


IN_GENERATORS = [
    (Noisy, "says_whether_it_draws_noise", "let it say draws_noise = True"),
    (Silent, "says_whether_it_draws_noise", "let it say draws_noise = False"),
    (Halving, "takes_the_sizes_that_it_says", "says stride = 2, .* so it must take"),
    (Tiling, "that_works_in_tiles_gives_the_same_image", "Poor's differs by"),
    (Forgetful, "that_looks_labels_up_gives_the_same_image", "Poor's differs by"),
]


@pytest.mark.parametrize(("part", "test", "sentence"), IN_GENERATORS)
def test_a_generator_that_breaks_a_promise_is_told_which(part, test, sentence, tmp_path):
    workshop = Workshop(lambda name: tmp_path)
    sizes = {"strides": 0} if "sizes" in test else {}
    with registered("generator", part), pytest.raises(AssertionError, match=sentence):
        vars(test_generators)[f"test_a_generator_{test}"]("Poor", contract_part=workshop, **sizes)


IN_OTHERS = [
    ("loss", ReadsAnswers, test_losses.test_a_loss_says_whether_it_needs_a_discriminator,
     "let it say needs_discriminator = True"),
    ("loss", ReadsStep, test_losses.test_an_adversarial_loss_says_what_it_reads,
     "generator is given the scores, and fails .* or say takes_step = True"),
    ("encoder", Narrow, test_encoders.test_an_encoder_takes_the_sizes_that_it_says_also_in_tiles,
     "says stride = 2 and smallest_side = 1, so it must take 4x2 pixels, and fails"),
    ("metric", ReadsPhoto,
     test_metrics.test_a_metric_measures_each_scene_by_itself_and_scores_their_sum,
     "Poor reads 'real' of a prediction: let its `needs` name that"),
    ("metric", Misnamed,
     test_metrics.test_a_metric_measures_each_scene_by_itself_and_scores_their_sum,
     "better must name scores that the metric gives; Poor gives no gap, only Gap"),
    ("transform", Always, test_transforms.test_a_transform_says_whether_it_draws_random_numbers,
     "let it say deterministic = True"),
    ("transform", Random, test_transforms.test_a_transform_says_whether_it_draws_random_numbers,
     "let it say deterministic = False"),
    ("executor", Lone, test_executors.test_an_executor_is_called_as_every_executor_is,
     r"run must take \(grid, cells, arguments, watch\)"),
    ("preprocessor", Wrong,
     test_preprocessors.test_a_preprocessor_gives_as_many_channels_as_it_says,
     "the condition must begin with the one-hot labels"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "part", "test", "sentence"), IN_OTHERS)
def test_a_part_that_breaks_a_promise_is_told_which(kind, part, test, sentence, tmp_path):
    with registered(kind, part), pytest.raises(AssertionError, match=sentence):
        test("Poor", contract_part=Workshop(lambda name: tmp_path))
