"""The contracts of metrics and of the feature networks that they use."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from i2ibench.structures import Prediction

Rows = NDArray[Any]


class Summable(Protocol):
    """Rows of numbers, one per scene, whose sums have scores."""

    @property
    def rows(self) -> NDArray[np.float64]:
        """Return the rows, float64 [scenes,D]."""

    def scores(self, sums: NDArray[np.float64]) -> Mapping[str, Any]:
        """Return the scores by name, each [...], for sums of rows [...,D]."""


@dataclass(frozen=True)
class MetricRows:
    """The rows that a metric measured, and the metric that scores their sums."""

    metric: "Metric"
    rows: NDArray[np.float64]

    def scores(self, sums: NDArray[np.float64]) -> Mapping[str, Any]:
        """Return the metric's scores for sums of rows [...,D]."""
        return self.metric.scores(sums)


class Metric(ABC):
    """A measure of translated scenes: numbers for each scene, and scores of all of them.

    The constructor may take `classes`, `scored_classes`, `scored_ids`, `thing_ids`, `palette`:
    entries of the data set's metainfo, which are then given.

    Attributes:
        kind: "additive", where scores follow from the sum of one row per scene (`scores`); "set",
            where they compare all rows with those of the reference photos (`set_scores`).
        needs: keys of a `Prediction` that `measure` reads besides "name" and "fake"; or "training
            photos", by which styles know their colours. Systems and data that lack one are not
            scored.
        better: by score "higher" or "lower", whichever is better. Scores that it does not name are
            reported and not ranked.
        unavailable: why the metric cannot be computed here, such as missing weights; or None.
        weight_files: the files of weights that it uses; results hold their hashes.
        has_figures: have `figures`.
        needs_rgb: read uint8 images of three channels only. Grey ones are then given with three
            equal channels, and data whose photos are others is not scored. A metric without it
            reads uint8, and int32 of 16 bits, in any number of channels.
    """

    kind: Literal["additive", "set"] = "additive"
    needs: tuple[str, ...] = ()
    better: Mapping[str, str]
    unavailable: str | None = None
    weight_files: Sequence[Path] = ()
    has_figures: bool = False
    needs_rgb: bool = True

    @abstractmethod
    def measure(self, predictions: Sequence[Prediction]) -> Sequence[Rows]:
        """Return the numbers of each scene: float64 [D], or [n,D] for a set of n things."""

    def scores(self, sums: NDArray[np.float64]) -> Mapping[str, Any]:
        """Return the scores by name, each [...], for sums of rows [...,D]; of the additive kind.

        A score is nan where it is undefined.
        """
        raise NotImplementedError(f"{type(self).__name__} has no scores.")

    def set_scores(self, rows: Rows, reference: Rows) -> Mapping[str, Any]:
        """Return a `SetScore` by name for all rows and those of the photos; of the kind "set"."""
        raise NotImplementedError(f"{type(self).__name__} has no set_scores.")

    def refine(self, rows: Sequence[Rows]) -> Summable:
        """Return one row per scene that adds, and its scores, from the rows of all scenes.

        Override it where a scene's row depends on other scenes, as in cross-validation.
        """
        return MetricRows(self, np.stack(rows).astype(np.float64))

    def figures(self, rows: Sequence[Rows]) -> Mapping[str, Any]:
        """Return numbers in plain JSON that the report draws charts from; see `has_figures`."""
        return {}


class SegmentationMetric(Metric):
    """A metric that labels images, whose labels the report shows beside them.

    Attributes:
        classes: names of the scored classes, N.
        segmenter: the network; images are moved to its device.
    """

    classes: Sequence[str]
    segmenter: nn.Module

    @abstractmethod
    def predict(self, images: Sequence[Tensor]) -> list[Tensor]:
        """Return scored rows for images uint8 [3,H,W], int64 [H,W] each; N is none of them."""

    @abstractmethod
    def true_rows(self, label: Tensor) -> Tensor:
        """Return the scored rows of a label map uint8 [1,H,W], int64 [H,W]; N is void."""


class Feature(ABC):
    """A network that describes images as vectors, whose distributions metrics compare.

    Attributes:
        frechet_name: name of the Fréchet distance over these features, such as "fd_vgg16".
        kernel_name: name of the kernel distance over them, such as "kid_vgg16".
        unavailable: why the features cannot be computed here, such as missing weights; or None.
        weight_files: the files of weights that it uses; results hold their hashes.
        executes_weights: run the file of the option `weights` as a program (TorchScript, ONNX). A
            protocol that a checkpoint names is refused where it asks for such a part.
    """

    frechet_name: str
    kernel_name: str
    unavailable: str | None = None
    weight_files: Sequence[Path] = ()
    executes_weights: bool = False

    @abstractmethod
    def extract(self, images: Tensor) -> Tensor:
        """Return features float32 [N,D] on the device of the images, uint8 N3HW.

        The features of an image must not depend on the other images.
        """
