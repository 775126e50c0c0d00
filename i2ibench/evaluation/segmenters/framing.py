"""The way from images into a network and back: sizes, pixel values and classes."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from i2ibench.errors import UserError, near_match
from i2ibench.io.devices import most_precise_dtype
from i2ibench.models.ops.images import pad_to_multiple

Network = Callable[[Tensor], Tensor]
Settings = TypeVar("Settings", "Resizing", "Pixels")


@dataclass(frozen=True)
class Resizing:
    """The rules for resizing images and labels.

    Attributes:
        antialias: False interpolates between the four neighbours, as cv2.INTER_LINEAR does. True
            widens the filter when it reduces, as PIL's BILINEAR does. Both compute in float and do
            not round.
        nearest: False resizes class scores bilinearly (align_corners=False) before the argmax. True
            takes the argmax at the network's size and repeats class ids, as PIL's NEAREST does.
    """

    antialias: bool = False
    nearest: bool = False


@dataclass(frozen=True)
class Frame:
    """The size at which a network receives images.

    Attributes:
        width, height: the size in pixels; None for both keeps the size of the images.
        resizing: the rules for resizing images and labels.

    Raises:
        UserError: a side is no positive integer, or only one side is given.
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

    def resize(self, images: Tensor) -> Tensor:
        """Resize images uint8 B3HW to the network's width and height, float B3HW in 0..255.

        Without a width and height they keep their size.
        """
        levels, antialias = images.float(), self.resizing.antialias
        if self.width is None or self.height is None:
            return levels
        return _bilinear(levels, (self.height, self.width), antialias)


@dataclass(frozen=True)
class Pixels:
    """The pixel values that a network expects: (levels - mean) / std / divisor.

    Attributes:
        mean, std: one value for each of red, green and blue, on the scale 0..255. With `bgr` their
            order is blue, green, red.
        bgr: the network expects the channels in the order blue, green, red.
        divisor: a further divisor of all values.

    Raises:
        UserError: there are not three values, or a divisor is 0.
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
        """Return a network's input, float B3HW, for RGB images with float levels B3HW in 0..255.

        The input is (levels - mean) / std / divisor; with `bgr` its channels are in reverse order.
        """
        ordered = levels.flip(1) if self.bgr else levels
        mean, std = (torch.tensor(v, device=levels.device) for v in (self.mean, self.std))
        return (ordered - mean.view(3, 1, 1)) / std.view(3, 1, 1) / self.divisor


IMAGENET = Pixels(mean=(123.675, 116.28, 103.53), std=(58.395, 57.12, 57.375))
"""torchvision's statistics: (0.485, 0.456, 0.406) and (0.229, 0.224, 0.225) times 255."""


@dataclass(frozen=True)
class Framing:
    """All computation between images and labels except the network itself.

    Attributes:
        frame: the size of the network's input.
        pixels: the pixel values of the network's input.
        rows: for each output of the network the row of its class in the scores. The value N, the
            number of classes, stands for "something else".
        stride: images are padded by repeating their edge until this number divides both sides. The
            scores of the padding are cropped.
    """

    frame: Frame
    pixels: Pixels
    rows: tuple[int, ...]
    stride: int = 1

    def labels(self, network: Network, images: Tensor) -> Tensor:
        """Segment RGB images uint8 B3HW; return their pixels' classes, int64 BHW in 0..N.

        Classes are positions among the N scored classes; N is "something else".

        Args:
            network: a function from prepared images B3HW to class scores BCHW.
            images: the images, of any size.

        Raises:
            UserError: see `scores`.
        """
        rows = torch.tensor(self.rows, device=images.device)
        if not self.frame.resizing.nearest:
            return rows[self.logits(network, images).argmax(1)]
        levels = self.frame.resize(images)
        classes = self.scores(network, levels).argmax(1, keepdim=True)
        classes = classes.to(most_precise_dtype(images.device))
        size = images.shape[-2:]
        return rows[F.interpolate(classes, size=size, mode="nearest-exact")[:, 0].long()]

    def logits(self, network: Network, images: Tensor) -> Tensor:
        """Return the network's class scores for images uint8 B3HW, BCHW at the images' own size.

        C is the number of outputs of the network, which may be other classes than the scored ones.

        Raises:
            UserError: see `scores`.
        """
        return resize_like(self.scores(network, self.frame.resize(images)), images)

    def scores(self, network: Network, levels: Tensor) -> Tensor:
        """Pad and prepare resized images, run the network on them and return its class scores BCHW.

        Args:
            network: a function from prepared images B3HW to class scores BCHW.
            levels: RGB images of the network's size, float B3HW in 0..255. If they are padded to a
                multiple of `stride`, the scores are resized and cut to the size of `levels`.
                Without padding the scores keep the size of the network's output.

        Raises:
            UserError: the network's number of outputs differs from the length of `rows`.
        """
        padded = pad_to_multiple(levels, self.stride)
        scores = network(self.pixels.prepared(padded))
        _check_count(scores.shape[1], len(self.rows))
        height, width = levels.shape[-2:]
        if padded.shape == levels.shape:
            return scores
        return resize_like(scores, padded)[..., :height, :width]


def resize_like(scores: Tensor, like: Tensor) -> Tensor:
    """Resize images BCHW bilinearly to the height and width of `like`."""
    return _bilinear(scores, (like.shape[-2], like.shape[-1]))


def _bilinear(x: Tensor, size: tuple[int, int], antialias: bool = False) -> Tensor:
    if tuple(x.shape[-2:]) == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", antialias=antialias)


def override(published: Settings, changes: Mapping[str, Any] | None) -> Settings:
    """Return a copy of published settings with the values that a config changes by name.

    Args:
        published: the `Resizing` or `Pixels` of a network.
        changes: the new values by the setting's name, or None for none.

    Raises:
        UserError: a setting does not exist, or its value is impossible.
    """
    known = [field.name for field in dataclasses.fields(published)]
    for name in changes or {}:
        if name not in known:
            raise UserError(
                f"{type(published).__name__} has no setting {name!r}.{near_match(name, known)} "
                f"Settings: {', '.join(known)}."
            )
    return dataclasses.replace(published, **(changes or {}))


def rows_of(
    num_outputs: int,
    scored_classes: Sequence[str],
    outputs: Sequence[str | None] | None = None,
) -> tuple[int, ...]:
    """Return for each output of a network the position of its class among the scored classes.

    The position N, the number of scored classes, stands for "something else".

    Args:
        num_outputs: the number of outputs of the network.
        scored_classes: the names of the N scored classes, in the order of the scores.
        outputs: for each output the name of a scored class, or None for "something else". Several
            outputs may have one class. A class without an output is never predicted. None as a
            whole means: the scored classes in order, and "something else" for further outputs.

    Raises:
        UserError: the counts do not fit (the message has both), or a name is no scored class.
    """
    num_classes = len(scored_classes)
    if outputs is None:
        if num_outputs < num_classes:
            raise UserError(
                f"The network has {num_outputs} outputs, fewer than the {num_classes} scored "
                "classes; say which class each output is with the segmenter's `outputs`."
            )
        return tuple(min(output, num_classes) for output in range(num_outputs))
    _check_count(num_outputs, len(outputs))
    return tuple(num_classes if name is None else _row(name, scored_classes) for name in outputs)


def _check_count(num_outputs: int, described: int) -> None:
    """Check that a config describes as many outputs as the network has."""
    if num_outputs != described:
        raise UserError(
            f"The network has {num_outputs} outputs, but the segmenter's `outputs` describe "
            f"{described}."
        )


def _row(name: str, scored_classes: Sequence[str]) -> int:
    if name not in scored_classes:
        raise UserError(
            f"The segmenter's `outputs` name {name!r}, which is no scored class."
            f"{near_match(name, scored_classes)} Scored: {', '.join(scored_classes)}. An output "
            "that is not scored is None."
        )
    return list(scored_classes).index(name)
