"""The scene that is edited, and every edit as a pure function from scene to scene."""

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
"""How many random draws a scene has; after the last comes the first."""


@dataclass(frozen=True)
class Mode:
    """A style of the style bank: mode `index` of the instance's class."""

    index: int


@dataclass(frozen=True)
class Vector:
    """A style as the encoder's numbers, and the name of the photo that they come from."""

    values: tuple[float, ...]
    source: str = ""


Style = Mode | Vector


@dataclass(frozen=True)
class Scene:
    """One scene; its arrays are made read-only.

    Every instance has exactly one class.

    Attributes:
        name: decides, with `draw`, what is drawn at random.
        label: uint8 [H,W], the class's channel.
        instance: int32 [H,W], 0..65535.
        styles: of the instances whose style was chosen; the others' are drawn.
        draw: which of the scene's random draws, from 0 on.
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
        """(height, width)."""
        return self.label.shape[0], self.label.shape[1]


@dataclass(frozen=True)
class Brush:
    """A brush's value: the channel of a class, and the id of an instance."""

    label: int
    instance: int


def region_of(scene: Scene, instance: int) -> Region:
    """The pixels of an instance.

    Raises:
        UserError: there is none of that id.
    """
    region = tight(scene.instance == instance)
    if region.empty:
        raise UserError(f"There is no instance {instance} in the scene.")
    return region


def class_of(scene: Scene, instance: int) -> int:
    """The class of an instance.

    Raises:
        UserError: there is none of that id.
    """
    at = int((scene.instance == instance).argmax())
    if scene.instance.flat[at] != instance:
        raise UserError(f"There is no instance {instance} in the scene.")
    return int(scene.label.flat[at])


def brush_stroke(scene: Scene, points: Sequence[Point], radius: int, paint: Brush) -> Scene:
    """The scene with discs of a radius painted along the lines between the points."""
    return painted(scene, stroke(points, radius, *scene.size), paint)


def fill(scene: Scene, x: int, y: int, paint: Brush) -> Scene:
    """The scene with the connected part of an instance around (x, y) painted.

    Raises:
        UserError: the point lies outside.
    """
    height, width = scene.size
    if not (0 <= x < width and 0 <= y < height):
        raise UserError(f"The point ({x}, {y}) lies outside the scene of {width}x{height}.")
    return painted(scene, connected(scene.instance, x, y), paint)


def lasso(scene: Scene, points: Sequence[Point], paint: Brush) -> Scene:
    """The scene with the inside of a polygon painted."""
    return painted(scene, polygon(points, *scene.size), paint)


def stamp(scene: Scene, mask: Mask, x: int, y: int, paint: Brush) -> Scene:
    """The scene with a silhouette painted, its middle at (x, y)."""
    return painted(scene, clipped(centred(mask, x, y), *scene.size), paint)


def relabel(scene: Scene, instance: int, label: int) -> Scene:
    """The scene in which an instance has another class, a new id and no chosen style.

    Raises:
        UserError: there is no such instance, or no id is free.
    """
    if class_of(scene, instance) == label:
        return scene
    return painted(scene, region_of(scene, instance), Brush(label, next_id(scene.instance)))


def move(scene: Scene, classes: Classes, instance: int, dx: int, dy: int) -> Scene:
    """The scene in which an instance lies elsewhere; what leaves the canvas is cut off.

    Raises:
        UserError: there is no such instance, or nothing could fill the hole.
    """
    if dx == dy == 0:
        return scene
    region = region_of(scene, instance)
    moved = clipped(Region(region.left + dx, region.top + dy, region.mask), *scene.size)
    paint = Brush(class_of(scene, instance), instance)
    if moved.empty:
        return delete(scene, classes, instance)
    filled = delete(scene, classes, instance)
    styles = {**filled.styles, **_picked(scene.styles, [instance])}
    return painted(replace(filled, styles=styles), moved, paint)


def duplicate(scene: Scene, instance: int, dx: int, dy: int, style: Style | None = None) -> Scene:
    """The scene with a copy of an instance, as a new one.

    Args:
        scene: the scene.
        instance: what is copied.
        dx, dy: how far from it.
        style: the copy's; None to draw it.

    Raises:
        UserError: there is no such instance, no id is free, or the copy would lie outside.
    """
    region = region_of(scene, instance)
    copy = clipped(Region(region.left + dx, region.top + dy, region.mask), *scene.size)
    if copy.empty:
        raise UserError("The copy would lie outside the scene.")
    paint = Brush(class_of(scene, instance), next_id(scene.instance))
    result = painted(scene, copy, paint)
    return result if style is None else set_style(result, [paint.instance], style)


def delete(scene: Scene, classes: Classes, instance: int) -> Scene:
    """The scene without an instance.

    Every pixel of the hole takes label and instance of the nearest pixel whose class is no thing;
    if there is none, of the nearest pixel of any other instance.

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
    """The scene in which some instances have a style."""
    return set_styles(scene, dict.fromkeys(instances, style))


def set_styles(scene: Scene, styles: Mapping[int, Style]) -> Scene:
    """The scene in which some instances have the styles given."""
    return replace(scene, styles={**scene.styles, **styles})


def randomise_styles(scene: Scene, draw: int) -> Scene:
    """The scene with new random styles for all instances."""
    return replace(scene, styles={}, draw=draw % DRAWS)


def reset_styles(scene: Scene) -> Scene:
    """The scene as its styles were drawn when it was opened."""
    return randomise_styles(scene, 0)


def painted(scene: Scene, region: Region, paint: Brush) -> Scene:
    """The scene with a region of one class and instance; styles of what is covered up go."""
    if region.empty:
        return scene
    label, instance = scene.label.copy(), scene.instance.copy()
    label[region.slices][region.mask] = paint.label
    covered = np.unique(instance[region.slices][region.mask])
    instance[region.slices][region.mask] = paint.instance
    styles = dict(scene.styles)
    if styles.keys() & covered.tolist():
        left = np.bincount(instance.ravel(), minlength=LARGEST_ID + 1)
        styles = {i: style for i, style in styles.items() if left[i]}
    return replace(scene, label=label, instance=instance, styles=styles)


def _picked(styles: Mapping[int, Style], instances: Iterable[int]) -> dict[int, Style]:
    return {i: styles[i] for i in instances if i in styles}


def nearest_sources(hole: Region, sources: Mask) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The y and the x, each [n], of the source pixel nearest (Euclidean) to every hole pixel.

    Args:
        hole: the pixels to fill, in the row-major order of the answer.
        sources: bool [H,W], False in the hole.

    Raises:
        UserError: there is no source.
    """
    if not sources.any():
        raise UserError("Nothing else is in the scene that could fill the hole.")
    margin = 16
    while True:
        rows, columns = _grown(hole, margin, sources.shape)
        near = sources[rows, columns]
        whole = near.shape == sources.shape
        if near.any():
            distance, index = ndimage.distance_transform_edt(~near, return_indices=True)
            inside = np.zeros(near.shape, bool)
            shifted = Region(hole.left - columns.start, hole.top - rows.start, hole.mask)
            inside[shifted.slices] = hole.mask
            # What lies outside the window is farther than the margin.
            if whole or distance[inside].max() <= margin:
                return index[0][inside] + rows.start, index[1][inside] + columns.start
        margin *= 2


def _grown(hole: Region, margin: int, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """The hole's box enlarged by a margin, within a canvas."""
    rows, columns = hole.slices
    return (
        slice(max(rows.start - margin, 0), min(rows.stop + margin, shape[0])),
        slice(max(columns.start - margin, 0), min(columns.stop + margin, shape[1])),
    )
