"""Undo and redo of a scene's changes, which are kept compressed."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from i2ibench.apps.editor.rasterise import PixelBox, box_of
from i2ibench.apps.editor.scene import Scene, Style

MAX_STEPS = 200
MAX_BYTES = 256 * 2**20


def changed_box(before: Scene, after: Scene) -> PixelBox | None:
    """Return the smallest box around the pixels whose class or instance differs in two scenes.

    The result is None if no pixel differs. Styles are not compared. The scenes have one size.
    """
    if before.label is after.label and before.instance is after.instance:
        return None
    return box_of((before.label != after.label) | (before.instance != after.instance))


@dataclass(frozen=True)
class _Step:
    """A step of the history.

    `label` and `instance` are the compressed bitwise differences (XOR) of both maps in the box.
    `styles` and `draws` hold the values before and after the step.
    """

    box: PixelBox | None
    label: bytes
    instance: bytes
    styles: tuple[Mapping[int, Style], Mapping[int, Style]]
    draws: tuple[int, int]

    @property
    def size(self) -> int:
        return len(self.label) + len(self.instance)

    def applied(self, scene: Scene, forwards: bool) -> Scene:
        """Return the scene after this step.

        Args:
            scene: the scene before the step, or after the step if `forwards` is false.
            forwards: false takes the step back: the result is then the scene before the step.
        """
        if self.box is not None:
            label, instance = scene.label.copy(), scene.instance.copy()
            shape = (self.box.height, self.box.width)
            label[self.box.slices] ^= _unpacked(self.label, np.uint8, shape)
            instance[self.box.slices] ^= _unpacked(self.instance, np.int32, shape)
            scene = replace(scene, label=label, instance=instance)
        return replace(scene, styles=self.styles[forwards], draw=self.draws[forwards])


class History:
    """The steps that can be undone and redone. The oldest steps are dropped at the limits.

    Args:
        max_steps: the largest number of steps.
        max_bytes: the largest size of all steps together, in bytes.
    """

    def __init__(self, max_steps: int = MAX_STEPS, max_bytes: int = MAX_BYTES) -> None:
        self._max_steps, self._max_bytes = max_steps, max_bytes
        self._done: list[_Step] = []
        self._undone: list[_Step] = []

    @property
    def can_undo(self) -> bool:
        """Return whether the history has a step to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Return whether the history has an undone step to redo."""
        return bool(self._undone)

    def record(self, before: Scene, after: Scene) -> bool:
        """Add the step between two scenes of one size; return whether the scenes differ.

        Equal scenes add no step and change nothing. Otherwise undone steps can no longer be redone,
        and the oldest steps are dropped at the limits, but a single step may be larger than
        `max_bytes`.
        """
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
        """Undo the last step: return the scene before it, and keep the step for `redo`.

        Args:
            scene: the scene after the last step. It is the result if there is no step to undo.
        """
        if not self._done:
            return scene
        self._undone.append(self._done.pop())
        return self._undone[-1].applied(scene, forwards=False)

    def redo(self, scene: Scene) -> Scene:
        """Redo the step that was undone last: return the scene after it.

        Args:
            scene: the scene before that step. It is the result if there is no step to redo.
        """
        if not self._undone:
            return scene
        self._done.append(self._undone.pop())
        return self._done[-1].applied(scene, forwards=True)

    def copy(self) -> "History":
        """Return an independent history with the same limits and the same steps to undo and redo.

        Later changes of one do not show in the other.
        """
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
