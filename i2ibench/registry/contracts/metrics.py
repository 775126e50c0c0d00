"""The contracts of metrics and of the feature networks that metrics use."""

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
    """An object with rows of numbers, one per scene, and scores of sums of these rows."""

    @property
    def rows(self) -> NDArray[np.float64]:
        """Return the rows of numbers, one per scene, float64 [scenes,D]."""

    def scores(self, sums: NDArray[np.float64]) -> Mapping[str, Any]:
        """Return the scores by name, each [...], for sums of rows [...,D].

        Args:
            sums: one or more sums over scenes, such as those of bootstrap samples.
        """


@dataclass(frozen=True)
class MetricRows:
    """The rows that a metric measured, with the metric that computes scores from their sums."""

    metric: "Metric"
    rows: NDArray[np.float64]

    def scores(self, sums: NDArray[np.float64]) -> Mapping[str, Any]:
        """Return the metric's scores by name, each [...], for sums of rows [...,D]."""
        return self.metric.scores(sums)


class Metric(ABC):
    """A metric that measures each translated scene and computes scores from all measurements.

    The constructor may take entries of the data set's metainfo: `classes`, `scored_classes`,
    `scored_ids`, `thing_ids`, `palette`.

    Attributes:
        kind: "additive" if scores are computed from the sum of one row per scene (`scores`). "set"
            if scores compare all rows with the rows of the reference images (`set_scores`).
        needs: keys of a `Prediction` that `measure` reads besides "name" and "fake"; or "training
            photos", from which styles learn their colours. Systems and data that lack one of them
            are not scored.
        better: by score "higher" or "lower", whichever is better. Other scores are reported
            without a ranking.
        unavailable: the reason why the metric cannot be computed here, such as missing weights; or
            None.
        weight_files: the weight files that the metric uses. Results record their hashes.
        has_figures: implement `figures`.
        needs_rgb: read uint8 images of three channels only. Grey images are then passed with three
            equal channels, and data with other images is not scored. A metric without this promise
            reads uint8, and int32 for 16 bits, in any number of channels.
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
        """Return the measurements of each scene: float64 [D], or [n,D] for a set of n things.

        Args:
            predictions: the translated scenes, with the keys in `needs`. The result has their
                order, and one entry for each. A metric of kind "additive" gives [D].
        """

    def scores(self, sums: NDArray[np.float64]) -> Mapping[str, Any]:
        """Return the scores by name, each [...], for sums of rows [...,D]; kind "additive" only.

        An undefined score is nan.

        Args:
            sums: one or more sums of the rows of scenes, such as those of bootstrap samples.
        """
        raise NotImplementedError(f"{type(self).__name__} has no scores.")

    def set_scores(self, rows: Rows, reference: Rows) -> Mapping[str, Any]:
        """Return by name a `SetScore` for all rows and those of the references; kind "set" only.

        Args:
            rows: the measurements of all translated scenes, [N,D].
            reference: the measurements of all reference images, [M,D].
        """
        raise NotImplementedError(f"{type(self).__name__} has no set_scores.")

    def refine(self, rows: Sequence[Rows]) -> Summable:
        """Return additive rows, one per scene, and their scores from the rows of all scenes.

        By default the rows stay as they are, and `scores` computes the scores. Override it if the
        row of a scene depends on other scenes, as in cross-validation.

        Args:
            rows: the measurements of all scenes, from `measure`.
        """
        return MetricRows(self, np.stack(rows).astype(np.float64))

    def figures(self, rows: Sequence[Rows]) -> Mapping[str, Any]:
        """Return plain JSON from which the report draws charts; see `has_figures`.

        By default the result is empty.

        Args:
            rows: the measurements of all scenes, from `measure`.
        """
        return {}


class SegmentationMetric(Metric):
    """A metric that segments images. The report shows the labels beside the images.

    Attributes:
        classes: the names of the N scored classes.
        segmenter: the network. Images are moved to its device.
    """

    classes: Sequence[str]
    segmenter: nn.Module

    @abstractmethod
    def predict(self, images: Sequence[Tensor]) -> list[Tensor]:
        """Return the class rows int64 [H,W] of images uint8 [3,H,W]; N means none of them.

        A class row is the position of a class in `classes`. The result has one map for each image.
        """

    @abstractmethod
    def true_rows(self, label: Tensor) -> Tensor:
        """Return the class rows int64 [H,W] of a label map uint8 [1,H,W]; N means void.

        A class row is the position of a class in `classes`. Void pixels are not scored.
        """


class Feature(ABC):
    """A network that describes images as vectors. Metrics compare distributions of the vectors.

    Attributes:
        frechet_name: the name of the Fréchet distance of these features, such as "fd_vgg16".
        kernel_name: the name of the kernel distance of these features, such as "kid_vgg16".
        unavailable: the reason why the features cannot be computed here, such as missing weights;
            or None.
        weight_files: the weight files that the network uses. Results record their hashes.
        executes_weights: run the file of the option `weights` as a program (TorchScript, ONNX). A
            protocol from a checkpoint may not use such a part.
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
