"""Buildings: houses along both sides, each a street front and the flank that faces us."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.toystreet.camera import NEAREST, Camera, Floats
from i2ibench.data.toystreet.canvas import Canvas, Patch
from i2ibench.data.toystreet.facade import Wall, outline, wall_colours
from i2ibench.data.toystreet.layout import STREET_END
from i2ibench.data.toystreet.scene import Facade, Layout
from i2ibench.data.toystreet.texture import mix, tint

BUILDING = 11
FLANK_DEPTH = 11.0
CLOSING_HALF = 16.0


def paint_house(canvas: Canvas, layout: Layout, facade: Facade) -> None:
    """Paint the flank that faces the camera, if it can be seen, then the street front."""
    camera = layout.camera
    near = max(facade.start, NEAREST)
    inner = facade.side * facade.plane
    if facade.flank and facade.start > 1.0:
        _paint_flank(canvas, layout, facade)
    ends = camera.project([[inner, 0.0, near], [inner, facade.top, facade.end]])
    highest = camera.project([[inner, facade.top, near]])[0, 1]
    lowest = float(ends[0, 1])
    left, right = sorted((float(ends[0, 0]), float(ends[1, 0])))
    patch = canvas.patch(left, min(float(highest), float(ends[1, 1])), right, lowest)
    if patch is None:
        return
    depth = camera.depth_of_columns(patch.u, inner)[None, :]
    inside = (depth >= near) & (depth <= facade.end)
    wall = Wall(
        along=(depth - facade.start).astype(np.float32),
        up=_height(camera, patch.v, depth),
        pixel_along=_depth_step(camera, depth, inner, canvas.width),
        pixel_up=(depth / (camera.focal * canvas.height)).astype(np.float32),
        length=facade.end - facade.start,
    )
    sunny = 1.0 if facade.side == layout.street.sunny_side else 0.86
    _stamp_wall(canvas, layout, patch, wall, _shaded(facade, sunny), depth, inside)


def paint_closing(canvas: Canvas, layout: Layout) -> None:
    """Paint the house across the far end of the street."""
    house = Facade(
        side=1, start=STREET_END, end=STREET_END + 1.0, plane=-CLOSING_HALF, wall_height=13.0,
        roof="mansard", roof_height=2.4, roof_rgb=(104, 62, 52), bays=11, floors=3, shade=0.96,
        shop=None, flank=True, number=99,
    )  # fmt: skip
    _paint_frontal(canvas, layout, house, 2.0 * CLOSING_HALF)


def _paint_flank(canvas: Canvas, layout: Layout, facade: Facade) -> None:
    # Seen from the front a flank has few windows, no shop and no gable of the street front.
    flank = dataclasses.replace(_shaded(facade, 0.8), bays=3, shop=None)
    if facade.roof == "gable":
        flank = dataclasses.replace(flank, roof="flat", roof_height=0.0)
    _paint_frontal(canvas, layout, flank, FLANK_DEPTH)


def _paint_frontal(canvas: Canvas, layout: Layout, facade: Facade, length: float) -> None:
    camera, depth = layout.camera, facade.start
    inner = facade.side * facade.plane
    outer = inner + facade.side * length
    corners = camera.project([[inner, 0.0, depth], [outer, facade.top, depth]])
    left, right = sorted(corners[:, 0].tolist())
    patch = canvas.patch(left, float(corners[1, 1]), right, float(corners[0, 1]))
    if patch is None:
        return
    scale = 2.0 * depth / camera.focal
    x = camera.lateral + (patch.u - camera.vanish_u) * scale
    along = (facade.side * x - facade.plane)[None, :].astype(np.float32)
    distance = np.full((1, 1), depth, np.float32)
    wall = Wall(
        along=along,
        up=_height(camera, patch.v, np.broadcast_to(distance, along.shape)),
        pixel_along=np.full((1, 1), scale / canvas.width, np.float32),
        pixel_up=np.full((1, 1), depth / (camera.focal * canvas.height), np.float32),
        length=length,
    )
    inside = (along >= 0.0) & (along <= length)
    _stamp_wall(canvas, layout, patch, wall, facade, distance, inside)


def _stamp_wall(
    canvas: Canvas,
    layout: Layout,
    patch: Patch,
    wall: Wall,
    facade: Facade,
    depth: Floats,
    inside: NDArray[np.bool_],
) -> None:
    light = layout.light
    colours = wall_colours(wall, facade, layout.looks.wall.rgb, light.lit_windows)
    colours = mix(colours, tint(light.haze), light.veil(depth))
    mask = inside & (wall.up >= 0.0) & (wall.up <= outline(wall, facade))
    canvas.stamp(patch, mask, colours, BUILDING)


def _shaded(facade: Facade, factor: float) -> Facade:
    return dataclasses.replace(facade, shade=facade.shade * factor)


def _height(camera: Camera, v: Floats, depth: Floats) -> Floats:
    drop = (v - camera.vanish_v)[:, None] / camera.focal
    return np.asarray(camera.height - drop * depth, np.float32)


def _depth_step(camera: Camera, depth: Floats, plane: float, width: int) -> Floats:
    reach = max(abs(plane - camera.lateral), 0.1)
    return np.asarray(2.0 * depth * depth / (camera.focal * reach * width), np.float32)
