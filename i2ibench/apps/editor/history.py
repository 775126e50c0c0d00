"""Undo and redo: what each step changed, compressed."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from i2ibench.apps.editor.scene import Scene, Style

MAX_STEPS = 200
MAX_BYTES = 256 * 2**20


@dataclass(frozen=True)
class PixelBox:
    """A rectangle of pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """Return the row and column slices of the region in an [H,W] array."""
        return slice(self.y, self.y + self.height), slice(self.x, self.x + self.width)


def box_of(mask: NDArray[np.bool_]) -> PixelBox | None:
    """The smallest box around what is true in a mask bool [H,W]; None for nothing."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    x, y = int(columns[0]), int(rows[0])
    return PixelBox(x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y)


def changed_box(before: Scene, after: Scene) -> PixelBox | None:
    """The smallest box around the pixels whose class or instance differs; None for none."""
    if before.label is after.label and before.instance is after.instance:
        return None
    return box_of((before.label != after.label) | (before.instance != after.instance))


@dataclass(frozen=True)
class _Step:
    """One step: the box, both maps' bitwise differences in it, and everything else twice."""

    box: PixelBox | None
    label: bytes
    instance: bytes
    styles: tuple[Mapping[int, Style], Mapping[int, Style]]
    draws: tuple[int, int]

    @property
    def size(self) -> int:
        return len(self.label) + len(self.instance)

    def applied(self, scene: Scene, forwards: bool) -> Scene:
        """The scene after (or before) the step, from the one before (or after) it."""
        if self.box is not None:
            label, instance = scene.label.copy(), scene.instance.copy()
            shape = (self.box.height, self.box.width)
            label[self.box.slices] ^= _unpacked(self.label, np.uint8, shape)
            instance[self.box.slices] ^= _unpacked(self.instance, np.int32, shape)
            scene = replace(scene, label=label, instance=instance)
        return replace(scene, styles=self.styles[forwards], draw=self.draws[forwards])


class History:
    """The steps that led to a scene, and those that were undone; the oldest are forgotten.

    Args:
        max_steps: how many are kept.
        max_bytes: how large all of them may be together.
    """

    def __init__(self, max_steps: int = MAX_STEPS, max_bytes: int = MAX_BYTES) -> None:
        self._max_steps, self._max_bytes = max_steps, max_bytes
        self._done: list[_Step] = []
        self._undone: list[_Step] = []

    @property
    def can_undo(self) -> bool:
        """Return whether there is a step to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Return whether there is a step to do again."""
        return bool(self._undone)

    def record(self, before: Scene, after: Scene) -> bool:
        """Note a step between two scenes of one size; False where nothing differs."""
        box = changed_box(before, after)
        same = dict(before.styles) == dict(after.styles) and before.draw == after.draw
        if box is None and same:
            return False
        self._done.append(_step(before, after, box))
        self._undone.clear()
        while len(self._done) > self._max_steps or (
            len(self._done) > 1 and sum(step.size for step in self._done) > self._max_bytes
        ):
            self._done.pop(0)
        return True

    def undo(self, scene: Scene) -> Scene:
        """The scene before the last step; the scene itself where there is none."""
        if not self._done:
            return scene
        self._undone.append(self._done.pop())
        return self._undone[-1].applied(scene, forwards=False)

    def redo(self, scene: Scene) -> Scene:
        """The scene after the step undone last; the scene itself where there is none."""
        if not self._undone:
            return scene
        self._done.append(self._undone.pop())
        return self._done[-1].applied(scene, forwards=True)

    def copy(self) -> "History":
        """A history of its own with the same steps."""
        other = History(self._max_steps, self._max_bytes)
        other._done, other._undone = list(self._done), list(self._undone)
        return other


def _step(before: Scene, after: Scene, box: PixelBox | None) -> _Step:
    label = instance = b""
    if box is not None:
        at = box.slices
        label = zlib.compress((before.label[at] ^ after.label[at]).tobytes(), 1)
        instance = zlib.compress((before.instance[at] ^ after.instance[at]).tobytes(), 1)
    return _Step(box, label, instance, (before.styles, after.styles), (before.draw, after.draw))


def _unpacked(packed: bytes, kind: type, shape: tuple[int, int]) -> NDArray:
    return np.frombuffer(zlib.decompress(packed), kind).reshape(shape)
