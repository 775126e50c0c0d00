"""A discriminator on pretrained features (Projected GAN, Sauer et al. 2021, arXiv 2111.01007).

Licence: Apache-2.0, like the rest. Written from the paper (Sec. 3: feature network, cross-channel
and cross-scale mixing, one discriminator for each scale).

Distances on EfficientNet's features must not be the headline number of a system that this
discriminator trained, since the system was trained on these features.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm
from typing_extensions import Self

from i2ibench.errors import UserError
from i2ibench.io.weights import EFFICIENTNET_LITE0, load_state
from i2ibench.models.layers.frozen import store_as_buffers
from i2ibench.models.ops.images import as_rgb
from i2ibench.models.ops.peak_memory import has_values
from i2ibench.registry import DISCRIMINATORS
from i2ibench.registry.contracts import Discriminator
from i2ibench.structures import DiscriminatorOutput

ARCHITECTURE = "tf_efficientnet_lite0"
SCALES = (1, 2, 3, 4)
"""timm's indices of the features with 1/4, 1/8, 1/16 and 1/32 of the image's size."""


@DISCRIMINATORS.register_module()
class ProjectedDiscriminator(Discriminator):
    """Four small discriminators on fixed pretrained features, beside one on condition and image.

    The features are those of an ImageNet network at four scales, mixed at random across channels
    and scales. Each scale has a head with spectral norm that scores patches. As in the paper the
    heads see the image alone; whether it fits the condition is judged by the other discriminator.

    Differences from the paper: the network is EfficientNet-Lite0, not Lite1. All heads have equal
    architecture and score at half the size of their features, so that images may have any size;
    the paper's heads all end at one size. The discriminator beside them is not in the paper. For
    the paper's augmentation, wrap it in a DiffAugmentDiscriminator.

    The mixing is part of checkpoints, because the heads fit only their own. The features are not.

    Args:
        in_channels: channels of the condition and the image together.
        image_channels: channels of the image, 1 or 3; comes from the data set.
        discriminator: config of the discriminator on condition and image; by default a
            PatchDiscriminator.
        mixed_channels: channels of the mixed features at 1/4 of the image's size, and of their
            head. They double at each coarser scale.
        seed: seed of the mixing.
        weights: path of timm's state dict for `tf_efficientnet_lite0`; None searches for the file
            that `i2ibench convert` writes.

    Raises:
        UserError: the image has other channels, timm is not installed, or the weights are missing
            or do not fit.
    """

    def __init__(
        self,
        in_channels: int,
        image_channels: int = 3,
        discriminator: Mapping[str, Any] | None = None,
        mixed_channels: int = 64,
        seed: int = 0,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        as_rgb(torch.empty(image_channels, 0, 0, device="meta"), type(self).__name__)
        self.image_channels = image_channels
        options = {"in_channels": in_channels, "image_channels": image_channels}
        config = discriminator or {"type": "PatchDiscriminator"}
        self.network = DISCRIMINATORS.build_for(config, options)
        self.features = PretrainedFeatures(weights)
        widths = [mixed_channels * 2**scale for scale in range(len(SCALES))]
        self.mixing = RandomMixing(self.features.channels, widths, seed)
        self.heads = nn.ModuleList(PatchHead(width) for width in widths)

    @staticmethod
    def contract_options(folder: Path) -> dict[str, Any]:
        """Return the options of the contract tests; random weights are written into the folder."""
        import pytest

        timm = pytest.importorskip("timm")
        torch.manual_seed(0)
        path = folder / EFFICIENTNET_LITE0.filename
        torch.save(timm.create_model(ARCHITECTURE, pretrained=False).state_dict(), path)
        patches = {"type": "PatchDiscriminator", "base_channels": 4}
        return {"weights": str(path), "mixed_channels": 4, "discriminator": patches}

    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Return the activations of the heads and of the other discriminator, finest scores first.

        Each entry lists the activations of one head or of one scale of the other discriminator,
        the scores B1HW last. Mixed features are not among them. In training each call takes one
        step of the power iteration.

        Args:
            x: the condition and the image in [-1, 1], concatenated to BCHW; the image is the last
                `image_channels`.
        """
        count = self.image_channels
        return self.of_several(x[:, :-count], [x[:, -count:]])[0]

    def of_several(self, condition: Tensor, images: Sequence[Tensor]) -> list[DiscriminatorOutput]:
        """Return the outputs of `forward` for several images of one condition, in their order.

        All images see the same weights. In training each call takes one step of the power
        iteration.

        Args:
            condition: BCHW.
            images: several batches BCHW, such as the fake and the real images.
        """
        with parametrize.cached():
            outputs = self.network.of_several(condition, images)
            return [
                sorted([*self._of_heads(image), *output], key=_rows, reverse=True)
                for image, output in zip(images, outputs, strict=True)
            ]

    def _of_heads(self, image: Tensor) -> DiscriminatorOutput:
        mixed = self.mixing(self.features(as_rgb(image, type(self).__name__)))
        return [head(x) for head, x in zip(self.heads, mixed, strict=True)]


class PretrainedFeatures(nn.Module):
    """ImageNet features of EfficientNet-Lite0 at 1/4, 1/8, 1/16 and 1/32 of the image's size.

    The weights are non-persistent buffers: no optimiser trains them, and no checkpoint contains
    them. The network stays in evaluation mode. Fake and meta tensors have no values, so that no
    file is read for them.

    Args:
        weights: see ProjectedDiscriminator.

    Attributes:
        channels: the channels of the features of each scale.

    Raises:
        UserError: timm is not installed, or the weights are missing or do not fit.
    """

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        network = _timm().create_model(
            ARCHITECTURE, pretrained=False, features_only=True, out_indices=SCALES
        )
        if has_values(network.conv_stem.weight):
            _load(network, weights or EFFICIENTNET_LITE0.require())
        store_as_buffers(network)
        self.channels: list[int] = network.feature_info.channels()
        self.network = network.eval()

    def train(self, mode: bool = True) -> Self:
        """Return the network, whose batch norm stays in evaluation mode whatever the mode is."""
        return super().train(False)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Return the features BCHW of images B3HW in [-1, 1], finest scale first.

        The network expects (v - 127) / 128 for values v in 0..255. Gradients flow to the images.
        """
        return self.network((127.5 * image + 0.5) / 128)


class RandomMixing(nn.Module):
    """Fixed random mixing of features across channels and scales (Sec. 3.2, Fig. 2).

    A 1x1 convolution mixes the channels of each scale. Then, from the coarsest scale to the finest,
    each scale adds a 3x3 convolution of the enlarged coarser result. The weights are normal with
    the variance 1 / fan-in (Kaiming), and persistent buffers. Nothing is trained.

    Args:
        channels: channels of the features of each scale, finest first.
        widths: channels of the mixed features of each scale.
        seed: seed of the weights, which do not depend on torch's global random numbers.
    """

    def __init__(self, channels: Sequence[int], widths: Sequence[int], seed: int) -> None:
        super().__init__()
        generator = torch.Generator("cpu").manual_seed(seed)
        self.count = len(widths)
        for scale, (features, width) in enumerate(zip(channels, widths, strict=True)):
            weight = _kaiming((width, features, 1, 1), generator)
            self.register_buffer(f"across_channels_{scale}", weight)
        for scale, (fine, coarse) in enumerate(zip(widths, widths[1:], strict=False)):
            weight = _kaiming((fine, coarse, 3, 3), generator)
            self.register_buffer(f"across_scales_{scale}", weight)

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return the mixed features BCHW of each scale from features BCHW, finest scale first."""
        mixed = [
            F.conv2d(x, self.get_buffer(f"across_channels_{scale}"))
            for scale, x in enumerate(features)
        ]
        for scale in reversed(range(self.count - 1)):
            size = mixed[scale].shape[-2:]
            coarse = F.interpolate(mixed[scale + 1], size, mode="bilinear", align_corners=False)
            weight = self.get_buffer(f"across_scales_{scale}")
            mixed[scale] = mixed[scale] + F.conv2d(coarse, weight, padding=1)
        return mixed


class PatchHead(nn.Module):
    """Three 3x3 convolutions with spectral norm that score patches of features.

    The first has stride 2, the others stride 1.

    Args:
        channels: channels of the features and of the hidden layers.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        geometry = ((channels, 2), (channels, 1), (1, 1))
        self.layers = nn.ModuleList(
            spectral_norm(nn.Conv2d(channels, out_channels, 3, stride, padding=1))
            for out_channels, stride in geometry
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the activations of the layers for features BCHW, the scores B1HW last."""
        activations = []
        for layer in self.layers[:-1]:
            x = F.leaky_relu(layer(x), 0.2)
            activations.append(x)
        return [*activations, self.layers[-1](x)]


def _rows(layers: Sequence[Tensor]) -> int:
    return layers[-1].shape[-2]


def _timm() -> Any:
    try:
        import timm
    except ImportError as error:
        raise UserError(
            f'ProjectedDiscriminator needs timm ({error}): pip install "i2ibench[projected]"'
        ) from None
    return timm


def _load(network: nn.Module, path: Path | str) -> None:
    """Load those weights of a state dict that a network has, and refuse a file that lacks some.

    The file may also hold the classifier, which the network lacks.
    """
    given, own = load_state(path), network.state_dict()
    try:
        network.load_state_dict({name: given[name] for name in own if name in given})
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"{path} does not hold the weights of timm's {ARCHITECTURE}: {reason} "
            f"Get them with: {EFFICIENTNET_LITE0.obtain}"
        ) from None


def _kaiming(shape: tuple[int, int, int, int], generator: torch.Generator) -> Tensor:
    """Return normal weights of a shape with the variance 1 / fan-in; none for meta tensors."""
    weight = torch.empty(shape)
    if not has_values(weight):
        return weight
    return nn.init.kaiming_normal_(weight, nonlinearity="linear", generator=generator)
