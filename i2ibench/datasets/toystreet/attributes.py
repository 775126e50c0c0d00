"""Attributes: what a reader may know about a painted scene, as plain JSON values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.datasets.toystreet.scene import Layout, Named

FIRST_THING = 24000


def describe_stuff(layout: Layout) -> dict[str, Any]:
    """Return the scene-wide look of each stuff class, keyed by class name."""
    looks, light = layout.looks, layout.light
    return {
        "road": {"texture": looks.road.name, "rgb": list(looks.road.rgb)},
        "sidewalk": {"texture": looks.sidewalk.name, "rgb": list(looks.sidewalk.rgb)},
        "building": {"wall_colour": looks.wall.name, "wall_rgb": list(looks.wall.rgb)},
        "sky": {
            "clouds": looks.clouds,
            "top_rgb": list(light.sky_top),
            "horizon_rgb": list(light.sky_low),
        },
        "vegetation": {"foliage": looks.foliage.name, "rgb": list(looks.foliage.rgb)},
        "terrain": {"grass": looks.grass.name, "rgb": list(looks.grass.rgb)},
    }


def describe_instances(layout: Layout, instance: NDArray[np.int32]) -> dict[str, Any]:
    """Return class and colour of every thing that has a pixel in instance, keyed by its id."""
    known: dict[int, tuple[str, Named]] = {
        vehicle.instance: (vehicle.kind, vehicle.colour) for vehicle in layout.vehicles
    }
    known.update({person.instance: ("person", person.shirt) for person in layout.people})
    visible = np.unique(instance[instance >= FIRST_THING]).tolist()
    return {
        str(number): {
            "class": known[number][0],
            "colour": known[number][1].name,
            "rgb": list(known[number][1].rgb),
        }
        for number in visible
    }
