"""Control: does one instance take the colour that a mode stands for, and nothing else change?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2ibench.errors import UserError, near_match
from i2ibench.io.devices import most_precise_dtype
from i2ibench.models.styles.instances import instances_of
from i2ibench.registry import METRICS
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction

Floats = NDArray[np.float64]

LABEL, PHOTO, MODE, HIT, LEVELLED, CHOICES, INTENDED, OBTAINED, INSIDE, OUTSIDE = (
    0, 1, 2, 3, 4, 5, slice(6, 9), slice(9, 12), 12, 13,
)  # fmt: skip
"""Columns of a row: one instance painted in one mode; or, with PHOTO 1, as the photo has it."""

SUMS = 11
"""Numbers of a class that add: images, hits, levelled hits, kept, each kind of hit and kept,
chances, changes inside and outside; photos and their hits."""


@METRICS.register_module()
class StyleControl(Metric):
    """Whether a mode of the style bank, painted on one instance, gives its colour to that alone.

    In each scene the largest instance of a class, if it covers `min_area` of the image, is
    painted in each mode of its class in turn, everything else as sampled. A mode's intended colour
    is the mean colour, in the training photos, of the instances whose features are nearest to its
    centre; it owes nothing to any translated image. Modes whose intended colour is closer than
    `distance` to that of a larger mode are not told apart and not painted. Then

    - hit: of the intended colours left, the mode's own is the nearest to the instance's mean colour
      in the image (Euclidean distance in RGB). By chance 1 / their number, which an image that
      does not depend on the mode gets exactly;
    - leakage: the mean absolute difference from the image as sampled over all pixels more than
      `margin` pixels (in the maximum norm) from the instance;
    - control: a hit whose leakage is below `tolerance`.

    Each scene has a light of its own, which moves all colours. Levelled hits and control leave it
    out: the colours of one instance in all modes are shifted together, so that their mean is that
    of the intended ones. An image that does not depend on the mode hits by chance here too.

    `style/hit_photos` asks the same of the photos: is an instance's mean colour there nearest to
    that of the mode which the encoder finds in it? Light and haze move colours, so it is below 1,
    and a painter need not reach 1 either.

    Levels are 0..255. `style/control`, `style/hit`, `style/control_levelled`, `style/hit_levelled`,
    `style/kept` (leakage below the tolerance), `style/hit_chance`, `style/leakage` and
    `style/change` (the same inside the instance) are over all classes' images; each also as
    `.../<class>`.

    Args:
        classes: names of the classes by label; the data set's.
        only: the names of the painted classes.
        min_area: the least share of the image that an instance covers.
        distance: between intended colours that are told apart, in levels.
        margin: around the instance, in pixels.
        tolerance: of leakage, in levels.
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
        """Of each scene float64 [n,14], one row per instance and mode that it was painted in."""
        return [
            np.array(list(self._paint(prediction)), np.float64).reshape(-1, OUTSIDE + 1)
            for prediction in predictions
        ]

    def refine(self, rows: Sequence[Floats]) -> "ControlScores":
        """Return one row per scene, of sums that add over scenes, from the rows of all scenes."""
        sums = np.zeros((len(rows), len(self.labels), SUMS))
        for scene, own in enumerate(rows):
            for number, label in enumerate(self.labels):
                sums[scene, number] = self._sums(own[own[:, LABEL] == label])
        return ControlScores(list(self.labels.values()), sums.reshape(len(rows), -1))

    def figures(self, rows: Sequence[Floats]) -> dict[str, Any]:
        """By class the modes' intended colours, the colours obtained, and the hits, mode by mode.

            `confusion[i][j]` counts images with mode i whose colour is nearest to that of mode j,
        `levelled[i][j]` those whose levelled colour is.
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
        """The rows of one instance, whose pixels are `inside`, HW."""
        styles = prediction["styles"]
        colours = styles.intended(label)
        modes = told_apart(colours, self.distance)
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
        outside = ~widened(inside, self.margin)
        found = images[1:, :, inside].mean(2).cpu().double()
        light = found.mean(0) - choices.mean(0)
        for mode, image, obtained in zip(modes, images[1:], found, strict=True):
            hits = [modes[nearest(choices, colour)] for colour in (obtained, obtained - light)]
            change = (image - images[0]).abs().mean(0)
            changes = [float(change[place].mean()) for place in (inside, outside)]
            known = [*colours[mode].tolist(), *obtained.tolist()]
            yield [label, 0, mode, *hits, len(modes), *known, *changes]


def nearest(colours: Tensor, colour: Tensor) -> int:
    """The position of the nearest of the colours [n,3]."""
    return int((colours - colour).square().sum(1).argmin())


def told_apart(colours: Tensor, distance: float) -> list[int]:
    """The modes whose intended colours are at least `distance` apart, larger modes first.

    Args:
        colours: float [K,3], nan for what is not known; larger modes come first.
        distance: Euclidean.
    """
    kept: list[int] = []
    for mode, colour in enumerate(colours):
        if colour.isfinite().all():
            apart = (colours[kept] - colour).norm(dim=1)
            if not kept or float(apart.min()) >= distance:
                kept.append(mode)
    return kept


def widened(mask: Tensor, margin: int) -> Tensor:
    """The pixels within `margin` of a mask bool HW, in the maximum norm."""
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
    """Rows that add, one per scene, and the scores of their sums.

    Attributes:
        names: of the classes.
        rows: float64 [scenes, classes * SUMS].
    """

    names: list[str]
    rows: Floats

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """The scores of StyleControl, from sums [...,D] of the rows; nan without an image."""
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
