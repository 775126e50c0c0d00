"""Attributes: what a reader may know about a painted scene, as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.classes import CITYSCAPES_CLASSES
from i2ibench.data.toystreet.scene import Layout, Named
from i2ibench.structures import Appearance

FIRST_THING = 24000

LOOKS = {
    "road": ("texture", "rgb"),
    "sidewalk": ("texture", "rgb"),
    "building": ("wall_colour", "wall_rgb"),
    "vegetation": ("foliage", "rgb"),
    "terrain": ("grass", "rgb"),
}
"""By class of stuff where its attributes hold the name and the colour of its look."""


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


def read_appearances(attributes: Mapping[str, Any]) -> dict[int, Appearance]:
    """How the instances of a scene look, by id, from what its attributes file holds.

    The sky is left out, whose colours are those of the time of day. A scene's stuff has one look;
    its instance id is the id of its class.
    """
    ids = {known.name: known.id for known in CITYSCAPES_CLASSES.classes}
    found = {}
    for name, (kind, colour) in LOOKS.items():
        look = attributes["stuff"][name]
        found[ids[name]] = Appearance(look[kind], _rgb(look[colour]))
    for number, look in attributes["instances"].items():
        found[int(number)] = Appearance(look["colour"], _rgb(look["rgb"]))
    return found


def _rgb(values: Sequence[int]) -> tuple[int, int, int]:
    red, green, blue = values
    return red, green, blue
