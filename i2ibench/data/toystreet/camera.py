"""Camera: where a point of the street, in metres, lands in the image.

Image positions are fractions (u of the width, v of the height), so a layout is the same street
at every size. An image is taken to be twice as wide as high, which is why u carries a half.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
NEAREST = 0.3


@dataclass(frozen=True)
class Camera:
    """A pinhole camera looking along the street.

    height and lateral are metres (lateral is positive to the right of the road's middle), focal is
    in image heights, vanish_u and vanish_v are the vanishing point in fractions.
    """

    height: float
    lateral: float
    focal: float
    vanish_u: float
    vanish_v: float

    def project(self, points: Sequence[Sequence[float]] | Floats) -> Floats:
        """Return [N, 2] fractions (u, v) for [N, 3] points (x right, y up, z ahead) in metres."""
        xyz = np.asarray(points, np.float32)
        scale = self.focal / np.maximum(xyz[:, 2], NEAREST)
        place = np.empty((len(xyz), 2), np.float32)
        place[:, 0] = self.vanish_u + 0.5 * scale * (xyz[:, 0] - self.lateral)
        place[:, 1] = self.vanish_v + scale * (self.height - xyz[:, 1])
        return place

    def depth_of_rows(self, v: Floats) -> Floats:
        """Return the distance in metres of the ground seen at rows v, all below the horizon."""
        return self.focal * self.height / (v - self.vanish_v)

    def depth_of_columns(self, u: Floats, plane_x: float) -> Floats:
        """Return the distance in metres of the upright plane x = plane_x seen at columns u."""
        return 0.5 * self.focal * (plane_x - self.lateral) / (u - self.vanish_u)
