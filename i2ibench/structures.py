"""Types that the packages exchange: Sample, Batch, Prediction, Step and Losses.

Shapes: B batch, C channels, H height, W width, N classes, K scales, L layers.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor
from typing_extensions import NotRequired, TypedDict

DiscriminatorOutput = list[list[Tensor]]
"""The activations of a discriminator: a list of layers for each scale, finest scale first.

The last layer holds the scores: B1HW, or B(N+1)HW for a discriminator that classifies pixels."""


class Sample(TypedDict):
    """One scene as a data set yields it, with integer tensors.

    It has at least a label map or a source image. Images are uint8, or int32 in 0..65535 for 16-bit
    data. Images of three channels are RGB. A kind of data that a plugin adds has its own key (see
    `i2ibench.data.kinds`).
    """

    name: str
    label: NotRequired[Tensor]  # uint8 [1,H,W], class ids
    source: NotRequired[Tensor]  # image [C,H,W]: edges or another image to translate
    instance: NotRequired[Tensor]  # int32 [1,H,W]
    image: NotRequired[Tensor]  # image [C,H,W]


def size_of(sample: Sample) -> tuple[int, int]:
    """Return the (height, width) of a scene, taken from the first tensor of its sample."""
    tensor = next(value for value in sample.values() if isinstance(value, Tensor))
    return tensor.shape[-2], tensor.shape[-1]


class Batch(TypedDict):
    """A batch of scenes on the device, ready for the networks."""

    names: list[str]
    condition: NotRequired[Tensor]  # float BCHW; absent if computed tile by tile
    label: NotRequired[Tensor]  # uint8 B1HW
    instance: NotRequired[Tensor]  # int32 B1HW
    source: NotRequired[Tensor]  # image BCHW; present if `condition` is absent
    image: NotRequired[Tensor]  # image BCHW; present if an absent condition needs it
    features: NotRequired[Tensor]  # float BCHW in [-1, 1]: the instance styles
    real: NotRequired[Tensor]  # float BCHW in [-1, 1]


@dataclass(frozen=True)
class Appearance:
    """The true appearance of an instance, for data that records it.

    Attributes:
        name: the name of the appearance, such as "turquoise"; a class has a few of them.
        rgb: (red, green, blue) in 0..255, before lighting and haze.
    """

    name: str
    rgb: tuple[int, int, int]


class SceneStyles(Protocol):
    """The styles of one scene, and renderings of the scene in other styles."""

    def encoded(self) -> Mapping[int, tuple[Sequence[float], int]]:
        """Return (features, mode) of each instance of the scene, by instance id.

        The encoder computes the features from the real image. The mode is the nearest one of the
        instance's class in the style bank, or -1 if the class has none.
        """

    def intended(self, label: int) -> Tensor:
        """Return the colour that each mode of a class stands for, float64 [K,3] in 0..255.

        It is nan where unknown.

        Args:
            label: the class.
        """

    def repaint(self, instance: int, modes: Sequence[int]) -> Tensor:
        """Return images of the scene with one instance in other modes, uint8 [1+n,3,H,W].

        The first image has sampled styles for all instances. Each other image gives the instance
        one of the modes, in their order.

        Args:
            instance: the instance's id.
            modes: n modes of the instance's class.
        """


class Prediction(TypedDict):
    """One translated scene. Images are integers, so that saved files get the same scores."""

    name: str
    fake: Tensor  # image [C,H,W], uint8; int32 for 16 bits
    label: NotRequired[Tensor]  # uint8 [1,H,W]
    instance: NotRequired[Tensor]  # int32 [1,H,W]
    source: NotRequired[Tensor]  # image [C,H,W]
    samples: NotRequired[Tensor]  # images [S,C,H,W], several translations of the scene
    real: NotRequired[Tensor]  # image [C,H,W]
    appearances: NotRequired[Mapping[int, Appearance]]  # by instance id
    styles: NotRequired[SceneStyles]


def to_predictions(fakes: Tensor, data: Mapping[str, Any]) -> list[Prediction]:
    """Return one prediction for each scene of a batch, in order.

    A prediction has all data of its scene. The data's `image` is called `real` in a prediction.

    Args:
        fakes: the translated images, integer BCHW.
        data: the collated samples that the images were made from.
    """
    predictions: list[Prediction] = []
    for i, name in enumerate(data["name"]):
        prediction: Any = {"name": name, "fake": fakes[i]}
        for kind in data.keys() - {"name"}:
            prediction["real" if kind == "image" else kind] = data[kind][i]
        predictions.append(prediction)
    return predictions


@dataclass(frozen=True)
class Step:
    """The tensors that a loss may read in one training step.

    Attributes:
        condition: the input of the generator, BCHW.
        fake: the generated images, BCHW in [-1, 1], with gradient.
        real: the real images, BCHW in [-1, 1].
        fake_outputs: the discriminator's outputs for the fake images, with gradient; None without
            a discriminator.
        real_outputs: the discriminator's outputs for the real images; None without a
            discriminator. The generator's losses detach them.
        label: the label maps, integer B1HW; None if the data has none.
        discriminate: a function that runs the discriminator on other images BCHW of this
            condition; None without a discriminator.
    """

    condition: Tensor
    fake: Tensor
    real: Tensor
    fake_outputs: DiscriminatorOutput | None = None
    real_outputs: DiscriminatorOutput | None = None
    label: Tensor | None = None
    discriminate: Callable[[Tensor], DiscriminatorOutput] | None = None


@dataclass(frozen=True)
class Losses:
    """The scalar losses of a training step, before its backward passes.

    Attributes:
        totals: the loss that each optimiser minimises, by the name of the optimiser and in the
            order of the backward passes. An optimiser gets gradients of its own parameters only.
        logs: the unweighted losses for the log, by name. The training step detaches them.
    """

    totals: dict[str, Tensor]
    logs: dict[str, Tensor]


class NetworkUpdates(Protocol):
    """An optimiser of one network that accumulates gradients before each step."""

    def zero_grad(self) -> None:
        """Set the gradients of the network's parameters to None."""

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which losses are computed with the configured precision."""

    def add_gradient(self, loss: Tensor, retain_graph: bool = False, last: bool = True) -> None:
        """Add the gradient of a scalar loss to those of the network's parameters.

        Args:
            loss: the scalar.
            retain_graph: keep the graph for another backward pass.
            last: state that no other gradient follows before `apply`.
        """

    def apply(self) -> None:
        """Take one optimiser step with the added gradients, averaged over all processes."""


Optimizers = Mapping[str, NetworkUpdates]
"""The optimisers of a translator by name, see `Translator.networks`."""
