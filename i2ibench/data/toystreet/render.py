"""Rendering of a street scene: image, label map, instance map and attributes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from i2ibench.data.toystreet.appearances import describe_instances, describe_stuff
from i2ibench.data.toystreet.buildings import paint_closing, paint_house
from i2ibench.data.toystreet.canvas import Bytes, Canvas
from i2ibench.data.toystreet.layout import Layout
from i2ibench.data.toystreet.layout_sampling import sample_layout
from i2ibench.data.toystreet.light import apply_light, paint_sky
from i2ibench.data.toystreet.people import paint_person
from i2ibench.data.toystreet.poles import paint_post
from i2ibench.data.toystreet.road import paint_ground
from i2ibench.data.toystreet.texture import Tiles, make_tiles
from i2ibench.data.toystreet.vegetation import paint_tree, paint_woods
from i2ibench.data.toystreet.vehicles import paint_vehicle

SMALLEST_WIDTH, SMALLEST_HEIGHT = 64, 32
NOISE = 1.6
VIGNETTE = 0.1
EDGE_BLUR = 0.55

PaintStep = tuple[float, Callable[[], None]]
"""The distance in metres of a thing, and a function that paints the thing."""


@dataclass(frozen=True)
class RenderedScene:
    """One painted street.

    Attributes:
        image: RGB, uint8 [H,W,3].
        label: label ids of Cityscapes, uint8 [H,W].
        instance: int32 [H,W]; label id * 1000 + k for things, the label id for stuff.
        attributes: the true appearance of the scene, see `attributes.py`; plain JSON values.
    """

    image: NDArray[np.uint8]
    label: NDArray[np.uint8]
    instance: NDArray[np.int32]
    attributes: dict[str, Any]


def render_scene(seed: int, index: int, width: int, height: int) -> RenderedScene:
    """Draw one scene of an endless series of random streets; nothing is written to disk.

    The same arguments always give the same scene.

    Args:
        seed: of the series, 0 or more.
        index: number of the scene in the series, from 0.
        width, height: size of the image in pixels, at least 64x32; the street does not depend on
            the size.

    Raises:
        ValueError: a size is too small, or `seed` or `index` is negative.
    """
    _check(seed, index, width, height)
    rng = np.random.default_rng([seed, index])
    layout = sample_layout(rng)
    tiles = make_tiles(rng)
    canvas = Canvas(width, height)
    _paint(canvas, layout, tiles)
    image = apply_light(canvas.image, canvas.label, layout.light)
    return RenderedScene(
        image=_photograph(image, rng),
        label=canvas.label,
        instance=canvas.instance,
        attributes={
            "index": int(index),
            "seed": int(seed),
            "width": int(width),
            "height": int(height),
            "time_of_day": layout.light.name,
            "stuff": describe_stuff(layout),
            "instances": describe_instances(layout, canvas.instance),
        },
    )


def _check(seed: int, index: int, width: int, height: int) -> None:
    for name, value, least in (
        ("seed", seed, 0),
        ("index", index, 0),
        ("width", width, SMALLEST_WIDTH),
        ("height", height, SMALLEST_HEIGHT),
    ):
        if value < least:
            raise ValueError(f"{name} is {value}; choose {least} or more")


def _paint(canvas: Canvas, layout: Layout, tiles: Tiles) -> None:
    paint_sky(canvas, layout.camera, layout.light, layout.looks.cloudiness, tiles)
    paint_woods(canvas, layout, tiles)
    if layout.closing == "houses":
        paint_closing(canvas, layout)
    paint_ground(canvas, layout, tiles)
    frontage = layout.street.frontage
    behind: list[PaintStep] = [
        (facade.start, partial(paint_house, canvas, layout, facade)) for facade in layout.facades
    ]
    ahead: list[PaintStep] = []
    for tree in layout.trees:
        row = behind if abs(tree.x) > frontage else ahead
        row.append((tree.z, partial(paint_tree, canvas, layout, tiles, tree)))
    ahead += [(post.z, partial(paint_post, canvas, layout, post)) for post in layout.posts]
    ahead += [(car.z, partial(paint_vehicle, canvas, layout, car)) for car in layout.vehicles]
    ahead += [(one.z, partial(paint_person, canvas, layout, one)) for one in layout.people]
    for steps in (behind, ahead):
        for _, paint in sorted(steps, key=itemgetter(0), reverse=True):
            paint()


def _photograph(image: Bytes, rng: np.random.Generator) -> Bytes:
    """Return a copy of an image with soft edges, darker corners and noise, as in a photo."""
    height, width = image.shape[:2]
    soft = cv2.GaussianBlur(image, (3, 3), EDGE_BLUR)
    u = np.linspace(-1.0, 1.0, width, dtype=np.float32)[None, :]
    v = np.linspace(-1.0, 1.0, height, dtype=np.float32)[:, None]
    falloff = 1.0 - VIGNETTE * 0.5 * (u * u + v * v)
    noise = NOISE * rng.standard_normal((height, width), dtype=np.float32)
    exposed = cv2.multiply(soft, cv2.merge([falloff] * 3), dtype=cv2.CV_8U)
    noisy = cv2.add(exposed, cv2.merge([noise] * 3), dtype=cv2.CV_8U)
    return np.asarray(noisy, np.uint8)
