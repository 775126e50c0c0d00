"""Houses along both sides: each has a street front and a flank that faces the camera."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.toystreet.camera import NEAREST, Camera, Floats
from i2ibench.data.toystreet.canvas import Canvas, Patch, Rgb
from i2ibench.data.toystreet.layout import GROUND_FLOOR, STREET_END, Facade, Layout
from i2ibench.data.toystreet.texture import blend, centred_fraction, cover, planes

BUILDING = 11
FLANK_DEPTH = 11.0
CLOSING_HALF = 16.0
GLASS_LOW = planes((64.0, 76.0, 92.0))
GLASS_HIGH = planes((128.0, 148.0, 166.0))
LIT = planes((255.0, 244.0, 150.0))
TRIM_LIGHT = 232.0
WINDOW_WIDTH, WINDOW_HEIGHT, FRAME = 1.25, 1.65, 0.16


@dataclass(frozen=True)
class Wall:
    """The pixels of a wall, in metres."""

    along: Floats  # position along the wall, [1,w] or [h,w]
    up: Floats  # height above the ground, [h,w]
    pixel_along: Floats  # width of a pixel on the wall
    pixel_up: Floats  # height of a pixel on the wall
    length: float  # of the wall


def paint_house(canvas: Canvas, layout: Layout, facade: Facade) -> None:
    """Paint one house: its flank if the camera may see it, then its street front.

    Parts outside of the canvas or nearer than `NEAREST` are left out.

    Args:
        canvas: is painted on, in all three arrays.
        layout: the street with its camera and light.
        facade: the house.
    """
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
    """Paint one wide house across the far end of the street, which closes the view.

    Args:
        canvas: is painted on, in all three arrays.
        layout: the street with its camera and light.
    """
    house = Facade(
        side=1, start=STREET_END, end=STREET_END + 1.0, plane=-CLOSING_HALF, wall_height=13.0,
        roof="mansard", roof_height=2.4, roof_rgb=(104, 62, 52), bays=11, floors=3, shade=0.96,
        shop=None, flank=True, number=99,
    )  # fmt: skip
    _paint_frontal(canvas, layout, house, 2.0 * CLOSING_HALF)


def _paint_flank(canvas: Canvas, layout: Layout, facade: Facade) -> None:
    # A flank has few windows, no shop and not the gable of the street front.
    flank = replace(_shaded(facade, 0.8), bays=3, shop=None)
    if facade.roof == "gable":
        flank = replace(flank, roof="flat", roof_height=0.0)
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
    colours = _wall_colours(wall, facade, layout.looks.wall.rgb, light.lit_windows)
    colours = light.add_haze(colours, depth)
    mask = inside & (wall.up >= 0.0) & (wall.up <= _outline(wall, facade))
    canvas.paint(patch, mask, colours, BUILDING)


def _shaded(facade: Facade, factor: float) -> Facade:
    return replace(facade, shade=facade.shade * factor)


def _height(camera: Camera, v: Floats, depth: Floats) -> Floats:
    drop = (v - camera.vanish_v)[:, None] / camera.focal
    return np.asarray(camera.height - drop * depth, np.float32)


def _depth_step(camera: Camera, depth: Floats, plane: float, width: int) -> Floats:
    reach = max(abs(plane - camera.lateral), 0.1)
    return np.asarray(2.0 * depth * depth / (camera.focal * reach * width), np.float32)


def _outline(wall: Wall, facade: Facade) -> Floats:
    """Return the height in metres of the house's upper edge at each of `wall.along`, same shape.

    The edge is level, except for a gable, which rises to the middle of the wall.
    """
    if facade.roof != "gable":
        return np.full_like(wall.along, facade.top)
    rise = 1.0 - np.abs(wall.along / wall.length - 0.5) * 2.0
    return np.asarray(facade.wall_height + facade.roof_height * rise, np.float32)


def _wall_colours(wall: Wall, facade: Facade, rgb: Rgb, lit_windows: float) -> Floats:
    """Return the colours, float [3,h,w] in 0..255, of a wall with its windows, doors and roof.

    The light and haze are not applied.
    """
    tone = facade.shade * (1.0 - 0.2 * np.exp(-np.maximum(wall.up, 0.0) / 1.2))
    colours: Floats = planes(rgb) * tone
    colours = _paint_bands(colours, wall, facade)
    colours = _paint_windows(colours, wall, facade, lit_windows)
    colours = _paint_ground_floor(colours, wall, facade)
    if facade.roof == "mansard":
        colours = _paint_tiles(colours, wall, facade)
    return colours


def _paint_bands(colours: Floats, wall: Wall, facade: Facade) -> Floats:
    plinth = cover(wall.up, 0.6, wall.pixel_up)
    belt = cover(wall.up - GROUND_FLOOR, 0.14, wall.pixel_up)
    cornice = cover(wall.up - facade.wall_height + 0.2, 0.2, wall.pixel_up)
    if facade.roof == "gable":
        cornice = cover(_outline(wall, facade) - wall.up - 0.15, 0.22, wall.pixel_up)
    colours = blend(colours, colours * np.float32(0.68), plinth)
    return blend(colours, TRIM_LIGHT, 0.55 * np.maximum(belt, cornice))


def _paint_windows(colours: Floats, wall: Wall, facade: Facade, lit_windows: float) -> Floats:
    bay = wall.length / facade.bays
    floor = (facade.wall_height - GROUND_FLOOR - 0.3) / facade.floors
    column = wall.along / bay
    storey = (wall.up - GROUND_FLOOR - 0.1) / floor
    beside = centred_fraction(column) * np.float32(bay)
    above = centred_fraction(storey) * np.float32(floor)
    upper = (storey > 0.0) & (storey < facade.floors)
    half_w, half_h = 0.5 * min(WINDOW_WIDTH, 0.6 * bay), 0.5 * WINDOW_HEIGHT
    frame = cover(beside, half_w + FRAME, wall.pixel_along)
    frame = frame * cover(above, half_h + FRAME, wall.pixel_up) * upper
    glass = cover(beside, half_w, wall.pixel_along) * cover(above, half_h, wall.pixel_up) * upper
    bar = cover(beside, 0.05, wall.pixel_along) * 0.7
    pane = blend(GLASS_LOW, GLASS_HIGH, np.clip(above / WINDOW_HEIGHT + 0.5, 0, 1))
    if lit_windows > 0.0:
        cell = np.floor(column) * 12.9 + np.floor(storey) * 78.2 + facade.number * 37.7
        chance = np.abs(np.sin(cell) * 43.7) % 1.0
        pane = np.where((chance < lit_windows), LIT, pane)
    pane = blend(pane, TRIM_LIGHT, bar)
    colours = blend(colours, TRIM_LIGHT, 0.75 * frame)
    return blend(colours, pane, glass)


def _paint_ground_floor(colours: Floats, wall: Wall, facade: Facade) -> Floats:
    bay = wall.length / facade.bays
    column = wall.along / bay
    beside = centred_fraction(column) * np.float32(bay)
    is_door = np.floor(column) == facade.bays // 2
    door = cover(beside, 0.6, wall.pixel_along) * cover(wall.up - 1.15, 1.15, wall.pixel_up)
    surround = cover(beside, 0.78, wall.pixel_along) * cover(wall.up - 1.2, 1.3, wall.pixel_up)
    half_w, low, high = (0.42 * bay, 0.7, 2.7) if facade.shop else (0.55, 1.1, 2.6)
    middle, half_h = 0.5 * (low + high), 0.5 * (high - low)
    glass = cover(beside, half_w, wall.pixel_along) * cover(wall.up - middle, half_h, wall.pixel_up)
    glass, door, surround = glass * ~is_door, door * is_door, surround * is_door
    pane = blend(GLASS_LOW * 0.85, GLASS_HIGH, np.clip((wall.up - low) / 2.2, 0, 1))
    colours = blend(colours, TRIM_LIGHT, 0.6 * surround)
    colours = blend(colours, planes(facade.roof_rgb) * 0.7, door)
    colours = blend(colours, pane, glass)
    if facade.shop is not None:
        sign = cover(wall.up - 3.1, 0.3, wall.pixel_up)
        colours = blend(colours, planes(facade.shop), 0.9 * sign)
    return colours


def _paint_tiles(colours: Floats, wall: Wall, facade: Facade) -> Floats:
    above = wall.up - facade.wall_height
    course = cover(centred_fraction(above / 0.4) * 0.4, 0.07, wall.pixel_up)
    fade = np.clip(0.3 / wall.pixel_up, 0.0, 1.0)
    shade = 0.88 + 0.1 * above / facade.roof_height - 0.12 * course * fade
    tiles = planes(facade.roof_rgb) * shade
    bay = wall.length / facade.bays
    beside = centred_fraction(wall.along / (2.0 * bay)) * np.float32(2.0 * bay)
    dormer = cover(beside, 0.75, wall.pixel_along) * cover(above - 1.05, 0.8, wall.pixel_up)
    window = cover(beside, 0.5, wall.pixel_along) * cover(above - 1.0, 0.55, wall.pixel_up)
    tiles = blend(tiles, TRIM_LIGHT * 0.85, dormer)
    tiles = blend(tiles, GLASS_LOW, window)
    return blend(colours, tiles, (above > 0.0).astype(np.float32))
