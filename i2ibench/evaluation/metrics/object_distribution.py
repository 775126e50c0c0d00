"""Distances between the distributions of objects cut out of fake and real images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from i2ibench.errors import UserError, near_match
from i2ibench.evaluation.features.networks import FEATURES, SetScore
from i2ibench.evaluation.metrics.distances import frechet_score, kernel_score
from i2ibench.registry import METRICS
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction

Rows = NDArray[np.float32]

FEWEST = 10
"""The least number of crops of a class, on both sides, for a score."""


@dataclass(frozen=True)
class ObjectBox:
    """The class of an object and the slices of its rows and columns in the image."""

    label: int
    rows: slice
    columns: slice


@METRICS.register_module()
class ObjectDistance(Metric):
    """The Fréchet and the kernel distance between crops of objects in fake and real images.

    The scores of each scored class of things are `crop_fd/<class>/<network>` and
    `crop_kid/<class>/<network>`. With the Inception network of 2015-12-05 they are
    `crop_fid/<class>` and `crop_kid/<class>`.

    Args:
        classes: the names of the classes by label, from the data set.
        scored_ids: for each label the row of its class among the scored classes, or 255.
        thing_ids: for the label of each class of things the instance id of groups of objects.
        features: the config of the feature network; None for clean-fid's Inception.
        only: the names of the classes to compare; None for all scored classes of things.
        min_area: the least number of visible pixels of an object.
        margin: the margin around the box of an object, as a share of the sides of the box.

    Raises:
        UserError: `only` names a class that is no scored class of things.
    """

    kind = "set"
    needs = ("label", "instance")

    def __init__(
        self,
        classes: Sequence[str],
        scored_ids: Sequence[int],
        thing_ids: Mapping[str, int],
        features: Mapping[str, Any] | None = None,
        only: Sequence[str] | None = None,
        min_area: int = 1024,
        margin: float = 0.1,
    ) -> None:
        things = {int(label): group for label, group in thing_ids.items()}
        names = {label: classes[label] for label in things if scored_ids[label] != 255}
        for name in only or ():
            if name not in names.values():
                raise UserError(
                    f"{name!r} is no scored class of things.{near_match(name, names.values())} "
                    f"There are: {', '.join(names.values()) or 'none'}."
                )
        self.names = {k: name for k, name in names.items() if only is None or name in only}
        self.groups = {label: things[label] for label in self.names}
        self.min_area, self.margin = min_area, margin
        self.features = FEATURES.build(features or {"type": "InceptionFeatures"})
        self.unavailable: str | None = self.features.unavailable
        if not self.names:
            self.unavailable = "The data set's class table marks no scored class as a thing."
        self.weight_files: list[Path] = self.features.weight_files
        pairs = (self._score_names(name) for name in self.names.values())
        self._num_features: int | None = None
        self.better = dict.fromkeys((score for pair in pairs for score in pair), "lower")

    def measure(self, predictions: Sequence[Prediction]) -> list[Rows]:
        """Cut the objects out of each scene's fake image; return a row for each, float32 [k,1+D].

        A row has the label of the object's class and the features of its crop. Objects below
        `min_area` and groups of objects are left out. k may be 0.

        Raises:
            UserError: the weights file cannot be used.
        """
        return [self._crops(prediction) for prediction in predictions]

    def set_scores(self, rows: Rows, reference: Rows) -> dict[str, SetScore]:
        """Return by score name the Fréchet and the kernel distance of the crops of each class.

        Classes with fewer than FEWEST crops on one side are left out.

        Args:
            rows: label and features of each crop of fake images, [n,1+D].
            reference: the same for real images, [m,1+D].
        """
        scores: dict[str, SetScore] = {}
        for label, name in self.names.items():
            x, y = (side[side[:, 0] == label, 1:] for side in (rows, reference))
            if min(len(x), len(y)) >= FEWEST:
                frechet, kernel = self._score_names(name)
                scores |= {frechet: frechet_score(x, y), kernel: kernel_score(x, y)}
        return scores

    def _crops(self, prediction: Prediction) -> Rows:
        label = prediction["label"][0].cpu().numpy()
        instance = prediction["instance"][0].cpu().numpy()
        rows = []
        for box in find_objects(label, instance, self.groups, self.min_area, self.margin):
            crop = prediction["fake"][None, :, box.rows, box.columns]
            features = self.features.extract(crop)[0].cpu().numpy()
            rows.append(np.concatenate([[np.float32(box.label)], features]))
        return np.stack(rows) if rows else np.zeros((0, 1 + self._width()), np.float32)

    def _width(self) -> int:
        if self._num_features is None:
            black = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
            self._num_features = self.features.extract(black).shape[1]
        return self._num_features

    def _score_names(self, name: str) -> tuple[str, str]:
        """Return the names of the Fréchet and of the kernel distance of crops of the class `name`.

        They are `crop_fd/<class>/<network>` and `crop_kid/<class>/<network>`. For FID's Inception
        they are `crop_fid/<class>` and `crop_kid/<class>`.
        """
        parts = [s.partition("_") for s in (self.features.frechet_name, self.features.kernel_name)]
        first, second = (
            "/".join(part for part in (f"crop_{kind}", name, network) if part)
            for kind, _, network in parts
        )
        return first, second


def find_objects(
    label: NDArray[np.uint8],
    instance: NDArray[np.int32],
    groups: Mapping[int, int],
    min_area: int,
    margin: float,
) -> Iterator[ObjectBox]:
    """Yield the class and the box of each object in a label and an instance map, by label and id.

    Groups of objects and objects with fewer than `min_area` visible pixels are left out.

    Args:
        label: the label map [H,W].
        instance: the instance map [H,W].
        groups: for each label of interest the instance id of groups of objects.
        min_area: the least number of visible pixels of an object.
        margin: the share of the box's sides that is added on each side. Slices may end beyond the
            image, where indexing cuts them off.
    """
    for wanted, group in sorted(groups.items()):
        mask = (label == wanted) & (instance != group)
        numbers, counts = np.unique(instance[mask], return_counts=True)
        for number in numbers[counts >= min_area]:
            rows, columns = np.nonzero(mask & (instance == number))
            yield ObjectBox(wanted, _with_margin(rows, margin), _with_margin(columns, margin))


def _with_margin(positions: NDArray[np.int64], margin: float) -> slice:
    first, last = int(positions.min()), int(positions.max()) + 1
    more = round((last - first) * margin)
    return slice(max(first - more, 0), last + more)
