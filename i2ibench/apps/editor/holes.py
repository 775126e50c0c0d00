"""What fills the hole that a moved or deleted object leaves."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from i2ibench.apps.editor.rasterise import Mask, Region
from i2ibench.errors import UserError


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
