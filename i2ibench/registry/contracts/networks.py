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
            sizes are padded, and their outputs cropped.
        smallest_side: both sides of an input must have at least this number of pixels. Smaller
            inputs are padded.
        always_train: keep dropout and batch statistics as in training when the network translates.
            Its images then depend on the other images of a batch. Therefore scenes are translated
            one by one, with random numbers seeded by their name.
    """

    stride: Positive = 1
    smallest_side: Positive = 1
    always_train: bool = False

    def train(self, mode: bool = True) -> Self:
        """Set the network to training or evaluation mode, and return the network.

        With `always_train`, submodules always stay in training mode.

        Args:
            mode: True for training mode.
        """
        super().train(mode or self.always_train)
        self.training = mode
        return self


class Generator(_Translating):
    """A network that makes an image from a condition.

    The constructor takes `in_channels`, the channels of the condition. It takes `out_channels` if
    images may have other than 3 channels. Random numbers must come from torch's default generator.

    Attributes:
        height: the only number of rows that an input may have, or None for any.
        draws_noise: draw random numbers when translating. Scenes are then translated one by one,
            with random numbers seeded by their name, and several samples of a scene differ.
        accepts_labels: take a second argument `labels`, None or an
            `i2ibench.models.ops.one_hot_convolution.OneHot` with the class ids of the one-hot
            channels at the beginning of the condition. It is passed when no gradient is needed.
        works_in_tiles: implement `in_tiles`, so that images can be larger than the memory.
    """

    height: int | None = None
    draws_noise: bool = False
    accepts_labels: bool = False
    works_in_tiles: bool = False

    @abstractmethod
    def forward(self, condition: Tensor) -> Tensor:
        """Return the image B3HW for a condition BCHW; in [-1, 1] in evaluation mode."""

    def in_tiles(
        self, view: Callable[..., Any], size: tuple[int, int], tile: tuple[int, int]
    ) -> Tensor:
        """Return the image 13HW that `forward` gives, computed tile by tile, without gradients.

        Only generators with `works_in_tiles` define this method.

        Args:
            view: a function of a `i2ibench.models.layers.tiles.Tile` that returns the condition of
                the tile with its margin, and its `OneHot` or None.
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

        The result has a list of layers BCHW for each scale. Scores are B1HW, or B(N+1)HW for N
        classes.

        Args:
            x: condition and image BCHW. The image is the last three channels.
        """

    def of_several(self, condition: Tensor, images: Sequence[Tensor]) -> list[DiscriminatorOutput]:
        """Return the output of `forward` for each of several images B3HW of one condition BCHW.

        By default `forward` runs once for each image. Override it to compute parts that depend on
        the condition only once.
        """
        return [self(torch.cat([condition, image], 1)) for image in images]


class Encoder(_Translating):
    """A network that describes the appearance of each instance in an image by a few numbers.

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
            image: the real image, B3HW in [-1, 1].
            instance: the instance map, integer ids B1HW.
        """

    def in_tiles(self, image: Tensor, instance: Tensor, tile: tuple[int, int]) -> Tensor:
        """Return the features that `forward` gives; override it to compute them in tiles.

        By default `forward` computes them for the whole image.

        Args:
            image: as in `forward`.
            instance: as in `forward`.
            tile: (width, height) of a tile.
        """
        return self(image, instance)
