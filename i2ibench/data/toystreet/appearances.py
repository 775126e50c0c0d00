"""The true appearance of everything in a scene, as plain JSON values."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.classes import CITYSCAPES_CLASSES
from i2ibench.data.toystreet.layout import Layout, NamedColour
from i2ibench.structures import Appearance

FIRST_THING = 24000
"""The lowest instance id of a thing."""

LOOKS = {
    "road": ("texture", "rgb"),
    "sidewalk": ("texture", "rgb"),
    "building": ("wall_colour", "wall_rgb"),
    "vegetation": ("foliage", "rgb"),
    "terrain": ("grass", "rgb"),
}
"""The attributes that hold the name and the colour of each stuff class."""


def describe_stuff(layout: Layout) -> dict[str, Any]:
    """Return the appearance of six stuff classes in a scene, by class name, as plain JSON values.

    The classes are road, sidewalk, building, sky, vegetation and terrain. A class is a dict with
    the name of its look, such as "texture", and its colour 0..255, such as "rgb"; the sky has
    "clouds", "top_rgb" and "horizon_rgb". Classes that no pixel shows are included.
    """
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
    """Return the appearance of every visible vehicle and person, by instance id as text.

    An appearance is a dict of "class", "colour" (its name) and "rgb" (0..255, before the light
    changes it; a person's is that of the shirt).

    Args:
        layout: the street.
        instance: its painted instance map [H,W]; vehicles and people without a pixel in it are left
            out.
    """
    colours: dict[int, tuple[str, NamedColour]] = {
        vehicle.instance: (vehicle.kind, vehicle.colour) for vehicle in layout.vehicles
    }
    colours.update({person.instance: ("person", person.shirt) for person in layout.people})
    descriptions = {}
    for number in np.unique(instance[instance >= FIRST_THING]).tolist():
        kind, colour = colours[number]
        descriptions[str(number)] = {
            "class": kind, "colour": colour.name, "rgb": list(colour.rgb),
        }  # fmt: skip
    return descriptions


def read_appearances(attributes: Mapping[str, Any]) -> dict[int, Appearance]:
    """Return the true appearance of the things and stuff classes of a scene, by instance id.

    A stuff class has one appearance in a scene, under its class id; a thing has its own instance
    id. The sky is left out, because its colours depend on the time of day.

    Args:
        attributes: the contents of the scene's attributes file, see `RenderedScene.attributes`.
    """
    ids = {entry.name: entry.id for entry in CITYSCAPES_CLASSES.classes}
    appearances = {}
    for name, (kind, colour) in LOOKS.items():
        look = attributes["stuff"][name]
        appearances[ids[name]] = Appearance(look[kind], _rgb(look[colour]))
    for number, look in attributes["instances"].items():
        appearances[int(number)] = Appearance(look["colour"], _rgb(look["rgb"]))
    return appearances


def _rgb(values: Sequence[int]) -> tuple[int, int, int]:
    red, green, blue = values
    return red, green, blue
