"""Networks that torchvision trained on ImageNet, as fixed feature extractors."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torchvision.models import alexnet, vgg16, vgg19

from i2ibench.errors import UserError, near_match
from i2ibench.io.weights import ALEXNET, VGG16, VGG19, PretrainedWeights, load_state
from i2ibench.models.layers.frozen import store_as_buffers
from i2ibench.models.ops.peak_memory import is_fake


class ImageNetNetwork(NamedTuple):
    """A network of torchvision that was trained on ImageNet.

    Attributes:
        title: its usual name.
        build: the function that builds it.
        weights: where its weights are found.
        taps: one layer of each block as indices into `features`: relu1_1, relu2_1, relu3_1,
            relu4_1 and relu5_1 of a VGG, all five ReLUs of AlexNet.
    """

    title: str
    build: Callable[..., Any]
    weights: PretrainedWeights
    taps: tuple[int, ...]


NETWORKS = {
    "vgg19": ImageNetNetwork("VGG19", vgg19, VGG19, (1, 6, 11, 20, 29)),
    "vgg16": ImageNetNetwork("VGG16", vgg16, VGG16, (1, 6, 11, 18, 25)),
    "alexnet": ImageNetNetwork("AlexNet", alexnet, ALEXNET, (1, 4, 7, 9, 11)),
}

SECOND_RELU_OF_EACH_BLOCK = (3, 8, 13, 22, 31)
"""relu1_2, relu2_2, relu3_2, relu4_2, relu5_2 of VGG19 as indices into `features`."""

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
        store_as_buffers(self)

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


def imagenet_network(name: str) -> ImageNetNetwork:
    """Return the facts about a network by its name in a config: vgg19, vgg16 or alexnet.

    Raises:
        UserError: the name is unknown.
    """
    if name not in NETWORKS:
        known = ", ".join(NETWORKS)
        raise UserError(f"network is one of {known}, not {name!r}.{near_match(name, NETWORKS)}")
    return NETWORKS[name]


def pretrained_features(
    name: str,
    taps: Sequence[int] | None = None,
    weights: str | None = None,
    average_pooling: bool = False,
) -> FeatureTaps:
    """Return the convolutions of an ImageNet network as a module that gives chosen activations.

    Layers behind the last chosen one are cut off, so that a file with the weights of `features`
    alone is enough. Fake tensors have no values, so that no file is read for them.

    Args:
        name: a name in `NETWORKS`.
        taps: the chosen layers as indices into torchvision's `features`; None for the network's
            own, one of each block.
        weights: path of a state dict; None looks where `PretrainedWeights.find` does.
        average_pooling: replace max pooling by average pooling, as CRN does.

    Raises:
        UserError: the name is unknown, or the file is missing or holds another network's weights.
    """
    network = imagenet_network(name)
    layers = network.build(weights=None).features
    if not is_fake(layers[0].weight):  # without values no file is needed
        path = weights or network.weights.require()
        state = load_state(path)
        own = {k.removeprefix("features."): v for k, v in state.items() if "features." in k}
        try:
            layers.load_state_dict(own)
        except RuntimeError as error:
            title = network.title
            raise UserError(f"{path} does not hold torchvision's {title}: {error}") from None
    if average_pooling:
        pools = (nn.AvgPool2d(2) if isinstance(x, nn.MaxPool2d) else x for x in layers)
        layers = nn.Sequential(*pools)
    return FeatureTaps(layers, network.taps if taps is None else taps)


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
