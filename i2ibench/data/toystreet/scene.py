"""Scene: what stands where on one street, in metres, and the painted result.

x runs to the right from the road's middle, y up from the ground, z ahead of the camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.toystreet.camera import Camera
from i2ibench.data.toystreet.canvas import Rgb
from i2ibench.data.toystreet.light import Light


@dataclass(frozen=True)
class Scene:
    """One painted street: the photo, its two maps and what a reader may know about it."""

    image: NDArray[np.uint8]
    label: NDArray[np.uint8]
    instance: NDArray[np.int32]
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Named:
    """A colour with its name; rgb is 0..255 before the light's tint."""

    name: str
    rgb: Rgb


@dataclass(frozen=True)
class Street:
    """The ground: half widths in metres, texture, markings (zebra_z 0 means no crossing)."""

    road_half: float
    lane_edge: float
    sidewalk: float
    centre_dashed: bool
    zebra_z: float
    sunny_side: int

    @property
    def frontage(self) -> float:
        """The distance of the building line from the road's middle."""
        return self.road_half + self.sidewalk


@dataclass(frozen=True)
class Facade:
    """One house: side -1 left or 1 right, its street front from z start to end on x = plane."""

    side: int
    start: float
    end: float
    plane: float
    wall_height: float
    roof: str
    roof_height: float
    roof_rgb: Rgb
    bays: int
    floors: int
    shade: float
    shop: Rgb | None
    flank: bool
    number: int

    @property
    def top(self) -> float:
        """The height of its highest point."""
        return self.wall_height + self.roof_height

    @property
    def eaves(self) -> float:
        """The height of its front's two ends."""
        return self.wall_height if self.roof == "gable" else self.top


@dataclass(frozen=True)
class Tree:
    """A tree (trunk > 0) or a bush; blobs are (dx, dy, radius) of its crown in metres."""

    x: float
    z: float
    trunk: float
    blobs: tuple[tuple[float, float, float], ...]
    shade: float
    offset: float


@dataclass(frozen=True)
class Post:
    """A pole and what it carries: kind is lamp, light, sign or plain; face says which sign."""

    kind: str
    x: float
    z: float
    height: float
    face: str


@dataclass(frozen=True)
class Vehicle:
    """A car, truck or bus standing on x, its nearest point at z; away means we see its rear."""

    kind: str
    body: str
    x: float
    z: float
    scale: float
    away: bool
    braking: bool
    colour: Named
    instance: int


@dataclass(frozen=True)
class Person:
    """Someone on foot; stride 0 stands, 1 walks wide; heading -1 looks left, 1 right."""

    x: float
    z: float
    height: float
    heading: int
    stride: float
    shirt: Named
    trousers: Rgb
    skin: Rgb
    hair: Rgb
    instance: int


@dataclass(frozen=True)
class Looks:
    """What a scene has one of: a named colour per class of stuff, and the sky's clouds."""

    road: Named
    sidewalk: Named
    wall: Named
    foliage: Named
    grass: Named
    clouds: str
    cloudiness: float


@dataclass(frozen=True)
class Layout:
    """Everything about one street except the size of its image."""

    light: Light
    camera: Camera
    street: Street
    looks: Looks
    facades: tuple[Facade, ...]
    trees: tuple[Tree, ...]
    posts: tuple[Post, ...]
    vehicles: tuple[Vehicle, ...]
    people: tuple[Person, ...]
    closing: str
