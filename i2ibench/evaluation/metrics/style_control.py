"""Style control: painting a mode on one instance changes its colour and nothing else."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2ibench.errors import UserError, near_match
from i2ibench.io.devices import most_precise_dtype
from i2ibench.models.ops.instance_regions import instances_of
from i2ibench.registry import METRICS
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction

Floats = NDArray[np.float64]

LABEL, PHOTO, MODE, HIT, LEVELLED, CHOICES, INTENDED, OBTAINED, INSIDE, OUTSIDE = (
    0, 1, 2, 3, 4, 5, slice(6, 9), slice(9, 12), 12, 13,
)  # fmt: skip
"""Columns of a row: an instance painted in one mode or, with PHOTO 1, in the real image."""

SUMS = 11
"""Sums for each class: images, hits, levelled hits, kept, hits and kept, levelled hits and kept,
chances, changes inside, changes outside, real images, hits in real images."""


@METRICS.register_module()
class StyleControl(Metric):
    """The effect of a mode of the style bank that is painted on one instance.

    In each scene the largest instance of a class is painted in each mode of its class in turn, if
    the instance covers `min_area` of the image. All other instances keep their sampled styles. The
    intended colour of a mode is the mean colour, in real training images, of the instances whose
    features are nearest to the centre of the mode; it does not depend on fake images. A mode is not
    painted if its intended colour is closer than `distance` to that of a larger mode. Then

    - hit: of all intended colours, that of the painted mode is the nearest to the mean colour of
      the instance in the image (Euclidean distance in RGB). The chance of a hit is 1 / number of
      modes, which images that do not depend on the mode get exactly;
    - leakage: the mean absolute difference from the image with sampled styles, over all pixels more
      than `margin` pixels (maximum norm) away from the instance;
    - control: a hit with a leakage below `tolerance`.

    The light of a scene shifts all its colours. Levelled hits and levelled control remove it: the
    colours of one instance in all modes are shifted together until their mean is the mean of the
    intended colours. Images that do not depend on the mode hit by chance here too.

    `style/hit_photos` is the share of hits in real images, with the mode that the encoder finds
    there. Light and haze shift colours, so this share is below 1 and fake images need not reach 1.

    Levels are 0..255. `style/control`, `style/hit`, `style/control_levelled`, `style/hit_levelled`,
    `style/kept` (leakage below the tolerance), `style/hit_chance`, `style/leakage` and
    `style/change` (mean absolute difference inside the instance) are averages over the images of
    all classes. Each score also exists as `.../<class>`.

    Args:
        classes: the names of the classes by label, from the data set.
        only: the names of the painted classes.
        min_area: the least area of an instance, as a share of the image.
        distance: the least distance between intended colours, in levels.
        margin: the width of the ignored border around the instance, in pixels.
        tolerance: the limit of leakage, in levels.

    Raises:
        UserError: a class of `only` does not exist.
    """

    needs = ("label", "instance", "styles", "training photos")
    has_figures = True

    def __init__(
        self,
        classes: Sequence[str],
        only: Sequence[str] = ("car",),
        min_area: float = 1 / 128,
        distance: float = 20.0,
        margin: int = 8,
        tolerance: float = 4.0,
    ) -> None:
        for name in only:
            if name not in classes:
                raise UserError(f"{name!r} is no class of the data.{near_match(name, classes)}")
        self.labels = {list(classes).index(name): name for name in only}
        self.min_area, self.distance = min_area, distance
        self.margin, self.tolerance = margin, tolerance
        self.better = {"style/control": "higher", "style/control_levelled": "higher",
                       "style/leakage": "lower"}  # fmt: skip

    def measure(self, predictions: Sequence[Prediction]) -> list[Floats]:
        """Repaint instances in style modes and measure the images; return float64 [n,14] by scene.

        A mode is one of the typical styles of a class in the translator's style bank. In the scene,
        the largest instance of each class of `only` is painted in each distinct mode, unless it is
        smaller than `min_area`. Each painted image is one row. One more row, with PHOTO 1,
        describes the same instance in the real image, if there is one and its mode has a known
        colour. The columns are named at the top of this module. n may be 0.
        """
        return [
            np.array(list(self._paint(prediction)), np.float64).reshape(-1, OUTSIDE + 1)
            for prediction in predictions
        ]

    def refine(self, rows: Sequence[Floats]) -> "ControlScores":
        """Add up each scene's rows by class; return the sums in the object that scores them.

        Args:
            rows: for each scene the rows of painted instances that `measure` returned, [n,14].

        Returns:
            A `ControlScores` with one row of sums for each scene: SUMS numbers for each class of
            `only` (images, hits, kept, leakage and so on). They are 0 if the class was not painted
            there.
        """
        sums = np.zeros((len(rows), len(self.labels), SUMS))
        for scene, own in enumerate(rows):
            for number, label in enumerate(self.labels):
                sums[scene, number] = self._sums(own[own[:, LABEL] == label])
        return ControlScores(list(self.labels.values()), sums.reshape(len(rows), -1))

    def figures(self, rows: Sequence[Floats]) -> dict[str, Any]:
        """Return by class name the numbers for a chart of its modes' intended and obtained colours.

        The key "modes" has the M painted modes; all other keys have an entry for each of them.
        "intended" and "obtained" are mean colours, and "examples" up to 12 obtained colours.
        `confusion[i][j]` counts the images with mode i whose colour is nearest to that of mode j,
        and `levelled[i][j]` counts by the levelled colour. Classes without painted images are left
        out.

        Args:
            rows: for each scene the rows that `measure` returned.
        """
        found, table = {}, np.concatenate(rows)
        for label, name in self.labels.items():
            own = table[(table[:, LABEL] == label) & (table[:, PHOTO] == 0)]
            if len(own):
                found[name] = _matrix(own)
        return found

    def _sums(self, rows: Floats) -> Floats:
        photo = rows[:, PHOTO] == 1
        rows, photos = rows[~photo], rows[photo]
        hit = rows[:, HIT] == rows[:, MODE]
        levelled = rows[:, LEVELLED] == rows[:, MODE]
        kept = rows[:, OUTSIDE] < self.tolerance
        numbers = (np.ones(len(rows)), hit, levelled, kept, hit & kept, levelled & kept,
                   1 / rows[:, CHOICES], rows[:, INSIDE], rows[:, OUTSIDE])  # fmt: skip
        true = [len(photos), (photos[:, HIT] == photos[:, MODE]).sum()]
        return np.array([*np.column_stack(numbers).sum(0), *true], np.float64)

    def _paint(self, prediction: Prediction) -> Iterator[list[float]]:
        found = instances_of(prediction["label"], prediction["instance"])
        for label in self.labels:
            sizes = torch.where(found.labels == label, found.sizes, 0)
            chosen = int(sizes.argmax())
            if sizes[chosen] >= self.min_area * found.members.numel():
                yield from self._rows(
                    prediction, label, int(found.ids[chosen]), found.members == chosen
                )

    def _rows(
        self, prediction: Prediction, label: int, instance: int, inside: Tensor
    ) -> Iterator[list[float]]:
        """Paint one instance in each distinct mode of its class, and yield a row for each image.

        A row for the real image comes first, if there is one and the encoder finds a mode with a
        known colour there. See the names of the columns.
        """
        styles = prediction["styles"]
        colours = styles.intended(label)
        modes = distinct_modes(colours, self.distance)
        choices = colours[modes]
        mode = styles.encoded()[instance][1] if "real" in prediction else -1
        if modes and mode >= 0 and colours[mode].isfinite().all():
            intended = modes[nearest(choices, colours[mode])]
            real = prediction["real"]
            obtained = real.to(most_precise_dtype(real.device))[:, inside].mean(1).cpu().double()
            hit = modes[nearest(choices, obtained)]
            known = [*colours[intended].tolist(), *obtained.tolist()]
            yield [label, 1, intended, hit, hit, len(modes), *known, 0, 0]
        images = styles.repaint(instance, modes)
        images = images.to(most_precise_dtype(images.device))
        outside = ~dilate(inside, self.margin)
        found = images[1:, :, inside].mean(2).cpu().double()
        light = found.mean(0) - choices.mean(0)
        for mode, image, obtained in zip(modes, images[1:], found, strict=True):
            hits = [modes[nearest(choices, colour)] for colour in (obtained, obtained - light)]
            change = (image - images[0]).abs().mean(0)
            changes = [float(change[place].mean()) for place in (inside, outside)]
            known = [*colours[mode].tolist(), *obtained.tolist()]
            yield [label, 0, mode, *hits, len(modes), *known, *changes]


def nearest(colours: Tensor, colour: Tensor) -> int:
    """Return the index of the row of `colours` [n,3] that is nearest to `colour` [3]."""
    return int((colours - colour).square().sum(1).argmin())


def distinct_modes(colours: Tensor, distance: float) -> list[int]:
    """Return the numbers of style modes whose intended colours are at least `distance` apart.

    The modes are taken in order. A mode is left out if its colour is unknown, or closer than
    `distance` to that of an earlier mode that is kept.

    Args:
        colours: the intended colour of each mode, float [K,3], larger modes first; nan if unknown.
        distance: the least Euclidean distance.
    """
    kept: list[int] = []
    for mode, colour in enumerate(colours):
        if colour.isfinite().all():
            apart = (colours[kept] - colour).norm(dim=1)
            if not kept or float(apart.min()) >= distance:
                kept.append(mode)
    return kept


def dilate(mask: Tensor, margin: int) -> Tensor:
    """Return a bool mask HW grown by `margin` pixels to all sides (maximum norm)."""
    size = 2 * margin + 1
    spread = torch.nn.functional.max_pool2d(mask[None, None].float(), size, 1, margin)
    return spread[0, 0] > 0


def _matrix(rows: Floats) -> dict[str, Any]:
    modes = np.unique(rows[:, MODE])
    of_mode = [rows[rows[:, MODE] == mode] for mode in modes]
    return {
        "modes": modes.astype(int).tolist(),
        "intended": [own[0, INTENDED].tolist() for own in of_mode],
        "obtained": [own[:, OBTAINED].mean(0).tolist() for own in of_mode],
        "confusion": [[int((own[:, HIT] == m).sum()) for m in modes] for own in of_mode],
        "levelled": [[int((own[:, LEVELLED] == m).sum()) for m in modes] for own in of_mode],
        "examples": [own[:12, OBTAINED].round(1).tolist() for own in of_mode],
    }


@dataclass(frozen=True)
class ControlScores:
    """One row of sums for each scene, and the scores of added rows.

    Attributes:
        names: the names of the classes.
        rows: float64 [scenes, classes * SUMS].
    """

    names: list[str]
    rows: Floats

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """Return the scores that `StyleControl` describes, by name, each an array [...].

        Each score comes for all classes together and for each class. Shares of images are nan
        without an image.

        Args:
            sums: the attribute `rows`, added over scenes, [...,D].
        """
        table = sums.reshape(*sums.shape[:-1], len(self.names), SUMS)
        found = _shares(table.sum(-2), "")
        for number, name in enumerate(self.names):
            found |= _shares(table[..., number, :], f"/{name}")
        return found


def _shares(sums: Floats, suffix: str) -> dict[str, Floats]:
    names = ("hit", "hit_levelled", "kept", "control", "control_levelled", "hit_chance", "change",
             "leakage")  # fmt: skip
    count = sums[..., 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {f"style/{n}{suffix}": sums[..., 1 + i] / count for i, n in enumerate(names)}
        found[f"style/hit_photos{suffix}"] = sums[..., -1] / sums[..., -2]
    return found | {f"style/pictures{suffix}": count}
