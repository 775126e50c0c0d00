"""Traffic: the vehicles and people of one street, drawn by chance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from i2ibench.data.toystreet import palette
from i2ibench.data.toystreet.canvas import Rgb
from i2ibench.data.toystreet.scene import Named, Person, Street, Vehicle

PERSON_LABEL = 24
VEHICLE_LABELS = {"car": 26, "truck": 27, "bus": 28}
COLOURS: Mapping[str, Mapping[str, Rgb]] = {
    "car": palette.CAR_COLOURS,
    "truck": palette.TRUCK_COLOURS,
    "bus": palette.BUS_COLOURS,
}
CAR_BODIES = ("sedan", "hatchback", "van")


def sample_vehicles(rng: np.random.Generator, street: Street) -> list[Vehicle]:
    """Return the driving and parked vehicles, none overlapping, nearest first."""
    places = _driving(rng, street) + _parked(rng, street)
    places.sort(key=lambda place: place[2])
    counts = dict.fromkeys(VEHICLE_LABELS, 0)
    vehicles: list[Vehicle] = []
    for kind, x, z, away in places:
        instance = VEHICLE_LABELS[kind] * 1000 + counts[kind]
        counts[kind] += 1
        names = tuple(COLOURS[kind])
        name = names[int(rng.integers(len(names)))]
        vehicles.append(
            Vehicle(
                kind=kind,
                body=CAR_BODIES[int(rng.integers(3))] if kind == "car" else kind,
                x=x,
                z=z,
                scale=float(rng.uniform(0.96, 1.05)),
                away=away,
                braking=bool(rng.random() < 0.4),
                colour=Named(name, COLOURS[kind][name]),
                instance=instance,
            )
        )
    return vehicles


def sample_people(rng: np.random.Generator, street: Street) -> list[Person]:
    """Return the people on the sidewalks and, where there is one, on the crossing."""
    return [
        _person(rng, x, z, PERSON_LABEL * 1000 + number)
        for number, (x, z) in enumerate(_standing_places(rng, street))
    ]


def _driving(rng: np.random.Generator, street: Street) -> list[tuple[str, float, float, bool]]:
    places: list[tuple[str, float, float, bool]] = []
    for side in (-1, 1):
        z = float(rng.uniform(7.0, 26.0))
        while z < 75.0:
            kind = str(rng.choice(("car", "truck", "bus"), p=(0.84, 0.1, 0.06)))
            x = side * 0.5 * street.lane_edge + float(rng.uniform(-0.2, 0.2))
            if street.zebra_z == 0.0 or not -12.0 < z - street.zebra_z < 5.0:
                places.append((kind, x, z, side == 1))
            z += float(rng.uniform(14.0, 34.0))
    return places


def _parked(rng: np.random.Generator, street: Street) -> list[tuple[str, float, float, bool]]:
    if street.road_half - street.lane_edge < 1.0:
        return []
    places: list[tuple[str, float, float, bool]] = []
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


def _standing_places(rng: np.random.Generator, street: Street) -> list[tuple[float, float]]:
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


def _person(rng: np.random.Generator, x: float, z: float, instance: int) -> Person:
    names = tuple(palette.CLOTHES_COLOURS)
    name = names[int(rng.integers(len(names)))]
    return Person(
        x=x,
        z=z,
        height=float(rng.uniform(1.55, 1.92)),
        heading=int(rng.choice((-1, 1))),
        stride=float(rng.choice((0.0, 0.6, 1.0))),
        shirt=Named(name, palette.CLOTHES_COLOURS[name]),
        trousers=palette.TROUSER_COLOURS[int(rng.integers(4))],
        skin=palette.SKIN_COLOURS[int(rng.integers(4))],
        hair=palette.HAIR_COLOURS[int(rng.integers(4))],
        instance=instance,
    )
