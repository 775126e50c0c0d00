"""The camera: it maps points of the street, in metres, to positions in the image.

Image positions are fractions (u of the width, v of the height), so that a layout is the same
street at every image size. Images are taken to be twice as wide as high, hence the factors 0.5
and 2 beside u.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
NEAREST = 0.3
"""The least distance in metres that is projected; nearer points are moved there."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks along the street."""

    height: float  # above the ground in metres
    lateral: float  # metres to the right of the middle of the road
    focal: float  # focal length in image heights
    vanish_u: float  # the vanishing point, in fractions of the image
    vanish_v: float

    def project(self, points: Sequence[Sequence[float]] | Floats) -> Floats:
        """Return the image positions (u, v), float32 [N,2], of points in the street.

        u and v are fractions of the image's width and height, and may lie outside of 0..1.

        Args:
            points: (x right, y up, z ahead) in metres [N,3]. Points with a z below `NEAREST` are
                moved to that distance.
        """
        xyz = np.asarray(points, np.float32)
        scale = self.focal / np.maximum(xyz[:, 2], NEAREST)
        place = np.empty((len(xyz), 2), np.float32)
        place[:, 0] = self.vanish_u + 0.5 * scale * (xyz[:, 0] - self.lateral)
        place[:, 1] = self.vanish_v + scale * (self.height - xyz[:, 1])
        return place

    def depth_of_rows(self, v: Floats) -> Floats:
        """Return the distance in metres of the ground at image rows, same shape.

        Args:
            v: the rows as fractions of the image's height, all below the horizon.
        """
        return self.focal * self.height / (v - self.vanish_v)

    def depth_of_columns(self, u: Floats, plane_x: float) -> Floats:
        """Return the distance in metres of an upright plane along the street at image columns.

        The distance is negative where a column does not show the plane.

        Args:
            u: the columns as fractions of the image's width, none at the vanishing point.
            plane_x: the x of the plane in metres.
        """
        return 0.5 * self.focal * (plane_x - self.lateral) / (u - self.vanish_u)
