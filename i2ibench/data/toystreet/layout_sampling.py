"""The random choice of everything on one street, made before anything is painted."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from i2ibench.data.toystreet import palette
from i2ibench.data.toystreet.camera import Camera
from i2ibench.data.toystreet.canvas import Rgb
from i2ibench.data.toystreet.layout import (
    GROUND_FLOOR,
    PERSON_LABEL,
    STREET_END,
    VEHICLE_LABELS,
    Facade,
    Layout,
    Looks,
    NamedColour,
    Person,
    Post,
    Street,
    Tree,
    Vehicle,
)
from i2ibench.data.toystreet.light import LIGHTS

Rng = np.random.Generator
T = TypeVar("T")

VehiclePlace = tuple[str, float, float, bool]
"""The kind of a vehicle, its x and z in metres, and whether the camera sees its rear."""

CLOUDS = {"clear": 0.0, "few clouds": 0.45, "many clouds": 0.8}
"""The cloudiness 0..1 of each kind of sky, by its name."""

SIGN_FACES = ("stop", "speed limit", "priority", "blue arrow", "warning")
VEHICLE_COLOURS: Mapping[str, Mapping[str, Rgb]] = {
    "car": palette.CAR_COLOURS,
    "truck": palette.TRUCK_COLOURS,
    "bus": palette.BUS_COLOURS,
}
CAR_BODIES = ("sedan", "hatchback", "van")


def sample_layout(rng: Rng) -> Layout:
    """Return a random street in metres, which does not depend on the size of an image.

    Args:
        rng: the source of all choices. Their order is part of what a seed means: another order
            gives other streets for the same seed.
    """
    light = LIGHTS[int(rng.choice(len(LIGHTS), p=(0.3, 0.2, 0.15, 0.25, 0.1)))]
    looks = _sample_looks(rng)
    street = _sample_street(rng, looks.road.name)
    facades: list[Facade] = []
    trees: list[Tree] = []
    green_side = int(rng.choice((-1, 1, 0, 0, 0, 0)))
    for side in (-1, 1):
        if side == green_side:
            trees += _sample_park(rng, side, street)
        else:
            row, yards = _sample_row(rng, side, street)
            facades += row
            trees += yards
    trees += _sample_avenue(rng, street)
    return Layout(
        light=light,
        camera=_sample_camera(rng, street),
        street=street,
        looks=looks,
        facades=tuple(facades),
        trees=tuple(trees),
        posts=tuple(_sample_posts(rng, street)),
        vehicles=tuple(_sample_vehicles(rng, street)),
        people=tuple(_sample_people(rng, street)),
        closing=_pick(rng, ("trees", "trees", "houses")),
    )


def _pick(rng: Rng, options: Sequence[T]) -> T:
    """Return one of the options, each with equal probability."""
    return options[int(rng.integers(len(options)))]


def _pick_colour(rng: Rng, colours: Mapping[str, Rgb]) -> NamedColour:
    name = _pick(rng, tuple(colours))
    return NamedColour(name, colours[name])


def _sample_looks(rng: Rng) -> Looks:
    clouds = _pick(rng, tuple(CLOUDS))
    return Looks(
        road=_pick_colour(rng, palette.ROAD_COLOURS),
        sidewalk=_pick_colour(rng, palette.SIDEWALK_COLOURS),
        wall=_pick_colour(rng, palette.WALL_COLOURS),
        foliage=_pick_colour(rng, palette.FOLIAGE_COLOURS),
        grass=_pick_colour(rng, palette.GRASS_COLOURS),
        clouds=clouds,
        cloudiness=CLOUDS[clouds],
    )


def _sample_street(rng: Rng, texture: str) -> Street:
    lane_edge = float(rng.uniform(3.2, 3.9))
    parking = float(rng.choice((0.3, 2.2, 2.2)))
    zebra = float(rng.uniform(9.0, 24.0)) if rng.random() < 0.35 else 0.0
    return Street(
        road_half=lane_edge + parking,
        lane_edge=lane_edge,
        sidewalk=float(rng.uniform(3.2, 4.8)),
        centre_dashed=texture != "cobbles",
        zebra_z=zebra,
        sunny_side=int(rng.choice((-1, 1))),
    )


def _sample_camera(rng: Rng, street: Street) -> Camera:
    return Camera(
        height=float(rng.uniform(1.45, 1.9)),
        lateral=float(0.5 * street.lane_edge + rng.uniform(-0.5, 0.4)),
        focal=float(rng.uniform(1.3, 1.6)),
        vanish_u=float(rng.uniform(0.42, 0.58)),
        vanish_v=float(rng.uniform(0.41, 0.47)),
    )


def _sample_row(rng: Rng, side: int, street: Street) -> tuple[list[Facade], list[Tree]]:
    """Return the houses of one side up to the street's end, and the trees in their gaps."""
    facades: list[Facade] = []
    yards: list[Tree] = []
    start = float(rng.uniform(-6.0, 1.0))
    while start < STREET_END:
        facade = _sample_facade(rng, side, start, street, facades)
        facades.append(facade)
        gap = rng.random() < 0.28
        start = facade.end
        if gap:
            width = float(rng.uniform(4.0, 11.0))
            for _ in range(2):
                x = side * (street.frontage + float(rng.uniform(2.0, 9.0)))
                yards.append(_sample_tree(rng, x, start + width * float(rng.uniform(0.2, 0.9))))
            start += width
    return facades, yards


def _sample_facade(
    rng: Rng, side: int, start: float, street: Street, nearer: Sequence[Facade]
) -> Facade:
    length = float(rng.uniform(8.0, 17.0))
    floors = int(rng.integers(1, 4))
    roof = _pick(rng, ("flat", "mansard", "gable"))
    roof_height = {"flat": 0.0, "mansard": 2.4, "gable": 0.32 * length}[roof]
    shop = _pick(rng, tuple(palette.CLOTHES_COLOURS.values())) if rng.random() < 0.35 else None
    house = Facade(
        side=side,
        start=start,
        end=start + length,
        plane=street.frontage + float(rng.choice((0.0, 0.0, 0.4, 1.2))),
        wall_height=GROUND_FLOOR + 3.0 * floors + float(rng.uniform(0.2, 0.8)),
        roof=roof,
        roof_height=roof_height,
        roof_rgb=_pick(rng, palette.ROOF_COLOURS),
        bays=max(2, round(length / float(rng.uniform(2.4, 3.2)))),
        floors=floors,
        shade=float(rng.uniform(0.9, 1.08)),
        shop=shop,
        flank=True,
        number=len(nearer),
    )
    return house if not nearer or _stands_out(house, nearer[-1]) else replace(house, flank=False)


def _stands_out(house: Facade, nearer: Facade) -> bool:
    """Return whether the camera sees a house's flank beside or above the next nearer house.

    Houses are seen beside it if there is a gap between them or `house` stands nearer to the road.
    """
    if house.start > nearer.end or house.plane < nearer.plane:
        return True
    return house.eaves > nearer.eaves


def _sample_tree(rng: Rng, x: float, z: float) -> Tree:
    size = float(rng.uniform(1.5, 2.3))
    trunk = float(rng.uniform(1.9, 2.9))
    blobs = [(0.0, trunk + size, size)]
    for _ in range(5):
        angle = float(rng.uniform(0.0, 2.0 * np.pi))
        reach = size * float(rng.uniform(0.5, 0.75))
        blobs.append((reach * np.cos(angle), trunk + size + reach * np.sin(angle), size * 0.62))
    return Tree(x, z, trunk, tuple(blobs), float(rng.uniform(0.88, 1.12)), float(rng.random()))


def _sample_bush(rng: Rng, x: float, z: float) -> Tree:
    size = float(rng.uniform(0.7, 1.2))
    blobs = tuple((size * dx, 0.55 * size, 0.8 * size) for dx in (-0.8, 0.0, 0.8))
    return Tree(x, z, 0.0, blobs, float(rng.uniform(0.8, 1.0)), float(rng.random()))


def _sample_park(rng: Rng, side: int, street: Street) -> list[Tree]:
    """Return pairs of a bush and a tree along a side without houses, up to the street's end."""
    trees: list[Tree] = []
    z = float(rng.uniform(4.0, 9.0))
    while z < STREET_END:
        reach = street.frontage + float(rng.uniform(1.2, 3.0))
        trees.append(_sample_bush(rng, side * reach, z))
        trees.append(_sample_tree(rng, side * (reach + float(rng.uniform(1.0, 7.0))), z + 1.0))
        z += float(rng.uniform(3.0, 6.0)) * (1.0 + z / 60.0)
    return trees


def _sample_avenue(rng: Rng, street: Street) -> list[Tree]:
    """Return the trees on the sidewalks of both sides, at about equal distances."""
    trees: list[Tree] = []
    spacing = float(rng.choice((16.0, 24.0, 36.0)))
    for side in (-1, 1):
        z = float(rng.uniform(11.0, 11.0 + spacing))
        while z < 0.8 * STREET_END:
            trees.append(_sample_tree(rng, side * (street.road_half + 1.0), z))
            z += spacing * float(rng.uniform(0.85, 1.2))
    return trees


def _sample_posts(rng: Rng, street: Street) -> list[Post]:
    posts: list[Post] = []
    kerb = street.road_half + 0.5
    for side in (-1, 1):
        first = float(rng.uniform(8.0, 18.0))
        for z in np.arange(first, 90.0, 27.0).tolist():
            posts.append(Post("lamp", side * kerb, z, 6.5, ""))
        for place in range(int(rng.integers(1, 4))):
            z = 8.5 + 9.0 * place + float(rng.uniform(0.0, 6.0))
            posts.append(Post("sign", side * (kerb + 0.2), z, 3.0, _pick(rng, SIGN_FACES)))
    if street.zebra_z > 0.0 or rng.random() < 0.6:
        z = street.zebra_z - 0.8 if street.zebra_z > 0.0 else float(rng.uniform(10.0, 24.0))
        state = _pick(rng, ("red", "green", "amber"))
        posts += [Post("light", side * (kerb - 0.1), z, 3.6, state) for side in (-1, 1)]
    return posts


def _sample_vehicles(rng: Rng, street: Street) -> list[Vehicle]:
    """Return the driving and parked vehicles, the nearest first.

    Their places are chosen far enough apart for vehicles not to overlap. The instance ids of a kind
    are its class id * 1000 + k, k from 0 for the nearest.
    """
    places = _driving_places(rng, street) + _parking_places(rng, street)
    places.sort(key=lambda place: place[2])
    counts = dict.fromkeys(VEHICLE_LABELS, 0)
    vehicles: list[Vehicle] = []
    for kind, x, z, away in places:
        instance = VEHICLE_LABELS[kind] * 1000 + counts[kind]
        counts[kind] += 1
        colour = _pick_colour(rng, VEHICLE_COLOURS[kind])
        vehicles.append(
            Vehicle(
                kind=kind,
                body=_pick(rng, CAR_BODIES) if kind == "car" else kind,
                x=x,
                z=z,
                scale=float(rng.uniform(0.96, 1.05)),
                away=away,
                braking=bool(rng.random() < 0.4),
                colour=colour,
                instance=instance,
            )
        )
    return vehicles


def _sample_people(rng: Rng, street: Street) -> list[Person]:
    """Return 4 to 14 people, the nearest first, with the instance ids 24000, 24001 and so on.

    They are on the sidewalks and on the zebra crossing, if the street has one; without one a person
    is sometimes on the road.
    """
    return [
        _sample_person(rng, x, z, PERSON_LABEL * 1000 + number)
        for number, (x, z) in enumerate(_standing_places(rng, street))
    ]


def _driving_places(rng: Rng, street: Street) -> list[VehiclePlace]:
    places: list[VehiclePlace] = []
    for side in (-1, 1):
        z = float(rng.uniform(7.0, 26.0))
        while z < 75.0:
            kind = str(rng.choice(("car", "truck", "bus"), p=(0.84, 0.1, 0.06)))
            x = side * 0.5 * street.lane_edge + float(rng.uniform(-0.2, 0.2))
            if street.zebra_z == 0.0 or not -12.0 < z - street.zebra_z < 5.0:
                places.append((kind, x, z, side == 1))
            z += float(rng.uniform(14.0, 34.0))
    return places


def _parking_places(rng: Rng, street: Street) -> list[VehiclePlace]:
    if street.road_half - street.lane_edge < 1.0:
        return []
    places: list[VehiclePlace] = []
    for side in (-1, 1):
        density = float(rng.uniform(0.15, 0.75))
        first = float(rng.uniform(4.0, 9.0))
        for z in np.arange(first, 70.0, 6.2).tolist():
            clear = street.zebra_z == 0.0 or not -6.5 < z - street.zebra_z < 5.0
            if rng.random() < density and clear:
                x = side * (street.road_half - 1.05) + float(rng.uniform(-0.08, 0.08))
                place = z + float(rng.uniform(-0.3, 0.3))
                places.append(("car", x, place, (side == 1) == bool(rng.random() < 0.9)))
    return places


def _standing_places(rng: Rng, street: Street) -> list[tuple[float, float]]:
    """Return (x, z) in metres of every person, the nearest first.

    4 to 11 stand on the sidewalks. 1 to 3 are on the zebra crossing; on a street without one, one
    person is on the road with a probability of 0.25.
    """
    places: list[tuple[float, float]] = []
    for _ in range(int(rng.integers(4, 12))):
        side = int(rng.choice((-1, 1)))
        across = street.road_half + street.sidewalk * float(rng.uniform(0.35, 0.85))
        places.append((side * across, float(5.0 + 40.0 * rng.random() ** 1.4)))
    if street.zebra_z > 0.0:
        for _ in range(int(rng.integers(1, 4))):
            x = float(rng.uniform(-street.road_half, street.road_half))
            places.append((x, street.zebra_z + float(rng.uniform(0.5, 2.5))))
    elif rng.random() < 0.25:
        places.append((float(rng.uniform(-0.4, 0.4)), float(rng.uniform(14.0, 24.0))))
    places.sort(key=lambda place: place[1])
    return places


def _sample_person(rng: Rng, x: float, z: float, instance: int) -> Person:
    shirt = _pick_colour(rng, palette.CLOTHES_COLOURS)
    return Person(
        x=x,
        z=z,
        height=float(rng.uniform(1.55, 1.92)),
        heading=int(rng.choice((-1, 1))),
        stride=float(rng.choice((0.0, 0.6, 1.0))),
        shirt=shirt,
        trousers=_pick(rng, palette.TROUSER_COLOURS),
        skin=_pick(rng, palette.SKIN_COLOURS),
        hair=_pick(rng, palette.HAIR_COLOURS),
        instance=instance,
    )
