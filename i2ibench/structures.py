"""The nouns that travel: Sample, Batch, Prediction, Step and Losses.

Shapes: B batch, C channels, H height, W width, N classes, K scales, L layers.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor
from typing_extensions import NotRequired, TypedDict

DiscriminatorOutput = list[list[Tensor]]
"""A discriminator's answer: per scale (finest first) its layers; the last layer is the scores.

Scores are B1HW, or B(N+1)HW of a discriminator that tells N classes apart."""


class Sample(TypedDict):
    """One scene as a data set yields it, in compact integers; a label map or a source at least.

    Images are uint8 or, of 16 bits, int32 in 0..65535; three channels are RGB. A kind of data
    that a plugin adds has a key of its own (see `i2ibench.data.kinds`).
    """

    name: str
    label: NotRequired[Tensor]  # uint8 [1,H,W], class ids
    source: NotRequired[Tensor]  # image [C,H,W]: edges or another image to translate
    instance: NotRequired[Tensor]  # int32 [1,H,W]
    image: NotRequired[Tensor]  # image [C,H,W]


def size_of(sample: Sample) -> tuple[int, int]:
    """The (height, width) of a scene."""
    tensor = next(value for value in sample.values() if isinstance(value, Tensor))
    return tensor.shape[-2], tensor.shape[-1]


class Batch(TypedDict):
    """Several scenes on the device, ready for the networks."""

    names: list[str]
    condition: NotRequired[Tensor]  # float BCHW; left out where it is made tile by tile
    label: NotRequired[Tensor]  # uint8 B1HW
    instance: NotRequired[Tensor]  # int32 B1HW
    source: NotRequired[Tensor]  # image BCHW, where the condition is left out
    image: NotRequired[Tensor]  # image BCHW, where a left-out condition is made of photos
    features: NotRequired[Tensor]  # float BCHW in [-1, 1], styles, where images are made with them
    real: NotRequired[Tensor]  # float BCHW in [-1, 1]


@dataclass(frozen=True)
class Appearance:
    """How an instance truly looks, where the data records it.

    Attributes:
        name: of the look, such as "turquoise" or "cobbles"; one of a few per class.
        rgb: 0..255, before light and haze.
    """

    name: str
    rgb: tuple[int, int, int]


class SceneStyles(Protocol):
    """What an encoder and its style bank say of one scene, and the scene in other styles."""

    def encoded(self) -> Mapping[int, tuple[Sequence[float], int]]:
        """By instance id its features in the photo, and the nearest mode of its class or -1."""

    def intended(self, label: int) -> Tensor:
        """The colours that the modes of a class stand for, float64 [K,3]; nan where unknown."""

    def repaint(self, instance: int, modes: Sequence[int]) -> Tensor:
        """The scene as sampled, then with one instance in each of the modes, uint8 [1+n,3,H,W]."""


class Prediction(TypedDict):
    """One translated scene; images in integers, so that memory and saved files score alike."""

    name: str
    fake: Tensor  # image [C,H,W], uint8 or, of 16 bits, int32
    label: NotRequired[Tensor]  # uint8 [1,H,W]
    instance: NotRequired[Tensor]  # int32 [1,H,W]
    source: NotRequired[Tensor]  # image [C,H,W]
    samples: NotRequired[Tensor]  # images [S,C,H,W], several translations of the scene
    real: NotRequired[Tensor]  # image [C,H,W]
    appearances: NotRequired[Mapping[int, Appearance]]  # by instance id
    styles: NotRequired[SceneStyles]


def to_predictions(fakes: Tensor, data: Mapping[str, Any]) -> list[Prediction]:
    """One prediction per scene of collated data, for the images BCHW made from it."""
    predictions: list[Prediction] = []
    for i, name in enumerate(data["name"]):
        prediction: Any = {"name": name, "fake": fakes[i]}
        for kind in data.keys() - {"name"}:
            prediction["real" if kind == "image" else kind] = data[kind][i]
        predictions.append(prediction)
    return predictions


@dataclass(frozen=True)
class Step:
    """All that a loss may read in one training step.

    Attributes:
        condition: BCHW.
        fake: the generated images, BCHW in [-1, 1], with gradient.
        real: the photos, BCHW in [-1, 1].
        fake_outputs: the discriminator's answer to the fake, with gradient; None without one.
        real_outputs: its answer to the photos; the generator's losses detach it.
        label: the scenes' label maps, integer B1HW; None where the data has none.
        discriminate: the discriminator, which answers for other images of this condition.
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
    """The scalars that a training step computes before its backward passes.

    Attributes:
        totals: by the name of an optimiser the scalar that it minimises, in the order of the
            backward passes; each optimiser gets the gradients of its own parameters only.
        logs: named scalars for the log, without their weights; detached when they are logged.
    """

    totals: dict[str, Tensor]
    logs: dict[str, Tensor]


class NetworkUpdates(Protocol):
    """An optimiser of one network, which gathers gradients and then takes one step."""

    def zero_grad(self) -> None:
        """Set the gradients to None."""

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context in which the networks run at the chosen precision."""

    def add_gradient(self, loss: Tensor, retain_graph: bool = False, last: bool = True) -> None:
        """Add the gradient of a scalar.

        Args:
            loss: a scalar.
            retain_graph: keep the graph for another backward pass.
            last: whether no other gradient follows before `apply`.
        """

    def apply(self) -> None:
        """Take one step down the added gradients, averaged over all processes."""


Optimizers = Mapping[str, NetworkUpdates]
"""The optimisers of a translator by the names of its networks."""
