"""Facade: the colours of one wall, from metres along it and metres above the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from i2ibench.data.toystreet.camera import Floats
from i2ibench.data.toystreet.canvas import Rgb
from i2ibench.data.toystreet.layout import GROUND_FLOOR
from i2ibench.data.toystreet.scene import Facade
from i2ibench.data.toystreet.texture import centred_fraction, cover, mix, tint

GLASS_LOW = tint((64.0, 76.0, 92.0))
GLASS_HIGH = tint((128.0, 148.0, 166.0))
LIT = tint((255.0, 244.0, 150.0))
TRIM_LIGHT = 232.0
WINDOW_WIDTH, WINDOW_HEIGHT, FRAME = 1.25, 1.65, 0.16


@dataclass(frozen=True)
class Wall:
    """A wall's pixels: along [1, w] or [h, w] and up [h, w] in metres, and a pixel's size there."""

    along: Floats
    up: Floats
    pixel_along: Floats
    pixel_up: Floats
    length: float


def outline(wall: Wall, facade: Facade) -> Floats:
    """Return the height in metres, like wall.along, up to which the house reaches."""
    if facade.roof != "gable":
        return np.full_like(wall.along, facade.top)
    rise = 1.0 - np.abs(wall.along / wall.length - 0.5) * 2.0
    return np.asarray(facade.wall_height + facade.roof_height * rise, np.float32)


def wall_colours(wall: Wall, facade: Facade, rgb: Rgb, lit_windows: float) -> Floats:
    """Return the colours [3, h, w] in 0..255 of the wall, its windows, doors and roof band."""
    tone = facade.shade * (1.0 - 0.2 * np.exp(-np.maximum(wall.up, 0.0) / 1.2))
    colours: Floats = tint(rgb) * tone
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
        cornice = cover(outline(wall, facade) - wall.up - 0.15, 0.22, wall.pixel_up)
    colours = mix(colours, colours * np.float32(0.68), plinth)
    return mix(colours, TRIM_LIGHT, 0.55 * np.maximum(belt, cornice))


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
    pane = mix(GLASS_LOW, GLASS_HIGH, np.clip(above / WINDOW_HEIGHT + 0.5, 0, 1))
    if lit_windows > 0.0:
        cell = np.floor(column) * 12.9 + np.floor(storey) * 78.2 + facade.number * 37.7
        chance = np.abs(np.sin(cell) * 43.7) % 1.0
        pane = np.where((chance < lit_windows), LIT, pane)
    pane = mix(pane, TRIM_LIGHT, bar)
    colours = mix(colours, TRIM_LIGHT, 0.75 * frame)
    return mix(colours, pane, glass)


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
    pane = mix(GLASS_LOW * 0.85, GLASS_HIGH, np.clip((wall.up - low) / 2.2, 0, 1))
    colours = mix(colours, TRIM_LIGHT, 0.6 * surround)
    colours = mix(colours, tint(facade.roof_rgb) * 0.7, door)
    colours = mix(colours, pane, glass)
    if facade.shop is not None:
        sign = cover(wall.up - 3.1, 0.3, wall.pixel_up)
        colours = mix(colours, tint(facade.shop), 0.9 * sign)
    return colours


def _paint_tiles(colours: Floats, wall: Wall, facade: Facade) -> Floats:
    above = wall.up - facade.wall_height
    course = cover(centred_fraction(above / 0.4) * 0.4, 0.07, wall.pixel_up)
    fade = np.clip(0.3 / wall.pixel_up, 0.0, 1.0)
    shade = 0.88 + 0.1 * above / facade.roof_height - 0.12 * course * fade
    tiles = tint(facade.roof_rgb) * shade
    bay = wall.length / facade.bays
    beside = centred_fraction(wall.along / (2.0 * bay)) * np.float32(2.0 * bay)
    dormer = cover(beside, 0.75, wall.pixel_along) * cover(above - 1.05, 0.8, wall.pixel_up)
    window = cover(beside, 0.5, wall.pixel_along) * cover(above - 1.0, 0.55, wall.pixel_up)
    tiles = mix(tiles, TRIM_LIGHT * 0.85, dormer)
    tiles = mix(tiles, GLASS_LOW, window)
    return mix(colours, tiles, (above > 0.0).astype(np.float32))
