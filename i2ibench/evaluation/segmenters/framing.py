"""How a network sees images: their size and levels on the way in, classes on the way out."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from i2ibench.errors import UserError, near_match
from i2ibench.evaluation.segmenters.outputs import check_count
from i2ibench.io.devices import most_precise_dtype
from i2ibench.models.ops.images import pad_to_multiple

Network = Callable[[Tensor], Tensor]
Settings = TypeVar("Settings", "Resizing", "Pixels")


@dataclass(frozen=True)
class Resizing:
    """The rules by which images and classes change size.

    Attributes:
        antialias: False interpolates between the four neighbours, as cv2.INTER_LINEAR does; True
            widens the filter when it reduces, as PIL's BILINEAR does. Both are computed in float
            and not rounded to whole levels.
        nearest: False brings scores back bilinearly (pixel centres on pixel centres) and decides
            then; True decides at the network's size and repeats class ids, as PIL's NEAREST does.
    """

    antialias: bool = False
    nearest: bool = False


@dataclass(frozen=True)
class Frame:
    """At what size a network sees images.

    Attributes:
        width, height: in pixels; None for the images' own size.
        resizing: the rules of the way there and back.
    """

    width: int | None = None
    height: int | None = None
    resizing: Resizing = Resizing()

    def __post_init__(self) -> None:
        sides = (self.width, self.height)
        if sides != (None, None) and not all(isinstance(s, int) and s > 0 for s in sides):
            raise UserError(
                "A segmenter sees images at a width and a height of at least 1 pixel, or at "
                f"their own size (None, None), not at {sides}."
            )

    def seen(self, images: Tensor) -> Tensor:
        """Float B3HW in 0..255 at the frame's size, for uint8 images B3HW."""
        levels, antialias = images.float(), self.resizing.antialias
        if self.width is None or self.height is None:
            return levels
        return _bilinear(levels, (self.height, self.width), antialias)


@dataclass(frozen=True)
class Pixels:
    """The values that a network takes: (levels - mean) / std / divisor.

    Attributes:
        mean, std: one each for red, green and blue (in this order if `bgr` is False, else for
            blue, green and red), on the scale 0..255.
        bgr: whether the network takes blue first.
        divisor: of everything, after mean and std.
    """

    mean: Sequence[float] = (0.0, 0.0, 0.0)
    std: Sequence[float] = (255.0, 255.0, 255.0)
    bgr: bool = False
    divisor: float = 1.0

    def __post_init__(self) -> None:
        if len(self.mean) != 3 or len(self.std) != 3 or not all(self.std) or not self.divisor:
            raise UserError(
                f"Pixels need three means and three deviations other than 0, got mean {self.mean}, "
                f"std {self.std}, divisor {self.divisor}."
            )

    def prepared(self, levels: Tensor) -> Tensor:
        """Float B3HW for the network, for float levels B3HW in 0..255, RGB."""
        ordered = levels.flip(1) if self.bgr else levels
        mean, std = (torch.tensor(v, device=levels.device) for v in (self.mean, self.std))
        return (ordered - mean.view(3, 1, 1)) / std.view(3, 1, 1) / self.divisor


IMAGENET = Pixels(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
"""torchvision's statistics: (0.485, 0.456, 0.406) and (0.229, 0.224, 0.225) times 255."""


@dataclass(frozen=True)
class Framing:
    """Everything between images and classes but the network itself.

    Attributes:
        frame, pixels: the way in.
        rows: for each output of the network its class's row in the scores; N, the class count,
            stands for "something else".
        stride: images are enlarged by their repeated edge until it divides both sides; the
            scores of the added part are cut off.
    """

    frame: Frame
    pixels: Pixels
    rows: tuple[int, ...]
    stride: int = 1

    def labels(self, network: Network, images: Tensor) -> Tensor:
        """Class ids, int64 BHW in 0..N, for uint8 images B3HW in RGB.

        Raises:
            UserError: see `scores`.
        """
        rows = torch.tensor(self.rows, device=images.device)
        if not self.frame.resizing.nearest:
            return rows[self.logits(network, images).argmax(1)]
        seen = self.frame.seen(images)
        classes = self.scores(network, seen).argmax(1, keepdim=True)
        classes = classes.to(most_precise_dtype(images.device))
        size = images.shape[-2:]
        return rows[F.interpolate(classes, size=size, mode="nearest-exact")[:, 0].long()]

    def logits(self, network: Network, images: Tensor) -> Tensor:
        """The network's scores in its own order of classes, BCHW at the size of the uint8 images.

        Raises:
            UserError: see `scores`.
        """
        return resized(self.scores(network, self.frame.seen(images)), images)

    def scores(self, network: Network, levels: Tensor) -> Tensor:
        """The network's scores at the size of the levels, float B3HW in 0..255.

        Raises:
            UserError: the network has another number of outputs than `rows`.
        """
        padded = pad_to_multiple(levels, self.stride)
        scores = network(self.pixels.prepared(padded))
        check_count(scores.shape[1], len(self.rows))
        height, width = levels.shape[-2:]
        if padded.shape == levels.shape:
            return scores
        return resized(scores, padded)[..., :height, :width]


def resized(scores: Tensor, like: Tensor) -> Tensor:
    """BCHW bilinearly at the size of `like`."""
    return _bilinear(scores, (like.shape[-2], like.shape[-1]))


def settled(published: Settings, changes: Mapping[str, Any] | None) -> Settings:
    """The published settings with a config's changes.

    Raises:
        UserError: a setting that does not exist, or an impossible value.
    """
    known = [field.name for field in dataclasses.fields(published)]
    for name in changes or {}:
        if name not in known:
            raise UserError(
                f"{type(published).__name__} has no setting {name!r}.{near_match(name, known)} "
                f"Settings: {', '.join(known)}."
            )
    return dataclasses.replace(published, **(changes or {}))


def _bilinear(x: Tensor, size: tuple[int, int], antialias: bool = False) -> Tensor:
    if tuple(x.shape[-2:]) == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", antialias=antialias)
