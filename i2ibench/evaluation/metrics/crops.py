"""Single objects cut out of the image: is a car as a car looks?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from i2ibench.errors import UserError, near_match
from i2ibench.evaluation.features.networks import FEATURES, SetScore
from i2ibench.evaluation.metrics.frechet import frechet_score
from i2ibench.evaluation.metrics.kernel import kernel_score
from i2ibench.registry import METRICS
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction

Rows = NDArray[np.float32]

FEWEST = 10
"""Crops of a class, on either side, below which it has no score."""


@dataclass(frozen=True)
class Box:
    """An object's class and its rows and columns in the image."""

    label: int
    rows: slice
    columns: slice


@METRICS.register_module()
class ObjectDistance(Metric):
    """Fréchet and kernel distance between crops of translated and of photographed objects.

    Per class of things that the data set scores: `crop_fd/<class>/<network>` and
    `crop_kid/<class>/<network>`; with the Inception network of 2015-12-05 `crop_fid/<class>` and
    `crop_kid/<class>`.

    Args:
        classes, scored_ids, thing_ids: the data set's metainfo: the classes' names, for each label
            its row among the scored classes or 255, and by label of each thing the id of what is
            no single object.
        features: config of the feature network; None is clean-fid's Inception.
        only: the names of the classes to compare; None takes every scored class of things.
        min_area: an object of fewer visible pixels is left out.
        margin: how much is added around an object's box, as a share of the box's sides.
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
        """Of each scene float32 [k,1+D], one row per object: its label and its crop's features.

        A scene without objects gives [0,1+D].

        Raises:
            UserError: the weights file cannot be used.
        """
        return [self._crops(prediction) for prediction in predictions]

    def set_scores(self, rows: Rows, reference: Rows) -> dict[str, SetScore]:
        """The two distances of each class with at least 10 crops in rows [n,1+D] and [m,1+D]."""
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
        """crop_<distance>/<class>/<network>, without the network for the true Inception."""
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
) -> Iterator[Box]:
    """The boxes of the objects in a label and an instance map [H,W], by label and id.

    Args:
        groups: by label of each class the instance id that means no single object.
        min_area: the least number of visible pixels.
        margin: added on each side, as a share of the box's height and width; cut at the border.
    """
    for wanted, group in sorted(groups.items()):
        mask = (label == wanted) & (instance != group)
        numbers, counts = np.unique(instance[mask], return_counts=True)
        for number in numbers[counts >= min_area]:
            rows, columns = np.nonzero(mask & (instance == number))
            yield Box(wanted, _widened(rows, margin), _widened(columns, margin))


def _widened(positions: NDArray[np.int64], margin: float) -> slice:
    first, last = int(positions.min()), int(positions.max()) + 1
    more = round((last - first) * margin)
    return slice(max(first - more, 0), last + more)
