"""VGG19 as a fixed feature extractor."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.models import vgg19

from i2ibench.errors import UserError
from i2ibench.io.weights import VGG19, load_state
from i2ibench.models.ops.peak_memory import is_fake

FIRST_RELU_OF_EACH_BLOCK = (1, 6, 11, 20, 29)
"""relu1_1, relu2_1, relu3_1, relu4_1, relu5_1 as indices into torchvision's `features`."""

SECOND_RELU_OF_EACH_BLOCK = (3, 8, 13, 22, 31)
"""relu1_2, relu2_2, relu3_2, relu4_2, relu5_2 as indices into torchvision's `features`."""

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class FeatureTaps(nn.Module):
    """A fixed chain of layers that returns the activations at the chosen indices, each BCHW.

    The weights become non-persistent buffers, so that no optimiser trains them and no checkpoint
    contains them.
    """

    def __init__(self, layers: nn.Sequential, taps: Sequence[int]) -> None:
        super().__init__()
        self.layers = layers[: max(taps) + 1]
        self.taps = frozenset(taps)
        for layer in self.layers:
            for name, weight in list(layer.named_parameters()):
                delattr(layer, name)
                layer.register_buffer(name, weight.detach(), persistent=False)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the activations of the chosen layers for images B3HW, each BCHW, shallow to deep.

        The images are normalised as the network expects them, see `normalise_for_imagenet`.
        Gradients flow to the images only.
        """
        activations = []
        for index, layer in enumerate(self.layers):
            x = layer(x)
            if index in self.taps:
                activations.append(x)
        return activations


def pretrained_vgg19(
    taps: Sequence[int], weights: str | None = None, average_pooling: bool = False
) -> FeatureTaps:
    """Return torchvision's ImageNet VGG19 as a module that gives the activations of chosen layers.

    Layers behind the last chosen one are cut off. Fake tensors have no values, so that no file is
    read for them.

    Args:
        taps: the chosen layers as indices into torchvision's `vgg19().features`.
        weights: path of a state dict; None takes the file in torchvision's cache.
        average_pooling: replace max pooling by average pooling, as CRN does.

    Raises:
        UserError: the file is missing or does not hold VGG19's weights.
    """
    network = vgg19(weights=None)
    if not is_fake(network.features[0].weight):  # without values no file is needed
        path = weights or VGG19.require()
        try:
            network.load_state_dict(load_state(path))
        except RuntimeError as error:
            raise UserError(f"{path} does not hold torchvision's VGG19: {error}") from None
    layers = network.features
    if average_pooling:
        pools = (nn.AvgPool2d(2) if isinstance(x, nn.MaxPool2d) else x for x in layers)
        layers = nn.Sequential(*pools)
    return FeatureTaps(layers, taps)


def normalise_for_imagenet(image: Tensor) -> Tensor:
    """Return images B3HW in [-1, 1] normalised by ImageNet's mean and deviation per channel.

    torchvision's ImageNet networks expect this.
    """
    mean, deviation = _by_channel(IMAGENET_MEAN, image), _by_channel(IMAGENET_STD, image)
    return ((image + 1) / 2 - mean) / deviation


def _by_channel(values: Sequence[float], like: Tensor) -> Tensor:
    """Return one number per channel as a tensor 1C11 with the type and the device of `like`.

    The numbers are filled in on the device, so that a GPU does not wait for a copy.
    """
    return torch.stack([like.new_full((), value) for value in values]).view(1, -1, 1, 1)
