"""Scores of how well an encoder's features predict the recorded appearance of instances."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.evaluation.metrics.style_feature_statistics import (
    FEATURES,
    FOLDS,
    LABEL,
    RGB,
    ClassStatistics,
    FeatureScores,
    tabulate,
)
from i2ibench.io.devices import most_precise_dtype
from i2ibench.models.ops.instance_regions import instances_of
from i2ibench.registry import METRICS
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction

Floats = NDArray[np.float64]

FEWEST = 20
"""The least number of instances of a scored class."""

MAX_POINTS = 400
"""The largest number of points of a class in a figure, up to rounding."""


@METRICS.register_module()
class StyleFeatures(Metric):
    """Predictions of an instance's recorded appearance from the encoder's features.

    The scenes are split into 5 folds. Each fold is scored by models that were fitted to the other
    folds. Each class with at least FEWEST large instances has these scores:

    - `style/r2/<class>`: R² of the recorded RGB, by ridge regression on quadratic features.
      `style/r2_seen/<class>`: R² of the mean colour in the real image, which also depends on light
      and glass. `style/r2_chance/<class>`: R² of the recorded RGB from shuffled features;
    - `style/acc/<class>`: accuracy of the recorded name, by the 5 nearest neighbours.
      `style/acc_chance/<class>`: accuracy of the most common name of the fitted folds;
    - `style/purity/<class>`: the share of instances with the most common name of their mode, where
      the mode is the nearest centre of the style bank. `style/purity_chance/<class>`: the same with
      shuffled modes, averaged over 10 shuffles.

    `style/r2`, `style/acc` and `style/purity` are averages over the classes. Purity has no
    interval: a scene that is drawn twice agrees with itself, so a bootstrap would exclude the
    value.

    Args:
        classes: the names of the classes by label, from the data set.
        min_area: the least area of an instance, as a share of the image.
    """

    needs = ("label", "instance", "real", "styles", "appearances")
    has_figures = True

    def __init__(self, classes: Sequence[str], min_area: float = 1 / 512) -> None:
        self.classes, self.min_area = list(classes), min_area
        self.better = dict.fromkeys(("style/r2", "style/acc"), "higher")

    def measure(self, predictions: Sequence[Prediction]) -> list[Floats]:
        """Return for each scene float64 [n,8+C]: a row for each large instance with a record.

        A record is the instance's true appearance, which the data knows. The columns are class,
        nearest mode (or -1), recorded RGB, mean RGB in the real image, and the encoder's C
        features. Instances below `min_area` of the image are left out. n may be 0.
        """
        return [self._measure(prediction) for prediction in predictions]

    def refine(self, rows: Sequence[Floats]) -> FeatureScores:
        """Compute cross-validated sums by scene and class from the rows of all scenes.

        Classes with fewer than FEWEST instances in all, or with instances in at most 5 scenes, are
        left out.

        Args:
            rows: for each scene the rows of instances that `measure` returned.

        Returns:
            A `FeatureScores` with one row of sums for each scene.
        """
        return FeatureScores(self._tables(rows), len(rows))

    def figures(self, rows: Sequence[Floats]) -> dict[str, Any]:
        """Return by class name points for a scatter plot of the encoder's features.

        "points" are the first two principal components of the class's features, "rgb" the recorded
        colours of the same instances. Classes with fewer than FEWEST instances are left out. Of
        many instances, about MAX_POINTS evenly spaced ones are taken.

        Args:
            rows: for each scene the rows of instances that `measure` returned.
        """
        table, found = np.concatenate(rows), {}
        for label in np.unique(table[:, LABEL]).astype(int):
            own = table[table[:, LABEL] == label]
            if len(own) >= FEWEST:
                every = -(-len(own) // MAX_POINTS)
                points = _principal_components(own[:, FEATURES:])[::every]
                found[self.classes[label]] = {
                    "points": points.round(4).tolist(), "rgb": own[::every, RGB].tolist(),
                }  # fmt: skip
        return found

    def _measure(self, prediction: Prediction) -> Floats:
        encoded, appearances = prediction["styles"].encoded(), prediction["appearances"]
        found = instances_of(prediction["label"], prediction["instance"])
        least = self.min_area * found.members.numel()
        photo = prediction["real"].to(most_precise_dtype(prediction["real"].device))
        rows = []
        for position, (id_, label, size) in enumerate(
            zip(found.ids.tolist(), found.labels.tolist(), found.sizes.tolist(), strict=True)
        ):
            if id_ in appearances and size >= least:
                features, mode = encoded[id_]
                seen = photo[:, found.members == position].mean(1).tolist()
                rows.append([label, mode, *appearances[id_].rgb, *seen, *features])
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


def _principal_components(features: Floats) -> Floats:
    """Project features [n,C] to their first two principal components, [n,2].

    The second one is 0 if there is only one feature or only one row.
    """
    centred = features - features.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    projected = centred @ axes[:2].T
    return np.pad(projected, ((0, 0), (0, 2 - projected.shape[1])))
