"""Silhouettes of things in the data's scenes, to add objects with."""

from dataclasses import dataclass

import numpy as np

from i2ibench.apps.editor.instances import list_instances
from i2ibench.apps.editor.library import Library
from i2ibench.apps.editor.rasterise import Mask, tight
from i2ibench.apps.editor.scene import Scene
from i2ibench.errors import UserError

SCENES_READ = 40
PER_CLASS = 12
SMALLEST_AREA = 48
SMALLEST_SHARE = 0.35
"""Of its box that a silhouette covers: less is mostly hidden behind something."""


@dataclass(frozen=True)
class Stamp:
    """A silhouette bool [h,w] of a class, and its name."""

    name: str
    label: int
    mask: Mask


class Stamps:
    """The silhouettes, collected from the data when they are first asked for.

    Args:
        library: the scenes.
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._found: dict[str, Stamp] | None = None

    def of_class(self, label: int) -> list[Stamp]:
        """The silhouettes of a class, largest first."""
        return [stamp for stamp in self._all().values() if stamp.label == label]

    def mask(self, name: str) -> Mask:
        """The silhouette of a name.

        Raises:
            UserError: there is none.
        """
        if name not in self._all():
            raise UserError(f"There is no silhouette {name[:100]!r}.")
        return self._all()[name].mask

    def _all(self) -> dict[str, Stamp]:
        if self._found is None:
            classes = self._library.classes
            masks: dict[int, list[Mask]] = {}
            for opened in self._library.spread(SCENES_READ):
                for label, mask in _silhouettes(opened.scene, classes.things):
                    masks.setdefault(label, []).append(mask)
            stamps = [
                Stamp(f"{classes.names[label]} {number}", label, mask)
                for label, found in sorted(masks.items())
                for number, mask in enumerate(_varied(found), 1)
            ]
            self._found = {stamp.name: stamp for stamp in stamps}
        return self._found


def _silhouettes(scene: Scene, things: tuple[bool, ...]) -> list[tuple[int, Mask]]:
    """Class and silhouette of the things that no border of the canvas cuts off."""
    stock = list_instances(scene)
    height, width = scene.size
    found = []
    for i, label, area, (x, y, w, h) in zip(
        stock.ids, stock.labels, stock.areas, stock.boxes, strict=True
    ):
        inside = x > 0 and y > 0 and x + w < width and y + h < height
        large = area >= max(SMALLEST_AREA, SMALLEST_SHARE * w * h)
        if things[label] and inside and large:
            found.append((int(label), tight(scene.instance[y : y + h, x : x + w] == i).mask))
    return found


def _varied(masks: list[Mask]) -> list[Mask]:
    """Up to PER_CLASS silhouettes of all sizes, the largest first."""
    ordered = sorted(masks, key=lambda mask: -int(mask.sum()))
    picked = np.unique(np.linspace(0, len(ordered) - 1, PER_CLASS).round().astype(int))
    return [ordered[i] for i in picked]
