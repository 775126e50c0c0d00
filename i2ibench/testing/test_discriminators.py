"""A discriminator promises per scale its layers, the last of them the scores."""

from typing import Any

import pytest
import torch
from torch import nn

from i2ibench.testing.network_checks import assert_every_parameter_learns, assert_same_after_loading
from i2ibench.testing.parts import IN_CHANNELS, NUM_CLASSES, Workshop


def _discriminator(name: str, contract_part: Workshop) -> Any:
    return contract_part("discriminator", name, in_channels=IN_CHANNELS, num_classes=NUM_CLASSES)


@pytest.mark.contract("discriminator")
@pytest.mark.parametrize("size", [(32, 32), (33, 47)])
def test_a_discriminator_gives_scores_per_scale_after_its_features(name, size, contract_part):
    network = _discriminator(name, contract_part)
    scales = network(torch.randn(2, IN_CHANNELS, *size))
    assert isinstance(scales, list) and scales and all(isinstance(s, list) for s in scales), (
        "a discriminator must give a list over scales of lists over layers (one scale: [[...]]); "
        f"{name} gave {type(scales).__name__}"
    )
    for layers in scales:
        assert len(layers) >= 2, (
            "feature matching needs at least one layer before the scores at every scale; "
            f"{name} gave {len(layers)}"
        )
        assert layers[-1].shape[:2] in ((2, 1), (2, NUM_CLASSES + 1)), (
            "the last layer must be the scores, B1HW, or B(N+1)HW if the discriminator tells N "
            f"classes apart (here {NUM_CLASSES}); {name} gave {tuple(layers[-1].shape)}"
        )
        for layer in layers:
            assert layer.shape[0] == 2, f"every layer must keep the batch; {name} lost it"
            assert layer.isfinite().all(), f"every layer must be finite; {name}'s is not"
    heights = [layers[-1].shape[-2] for layers in scales]
    assert heights == sorted(heights, reverse=True), (
        f"the finest scale must come first; {name}'s scores have the heights {heights}"
    )


@pytest.mark.contract("discriminator")
def test_a_discriminator_learns_with_every_parameter_and_is_reproducible(name, contract_part):
    def build() -> nn.Module:
        return _discriminator(name, contract_part)

    image = torch.randn(1, IN_CHANNELS, 32, 48)
    network = build()
    scores = [layers[-1].square().sum() for layers in network(image)]
    assert_every_parameter_learns(name, network, torch.stack(scores).sum())
    assert_same_after_loading(name, build, image)


@pytest.mark.contract("discriminator")
@pytest.mark.parametrize("size", [(32, 32), (33, 47)])
def test_answers_of_several_images_are_those_of_each_alone(name, size, contract_part):
    network = _discriminator(name, contract_part).double().eval()  # training may be random
    condition = torch.randn(2, IN_CHANNELS - 3, *size, dtype=torch.float64)
    images = list(torch.randn(2, 2, 3, *size, dtype=torch.float64))
    results = []
    for answers in (
        network.of_several(condition, images),
        [network(torch.cat([condition, image], 1)) for image in images],
    ):
        layers = [layer for scales in answers for scale in scales for layer in scale]
        total = torch.stack([(i + 1) * x.square().mean() for i, x in enumerate(layers)]).sum()
        results.append((layers, torch.autograd.grad(total, list(network.parameters()))))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(
            one,
            other,
            msg=lambda text: (
                f"{name}.of_several(condition, images) must give what each image alone gives, "
                f"with the same gradients: {text}"
            ),
        )
