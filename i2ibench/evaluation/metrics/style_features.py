"""What an encoder's features tell of how an instance truly looks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.evaluation.metrics.class_statistics import (
    FEATURES,
    FOLDS,
    LABEL,
    RGB,
    ClassStatistics,
    FeatureScores,
    tabulate,
)
from i2ibench.io.devices import most_precise_dtype
from i2ibench.models.styles.instances import instances_of
from i2ibench.registry import METRICS
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction

Floats = NDArray[np.float64]

FEWEST = 20
"""Instances below which a class is not scored."""

SHOWN = 400
"""Points of a class in a figure."""


@METRICS.register_module()
class StyleFeatures(Metric):
    """How well the encoder's features of an instance predict its recorded appearance.

    The scenes are dealt into 5 folds; each is scored by models that were fitted to the others. For
    each class with at least FEWEST instances of a size:

    - `style/r2/<class>`: of the recorded rgb, by ridge regression on quadratic features;
      `style/r2_seen/<class>`: of the mean colour in the photo, which light and glass change too;
      `style/r2_chance/<class>`: of the recorded rgb from features shuffled within the class;
    - `style/acc/<class>`: of the recorded name, by the 5 nearest neighbours;
      `style/acc_chance/<class>`: by the name that is commonest in the fitted folds;
    - `style/purity/<class>`: the share of instances whose mode's commonest name is theirs, the mode
      being the nearest centre of the style bank; `style/purity_chance/<class>`: with the modes
      shuffled within the class, the mean of 10 times.

    `style/r2`, `style/acc` and `style/purity` are means over the classes. Purity has no interval:
    scenes that are drawn twice agree with themselves, and a bootstrap would exclude the value.

    Args:
        classes: names of the classes by label; the data set's.
        min_area: the least share of the image that an instance covers.
    """

    needs = ("label", "instance", "real", "styles", "appearances")
    has_figures = True

    def __init__(self, classes: Sequence[str], min_area: float = 1 / 512) -> None:
        self.classes, self.min_area = list(classes), min_area
        self.better = dict.fromkeys(("style/r2", "style/acc"), "higher")

    def measure(self, predictions: Sequence[Prediction]) -> list[Floats]:
        """Of each scene float64 [n,8+C], one row per instance that is large enough."""
        return [self._measure(prediction) for prediction in predictions]

    def refine(self, rows: Sequence[Floats]) -> FeatureScores:
        """Return one row per scene, of sums that add over scenes, from the rows of all scenes."""
        return FeatureScores(self._tables(rows), len(rows))

    def figures(self, rows: Sequence[Floats]) -> dict[str, Any]:
        """By class up to SHOWN points of the features' two main directions, and their true rgb."""
        table, found = np.concatenate(rows), {}
        for label in np.unique(table[:, LABEL]).astype(int):
            own = table[table[:, LABEL] == label]
            if len(own) >= FEWEST:
                every = -(-len(own) // SHOWN)
                points = _flat(own[:, FEATURES:])[::every]
                found[self.classes[label]] = {
                    "points": points.round(4).tolist(), "rgb": own[::every, RGB].tolist(),
                }  # fmt: skip
        return found

    def _measure(self, prediction: Prediction) -> Floats:
        encoded, looks = prediction["styles"].encoded(), prediction["appearances"]
        found = instances_of(prediction["label"], prediction["instance"])
        least = self.min_area * found.members.numel()
        photo = prediction["real"].to(most_precise_dtype(prediction["real"].device))
        rows = []
        for position, (id_, label, size) in enumerate(
            zip(found.ids.tolist(), found.labels.tolist(), found.sizes.tolist(), strict=True)
        ):
            if id_ in looks and size >= least:
                features, mode = encoded[id_]
                seen = photo[:, found.members == position].mean(1).tolist()
                rows.append([label, mode, *looks[id_].rgb, *seen, *features])
        width = FEATURES + len(next(iter(encoded.values()))[0])
        return np.array(rows, np.float64).reshape(-1, width)

    def _tables(self, rows: Sequence[Floats]) -> dict[str, ClassStatistics]:
        table = np.concatenate(rows)
        scenes = np.repeat(np.arange(len(rows)), [len(own) for own in rows])
        found = {}
        for label in np.unique(table[:, LABEL]).astype(int):
            own = table[:, LABEL] == label
            if own.sum() >= FEWEST and len(np.unique(scenes[own])) > FOLDS:
                found[self.classes[label]] = tabulate(table[own], scenes[own], len(rows))
        return found


def _flat(features: Floats) -> Floats:
    """Features [n,C] seen from where they spread most, [n,2]."""
    centred = features - features.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    flat = centred @ axes[:2].T
    return np.pad(flat, ((0, 0), (0, 2 - flat.shape[1])))
