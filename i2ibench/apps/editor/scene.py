"""The scene that is edited, and the edits as functions that return a new scene."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from i2ibench.apps.editor.classes import Classes
from i2ibench.apps.editor.instances import LARGEST_ID, next_id
from i2ibench.apps.editor.rasterise import (
    Mask,
    Point,
    Region,
    centred,
    clipped,
    connected,
    polygon,
    stroke,
    tight,
)
from i2ibench.errors import UserError

DRAWS = 2**31
"""The number of random draws of styles that a scene has. They repeat after the last."""


@dataclass(frozen=True)
class Mode:
    """A style of the style bank: the mode of this index of the instance's class.

    The modes of a class are its typical appearances, found by clustering.
    """

    index: int


@dataclass(frozen=True)
class Vector:
    """A style as the encoder's numbers. `source` names the photo that it comes from."""

    values: tuple[float, ...]
    source: str = ""


Style = Mode | Vector


@dataclass(frozen=True)
class Scene:
    """A scene. Its arrays are made read-only. Every instance has exactly one class.

    Attributes:
        name: the name of the scene. With `draw`, it seeds the random styles.
        label: uint8 [H,W], the number of each pixel's class (its channel in the network's input).
        instance: int32 [H,W], instance ids in 0..65535.
        styles: the styles that were chosen, by instance id. Other instances have random styles.
        draw: the number of the random draw of styles, from 0 on.
    """

    name: str
    label: NDArray[np.uint8]
    instance: NDArray[np.int32]
    styles: Mapping[int, Style] = field(default_factory=dict)
    draw: int = 0

    def __post_init__(self) -> None:
        self.label.setflags(write=False)
        self.instance.setflags(write=False)
        object.__setattr__(self, "styles", MappingProxyType(dict(self.styles)))

    @property
    def size(self) -> tuple[int, int]:
        """Return the (height, width) of the scene in pixels."""
        return self.label.shape[0], self.label.shape[1]


@dataclass(frozen=True)
class Brush:
    """The values that an edit writes: the number of a class and the id of an instance."""

    label: int
    instance: int


def region_of(scene: Scene, instance: int) -> Region:
    """Return all pixels of an instance of the scene: the smallest box around them, and a mask.

    Args:
        scene: the scene.
        instance: the id of the instance.

    Raises:
        UserError: there is no instance of this id.
    """
    region = tight(scene.instance == instance)
    if region.empty:
        raise UserError(f"There is no instance {instance} in the scene.")
    return region


def class_of(scene: Scene, instance: int) -> int:
    """Return the number of the class of the instance with this id.

    Raises:
        UserError: there is no instance of this id.
    """
    at = int((scene.instance == instance).argmax())
    if scene.instance.flat[at] != instance:
        raise UserError(f"There is no instance {instance} in the scene.")
    return int(scene.label.flat[at])


def brush_stroke(scene: Scene, points: Sequence[Point], radius: int, brush: Brush) -> Scene:
    """Return the scene with a stroke: discs along the lines between points get the brush's values.

    The part outside the scene is cut off. The given scene is not changed; it is the result if the
    stroke covers none of its pixels.

    Args:
        scene: the scene.
        points: the points (x, y) of the stroke, at least one; they may lie outside.
        radius: the radius of the discs in pixels; 0 draws lines of single pixels.
        brush: the class and the instance id that the pixels get; see `brush_region`.
    """
    return brush_region(scene, stroke(points, radius, *scene.size), brush)


def fill(scene: Scene, x: int, y: int, brush: Brush) -> Scene:
    """Return the scene with the brush's values in the connected part of an instance at (x, y).

    This part is all pixels that have the same instance id as the pixel (x, y) and are connected to
    it by sides.

    Raises:
        UserError: the point lies outside the scene.
    """
    height, width = scene.size
    if not (0 <= x < width and 0 <= y < height):
        raise UserError(f"The point ({x}, {y}) lies outside the scene of {width}x{height}.")
    return brush_region(scene, connected(scene.instance, x, y), brush)


def lasso(scene: Scene, points: Sequence[Point], brush: Brush) -> Scene:
    """Return the scene with the brush's class and instance id inside a polygon.

    Args:
        scene: the scene, which is the result if no pixel lies inside.
        points: the corners (x, y); they may lie outside the scene. The polygon is closed.
        brush: the class and the instance id that the pixels get; see `brush_region`.
    """
    return brush_region(scene, polygon(points, *scene.size), brush)


def stamp(scene: Scene, mask: Mask, x: int, y: int, brush: Brush) -> Scene:
    """Return the scene with the brush's values in a silhouette that is centred at (x, y).

    Args:
        scene: the scene, which is the result if the silhouette lies outside.
        mask: the silhouette, bool [h,w]. What leaves the scene is cut off.
        x, y: the pixel of the centre; it may lie outside.
        brush: the class and the instance id that the pixels get; see `brush_region`.
    """
    return brush_region(scene, clipped(centred(mask, x, y), *scene.size), brush)


def relabel(scene: Scene, instance: int, label: int) -> Scene:
    """Return the scene with another class for an instance, which gets a new id and a random style.

    If the instance has this class already, the scene itself is returned.

    Args:
        scene: the scene.
        instance: the id of the instance.
        label: the number of the new class; it is not checked.

    Raises:
        UserError: there is no such instance, or no id is free.
    """
    if class_of(scene, instance) == label:
        return scene
    return brush_region(scene, region_of(scene, instance), Brush(label, next_id(scene.instance)))


def move(scene: Scene, classes: Classes, instance: int, dx: int, dy: int) -> Scene:
    """Return the scene with an instance shifted by (dx, dy) pixels; it keeps its id and style.

    The hole is filled as in `delete`. The instance overwrites what lies at its new place. Its
    pixels that leave the canvas are cut off; if all leave it, the instance is deleted. For (0, 0)
    the scene itself is returned.

    Raises:
        UserError: there is no such instance, or nothing could fill the hole.
    """
    if dx == dy == 0:
        return scene
    region = region_of(scene, instance)
    moved = clipped(Region(region.left + dx, region.top + dy, region.mask), *scene.size)
    brush = Brush(class_of(scene, instance), instance)
    if moved.empty:
        return delete(scene, classes, instance)
    filled = delete(scene, classes, instance)
    if instance in scene.styles:
        filled = set_style(filled, [instance], scene.styles[instance])
    return brush_region(filled, moved, brush)


def duplicate(scene: Scene, instance: int, dx: int, dy: int, style: Style | None = None) -> Scene:
    """Return the scene with a copy of an instance, which gets an id of its own.

    The copy overwrites what lies at its place, and its pixels outside the canvas are cut off.

    Args:
        scene: the scene.
        instance: the id of the instance to copy.
        dx, dy: the offset of the copy in pixels.
        style: the style of the copy; None for a random one.

    Raises:
        UserError: there is no such instance, no id is free, or the copy would lie outside.
    """
    region = region_of(scene, instance)
    copy = clipped(Region(region.left + dx, region.top + dy, region.mask), *scene.size)
    if copy.empty:
        raise UserError("The copy would lie outside the scene.")
    brush = Brush(class_of(scene, instance), next_id(scene.instance))
    result = brush_region(scene, copy, brush)
    return result if style is None else set_style(result, [brush.instance], style)


def delete(scene: Scene, classes: Classes, instance: int) -> Scene:
    """Return the scene without an instance and its chosen style, and with the hole filled.

    Each pixel of the hole takes class and instance of the nearest pixel that is no thing. If the
    rest of the scene has things only, it takes those of the nearest pixel of another instance.

    Raises:
        UserError: there is no such instance, or nothing else is in the scene.
    """
    hole = region_of(scene, instance)
    others = scene.instance != instance
    stuff = others & ~np.array(classes.things)[scene.label]
    y, x = nearest_sources(hole, stuff if stuff.any() else others)
    label, ids = scene.label.copy(), scene.instance.copy()
    label[hole.slices][hole.mask] = scene.label[y, x]
    ids[hole.slices][hole.mask] = scene.instance[y, x]
    styles = {k: v for k, v in scene.styles.items() if k != instance}
    return replace(scene, label=label, instance=ids, styles=styles)


def set_style(scene: Scene, instances: Iterable[int], style: Style) -> Scene:
    """Return the scene with one chosen style for all given instance ids, which are not checked."""
    return set_styles(scene, dict.fromkeys(instances, style))


def set_styles(scene: Scene, styles: Mapping[int, Style]) -> Scene:
    """Return the scene with chosen styles by instance id; other instances keep their styles.

    The ids are not checked.
    """
    return replace(scene, styles={**scene.styles, **styles})


def randomise_styles(scene: Scene, draw: int) -> Scene:
    """Return the scene without chosen styles, so that all instances have the random ones of a draw.

    Args:
        scene: the scene.
        draw: the number of the draw. 0 is that of a new scene. DRAWS is 0 again.
    """
    return replace(scene, styles={}, draw=draw % DRAWS)


def brush_region(scene: Scene, region: Region, brush: Brush) -> Scene:
    """Return the scene with a brush's class and instance id in all pixels of a region.

    Chosen styles of instances that have no pixel left are removed. The given scene is not changed;
    for an empty region it is the result.

    Args:
        scene: the scene.
        region: the pixels, all inside the scene.
        brush: the class and the instance id to write, which are not checked. If the id is in use
            outside the region, the class must be that of the instance.
    """
    if region.empty:
        return scene
    label, instance = scene.label.copy(), scene.instance.copy()
    label[region.slices][region.mask] = brush.label
    covered = np.unique(instance[region.slices][region.mask])
    instance[region.slices][region.mask] = brush.instance
    styles = dict(scene.styles)
    if styles.keys() & covered.tolist():
        left = np.bincount(instance.ravel(), minlength=LARGEST_ID + 1)
        styles = {i: style for i, style in styles.items() if left[i]}
    return replace(scene, label=label, instance=instance, styles=styles)


def nearest_sources(hole: Region, sources: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return y and x, each integer [n], of the source pixel that is nearest to each hole pixel.

    Args:
        hole: the n pixels to fill; the result is in their row-major order.
        sources: bool [H,W], the pixels to copy from, False in the hole.

    Raises:
        UserError: there is no source pixel.
    """
    if not sources.any():
        raise UserError("Nothing else is in the scene that could fill the hole.")
    margin = 16
    while True:
        rows, columns = _enlarge(hole, margin, sources.shape)
        near = sources[rows, columns]
        whole = near.shape == sources.shape
        if near.any():
            distance, index = ndimage.distance_transform_edt(~near, return_indices=True)
            inside = np.zeros(near.shape, bool)
            shifted = Region(hole.left - columns.start, hole.top - rows.start, hole.mask)
            inside[shifted.slices] = hole.mask
            # All pixels outside the window are farther away than the margin.
            if whole or distance[inside].max() <= margin:
                return index[0][inside] + rows.start, index[1][inside] + columns.start
        margin *= 2


def _enlarge(hole: Region, margin: int, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Return the row and column slices of the hole's box, enlarged and cut at the canvas."""
    rows, columns = hole.slices
    return (
        slice(max(rows.start - margin, 0), min(rows.stop + margin, shape[0])),
        slice(max(columns.start - margin, 0), min(columns.stop + margin, shape[1])),
    )
