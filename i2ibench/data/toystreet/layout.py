"""The layout of one street in metres: what stands where, before anything is painted.

x runs to the right from the middle of the road, y up from the ground, z ahead of the camera.
"""

from dataclasses import dataclass

from i2ibench.data.toystreet.camera import Camera
from i2ibench.data.toystreet.canvas import Rgb
from i2ibench.data.toystreet.light import Light

STREET_END = 115.0
"""The z in metres at which the street ends."""

GROUND_FLOOR = 3.6
"""The height in metres of the ground floor of every house."""

PERSON_LABEL = 24
VEHICLE_LABELS = {"car": 26, "truck": 27, "bus": 28}


@dataclass(frozen=True)
class NamedColour:
    """A colour with a name; `rgb` is 0..255, before the light changes it."""

    name: str
    rgb: Rgb


@dataclass(frozen=True)
class Street:
    """The ground of a street and its markings, in metres."""

    road_half: float  # half the width of the roadway
    lane_edge: float  # distance from the middle of the road to the line beside the lane
    sidewalk: float  # width of each sidewalk
    centre_dashed: bool  # a dashed line in the middle and lines at the edges of the lanes
    zebra_z: float  # z where the zebra crossing begins; 0 for a street without one
    sunny_side: int  # -1 if the sun shines on the left side of the street, 1 for the right

    @property
    def frontage(self) -> float:
        """Return the metres from the middle of the road to the outer edge of a sidewalk."""
        return self.road_half + self.sidewalk


@dataclass(frozen=True)
class Facade:
    """A house with a street front, and a flank that faces the camera; lengths in metres."""

    side: int  # -1 on the left of the street, 1 on the right
    start: float  # z where the street front begins
    end: float  # z where the street front ends
    plane: float  # distance of the street front from the middle of the road
    wall_height: float  # without the roof
    roof: str  # "flat", "mansard" or "gable"
    roof_height: float  # above the wall
    roof_rgb: Rgb  # also the colour of the door
    bays: int  # columns of windows
    floors: int  # above the ground floor
    shade: float  # factor of the wall's brightness
    shop: Rgb | None  # colour of a shop's sign; None for a house without a shop
    flank: bool  # whether the flank is painted
    number: int  # of the house in its row, which varies the lit windows

    @property
    def top(self) -> float:
        """Return the height in metres of the house's highest point, with the roof."""
        return self.wall_height + self.roof_height

    @property
    def eaves(self) -> float:
        """Return the height in metres of the two upper corners of the house's street front.

        These are at the top of the wall for a gable, and at the top of the roof for other roofs.
        """
        return self.wall_height if self.roof == "gable" else self.top


@dataclass(frozen=True)
class Tree:
    """A tree (`trunk` > 0) or a bush; `blobs` are (dx, dy, radius) of its crown in metres."""

    x: float
    z: float
    trunk: float
    blobs: tuple[tuple[float, float, float], ...]
    shade: float
    offset: float


@dataclass(frozen=True)
class Post:
    """A pole: `kind` is "lamp", "light" or "sign"; `face` names the sign or the light's colour."""

    kind: str
    x: float
    z: float
    height: float
    face: str


@dataclass(frozen=True)
class Vehicle:
    """A car, truck or bus around `x`, from `z` on; `away` means that the camera sees its rear."""

    kind: str
    body: str
    x: float
    z: float
    scale: float
    away: bool
    braking: bool
    colour: NamedColour
    instance: int


@dataclass(frozen=True)
class Person:
    """A person on foot, standing at (x, z); lengths in metres."""

    x: float
    z: float
    height: float
    heading: int  # -1 looks left, 1 right
    stride: float  # 0 stands, 1 makes the widest step
    shirt: NamedColour
    trousers: Rgb
    skin: Rgb
    hair: Rgb
    instance: int


@dataclass(frozen=True)
class Looks:
    """The colours that are the same in a whole scene, and its clouds (`cloudiness` 0..1)."""

    road: NamedColour
    sidewalk: NamedColour
    wall: NamedColour
    foliage: NamedColour
    grass: NamedColour
    clouds: str
    cloudiness: float


@dataclass(frozen=True)
class Layout:
    """Everything about one street except the size of its image.

    `closing` is what ends the view: "trees" or "houses".
    """

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
