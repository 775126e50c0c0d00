"""List the instances of a scene."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from i2ibench.apps.editor.ids import LARGEST_ID
from i2ibench.apps.editor.scene import Scene


@dataclass(frozen=True)
class InstanceTable:
    """The instances of a scene in the order of their ids.

    Attributes:
        ids, labels, areas: int64 [n].
        boxes: int64 [n,4]: left, top, width, height.
    """

    ids: NDArray[np.int64]
    labels: NDArray[np.int64]
    areas: NDArray[np.int64]
    boxes: NDArray[np.int64]


def list_instances(scene: Scene) -> InstanceTable:
    """The instances of a scene."""
    counts = np.bincount(scene.instance.ravel())
    ids = np.flatnonzero(counts)
    found = ndimage.find_objects(scene.instance + 1)
    slices = [found[i] for i in ids]
    boxes = [(s[1].start, s[0].start, s[1].stop - s[1].start, s[0].stop - s[0].start)
             for s in slices]  # fmt: skip
    return InstanceTable(ids, labels_of(scene, ids), counts[ids], np.array(boxes))


def labels_of(scene: Scene, ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """The class of every id of a scene."""
    table = np.zeros(LARGEST_ID + 1, np.int64)
    table[scene.instance] = scene.label
    return table[ids]
