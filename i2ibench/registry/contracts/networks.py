"""The contracts of generators, discriminators and encoders."""

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from typing_extensions import Self

from i2ibench.registry.contracts.promises import Positive
from i2ibench.structures import DiscriminatorOutput


class _Translating(nn.Module, metaclass=ABCMeta):
    """The promises of a network that makes images: a generator or an encoder.

    Attributes:
        stride: both sides of an input must be multiples of this number of pixels. Inputs of other
            sizes are padded before, and outputs cropped after.
        smallest_side: both sides of an input must have at least this number of pixels. Smaller
            inputs are padded.
        always_train: keep dropout and batch statistics as in training when the network translates.
            Its images then depend on the other images of a batch, so scenes go through one by one,
            each with random numbers that its name seeds.
    """

    stride: Positive = 1
    smallest_side: Positive = 1
    always_train: bool = False

    def train(self, mode: bool = True) -> Self:
        """Switch modes; with `always_train` dropout and batch statistics stay as in training."""
        super().train(mode or self.always_train)
        self.training = mode
        return self


class Generator(_Translating):
    """A network that makes an image from a condition.

    The constructor takes `in_channels`, the channels of the condition, and `out_channels` where
    images may have other than 3 channels. Random numbers must come from torch's own generator.

    Attributes:
        height: the only number of rows that an input may have, or None for any.
        draws_noise: draw random numbers when translating. Scenes then go through one by one, each
            with random numbers that its name seeds, and several samples of a scene differ.
        accepts_labels: take a second argument `labels`, None or an
            `i2ibench.models.ops.one_hot_convolution.OneHot`, which holds the class ids behind the
            one-hot channels that the condition begins with. It is given when no gradient is needed.
        works_in_tiles: have `in_tiles`, so that images larger than the memory can be made.
    """

    height: int | None = None
    draws_noise: bool = False
    accepts_labels: bool = False
    works_in_tiles: bool = False

    @abstractmethod
    def forward(self, condition: Tensor) -> Tensor:
        """Return the image B3HW for a condition BCHW, in [-1, 1] in evaluation mode."""

    def in_tiles(
        self, view: Callable[..., Any], size: tuple[int, int], tile: tuple[int, int]
    ) -> Tensor:
        """Return the image 13HW that `forward` gives, computed tile by tile, without gradients.

        Args:
            view: gives the condition of a tile with its margin, for a
                `i2ibench.models.layers.tiles.Tile`, and its `OneHot` or None.
            size: (height, width) of the image, multiples of `stride`.
            tile: (width, height) of a tile.
        """
        raise NotImplementedError(f"{type(self).__name__} does not work in tiles.")


class Discriminator(nn.Module, metaclass=ABCMeta):
    """A network that scores images, patch by patch, at one or more scales.

    The constructor takes `in_channels`, the channels of condition and image together, or
    `num_classes`, or both.
    """

    @abstractmethod
    def forward(self, x: Tensor) -> DiscriminatorOutput:
        """Return the activations of all layers, by scale, finest first; the last are the scores.

        Args:
            x: condition and image, BCHW; the image is the last three channels.
        """

    def of_several(self, condition: Tensor, images: Sequence[Tensor]) -> list[DiscriminatorOutput]:
        """Return the answer to each of several images B3HW of one condition BCHW.

        The answers are those of `forward` for each image. Override it to compute only once what
        depends on the condition alone.
        """
        return [self(torch.cat([condition, image], 1)) for image in images]


class Encoder(_Translating):
    """A network that describes the appearance of each instance of a photo by a few numbers.

    Attributes:
        out_channels: numbers per instance.
        num_styles: modes of each class that the style bank clusters from these numbers.
    """

    out_channels: Positive
    num_styles: Positive = 10

    @abstractmethod
    def forward(self, image: Tensor, instance: Tensor) -> Tensor:
        """Return features BCHW in [-1, 1], constant over the pixels of each instance.

        Args:
            image: the photo, B3HW in [-1, 1].
            instance: integer B1HW.
        """

    def in_tiles(self, image: Tensor, instance: Tensor, tile: tuple[int, int]) -> Tensor:
        """Return the features that `forward` gives; override it to compute them in tiles.

        Args:
            image: as in `forward`.
            instance: as in `forward`.
            tile: (width, height) of a tile.
        """
        return self(image, instance)
