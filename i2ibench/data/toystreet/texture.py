"""Repeating grey textures, and the arithmetic that painters share."""

from dataclasses import dataclass

import cv2
import numpy as np

from i2ibench.data.toystreet.camera import Floats

TILE = 256


@dataclass(frozen=True)
class Tiles:
    """Two seamless noise textures [256,256] with mean 0 and standard deviation 1."""

    soft: Floats
    grain: Floats


def make_tiles(rng: np.random.Generator) -> Tiles:
    """Return two random noise textures for one scene, float32 [256,256] each; "soft" is coarser.

    Each has the mean 0 and the standard deviation 1, and repeats without seams.

    Args:
        rng: the source of the noise.
    """
    soft = np.zeros((TILE, TILE), np.float32)
    for cells, weight in ((4, 1.0), (8, 0.6), (16, 0.35), (32, 0.2)):
        soft += weight * _octave(rng, cells)
    grain = _octave(rng, 128) + 0.5 * _octave(rng, 64)
    return Tiles(_standard(soft), _standard(grain))


def read_tile(tile: Floats, x: Floats, y: Floats) -> Floats:
    """Return the values of a repeating texture at given positions, float32 [h,w], interpolated.

    Args:
        tile: the texture, float32 [256,256].
        x, y: the positions [h,w]; one repetition of the texture has the length 1.0.
    """
    column = ((x - np.floor(x)) * TILE).astype(np.float32)
    row = ((y - np.floor(y)) * TILE).astype(np.float32)
    return np.asarray(
        cv2.remap(tile, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP), np.float32
    )


def cover(distance: Floats, half_width: float | Floats, pixel: float | Floats) -> Floats:
    """Return the share 0..1 of each pixel that a band, such as a painted line, covers.

    Args:
        distance: of the pixel's centre from the band's middle, in metres; the sign does not matter.
        half_width: half the width of the band in metres.
        pixel: size of the pixel in metres.
    """
    share = (half_width - np.abs(distance)) / pixel + 0.5
    return np.asarray(np.minimum(np.maximum(share, 0.0), 1.0), np.float32)


def centred_fraction(position: Floats) -> Floats:
    """Return each position's distance from the middle of its unit interval, -0.5 up to below 0.5.

    The middle of the interval [n, n + 1) is n + 0.5.
    """
    return np.asarray(position - np.floor(position) - 0.5, np.float32)


def planes(rgb: tuple[float, float, float]) -> Floats:
    """Return a colour as float32 [3,1,1], which broadcasts over images [3,h,w]."""
    return np.array(rgb, np.float32)[:, None, None]


def blend(base: Floats, other: Floats | float, weight: Floats) -> Floats:
    """Return `base` interpolated towards `other`, float32; the three arguments are broadcast.

    Args:
        base: the result where the weight is 0.
        other: the result where the weight is 1.
        weight: 0..1.
    """
    return np.asarray(base + (other - base) * weight, np.float32)


def _octave(rng: np.random.Generator, cells: int) -> Floats:
    grid = np.pad(rng.standard_normal((cells, cells)).astype(np.float32), 2, mode="wrap")
    step = TILE // cells
    size = (cells + 4) * step
    large = cv2.resize(grid, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(large[2 * step : -2 * step, 2 * step : -2 * step], np.float32)


def _standard(tile: Floats) -> Floats:
    return np.asarray((tile - tile.mean()) / tile.std(), np.float32)
