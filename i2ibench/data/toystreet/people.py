"""People on foot, painted from legs, a coat, arms and a head."""

import numpy as np

from i2ibench.data.toystreet.canvas import Canvas, Rgb
from i2ibench.data.toystreet.layout import PERSON_LABEL, Layout, Person

Outline = tuple[tuple[float, float], ...]
SHOE: Rgb = (40, 36, 34)
# Outlines are fractions of a person's height: x ahead of the body's middle, y above the ground.
TORSO: Outline = (
    (-0.105, 0.81), (-0.055, 0.845), (0.055, 0.845), (0.105, 0.81), (0.088, 0.46), (-0.088, 0.46),
)  # fmt: skip
HEAD_MIDDLE, HEAD_RADIUS = 0.925, 0.062


def paint_person(canvas: Canvas, layout: Layout, person: Person) -> None:
    """Paint the shadow at a person's feet, then the person, on the canvas.

    The shadow only darkens the image. The person is painted in all three arrays.
    """
    z, reach = person.z, 0.26 * person.height
    foot = [[-reach, -0.15], [reach, -0.15], [reach, 0.2], [-reach, 0.2]]
    ground = layout.camera.project([[person.x + x, 0.0, z + dz] for x, dz in foot])
    canvas.cast_shadow(ground, 0.8 * layout.light.shadow)
    swing = 0.12 * person.stride
    rear, front = _shade(person.trousers, 0.8), person.trousers
    _limb(canvas, layout, person, ((-0.03, 0.48), (-0.04 - swing, 0.03), 0.04), rear)
    _limb(canvas, layout, person, ((-0.04 - swing, 0.02), (-0.01 - swing, 0.015), 0.02), SHOE)
    _limb(canvas, layout, person, ((0.03, 0.48), (0.04 + swing, 0.03), 0.042), front)
    _limb(canvas, layout, person, ((0.04 + swing, 0.02), (0.08 + swing, 0.015), 0.02), SHOE)
    sleeve = _shade(person.shirt.rgb, 0.78)
    _limb(canvas, layout, person, ((-0.1, 0.78), (-0.12 - swing, 0.5), 0.028), sleeve)
    _part(canvas, layout, person, TORSO, person.shirt.rgb)
    _limb(canvas, layout, person, ((0.1, 0.78), (0.12 + swing, 0.5), 0.028), sleeve)
    _limb(canvas, layout, person, ((0.12 + swing, 0.5), (0.125 + swing, 0.46), 0.024), person.skin)
    _part(canvas, layout, person, _disc(0.0, HEAD_MIDDLE + 0.012, HEAD_RADIUS), person.hair)
    _part(canvas, layout, person, _disc(0.012, HEAD_MIDDLE - 0.014, 0.05), person.skin)


def _limb(
    canvas: Canvas,
    layout: Layout,
    person: Person,
    bone: tuple[tuple[float, float], tuple[float, float], float],
    rgb: Rgb,
) -> None:
    (x0, y0), (x1, y1), half = bone
    if abs(x1 - x0) > abs(y1 - y0):
        corners: Outline = ((x0, y0 - half), (x0, y0 + half), (x1, y1 + half), (x1, y1 - half))
    else:
        thin = 0.75 * half
        corners = ((x0 - half, y0), (x0 + half, y0), (x1 + thin, y1), (x1 - thin, y1))
    _part(canvas, layout, person, corners, rgb)


def _part(canvas: Canvas, layout: Layout, person: Person, outline: Outline, rgb: Rgb) -> None:
    size, turn = person.height, person.heading * person.height
    points = [[person.x + turn * x, max(size * y, 0.0), person.z] for x, y in outline]
    hazed = layout.light.hazed(rgb, person.z)
    canvas.fill_polygon(layout.camera.project(points), hazed, PERSON_LABEL, person.instance)


def _disc(x: float, y: float, radius: float) -> Outline:
    angles = np.linspace(0.0, 2.0 * np.pi, 11)[:-1]
    return tuple(
        (x + radius * 0.85 * float(np.cos(a)), y + radius * 1.15 * float(np.sin(a))) for a in angles
    )


def _shade(rgb: Rgb, factor: float) -> Rgb:
    red, green, blue = (int(c * factor) for c in rgb)
    return red, green, blue
