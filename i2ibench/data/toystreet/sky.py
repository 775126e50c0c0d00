"""Sky: a gradient with clouds, painted over the whole image before anything else."""

from __future__ import annotations

import numpy as np

from i2ibench.data.toystreet.camera import Camera, Floats
from i2ibench.data.toystreet.canvas import Canvas
from i2ibench.data.toystreet.light import SKY_LABEL, Light
from i2ibench.data.toystreet.texture import Tiles, mix, read_tile, tint

CLOUD_DECK = 0.12


def paint_sky(
    canvas: Canvas, camera: Camera, light: Light, cloudiness: float, tiles: Tiles
) -> None:
    """Paint every row down to just below the horizon."""
    patch = canvas.patch(0.0, 0.0, 1.0, camera.vanish_v + 0.03)
    if patch is None:
        return
    rise = np.clip((camera.vanish_v - patch.v) / camera.vanish_v, 0.0, 1.0)[:, None]
    low, top = tint(light.sky_low), tint(light.sky_top)
    colours = np.repeat(mix(low, top, rise**0.8), len(patch.u), axis=2)
    weight = _cloud_cover(patch.u, rise, cloudiness, tiles)
    white = low + 0.45 * (255.0 - low)
    colours = mix(colours, white, 0.85 * weight)
    canvas.stamp(patch, np.ones(weight.shape, np.bool_), colours, SKY_LABEL)


def _cloud_cover(u: Floats, rise: Floats, cloudiness: float, tiles: Tiles) -> Floats:
    if cloudiness == 0.0:
        return np.zeros((len(rise), len(u)), np.float32)
    # A flat deck of clouds overhead: it shrinks towards the horizon as the ground does.
    depth = 0.1 / (rise + CLOUD_DECK)
    x = (u[None, :] - 0.5) * (0.35 + 2.2 * depth)
    y = np.repeat(1.6 * depth, len(u), axis=1)
    density = read_tile(tiles.soft, x, y) + 2.0 * (cloudiness - 0.62)
    step = np.clip(density, 0.0, 1.0)
    return np.asarray(step * step * (3.0 - 2.0 * step) * np.minimum(1.0, 6.0 * rise), np.float32)
