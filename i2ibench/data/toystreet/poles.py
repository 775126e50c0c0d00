"""Lamp posts, traffic lights and road signs."""

import numpy as np

from i2ibench.data.toystreet.camera import Floats
from i2ibench.data.toystreet.canvas import Canvas, Rgb
from i2ibench.data.toystreet.layout import Layout, Post

POLE, TRAFFIC_LIGHT, TRAFFIC_SIGN = 17, 19, 20
METAL: Rgb = (112, 116, 120)
LAMP: Rgb = (255, 250, 200)
HOUSING: Rgb = (44, 46, 48)
LAMP_COLOURS: dict[str, tuple[Rgb, Rgb]] = {
    "red": ((90, 24, 22), (255, 60, 48)),
    "amber": ((92, 66, 18), (255, 190, 40)),
    "green": ((18, 70, 40), (60, 255, 140)),
}
"""The colours of a traffic light's lamps, switched off and on."""

SIGNS: dict[str, tuple[int, float, tuple[tuple[float, Rgb], ...]]] = {
    "stop": (8, 0.125, ((1.0, (232, 232, 230)), (0.88, (190, 28, 36)))),
    "speed limit": (16, 0.0, ((1.0, (196, 30, 38)), (0.7, (234, 234, 230)))),
    "priority": (4, 0.0, ((1.0, (234, 234, 230)), (0.74, (236, 190, 40)))),
    "blue arrow": (16, 0.0, ((1.0, (232, 234, 236)), (0.9, (28, 84, 176)))),
    "warning": (3, 0.25, ((1.0, (196, 30, 38)), (0.58, (234, 234, 230)))),
}
"""By sign: number of corners, rotation in turns, and (relative size, colour) of each plate."""

SIGN_RADIUS = 0.44


def paint_post(canvas: Canvas, layout: Layout, post: Post) -> None:
    """Paint a pole with its street lamp, traffic light or road sign on the canvas.

    The pole has the class pole, a traffic light's housing or a sign's plate has its own class.
    """
    _paint_bar(canvas, layout, post, 0.055 if post.kind == "lamp" else 0.045)
    if post.kind == "lamp":
        _paint_lamp(canvas, layout, post)
    elif post.kind == "light":
        _paint_traffic_light(canvas, layout, post)
    elif post.kind == "sign":
        _paint_sign(canvas, layout, post)


def _paint_bar(canvas: Canvas, layout: Layout, post: Post, half: float) -> None:
    rgb = layout.light.hazed(METAL, post.z)
    canvas.fill_polygon(_box(layout, post, (-half, half), (0.0, post.height)), rgb, POLE)
    light = layout.light.hazed(METAL, post.z, 1.3)
    canvas.fill_polygon(_box(layout, post, (-half, -0.3 * half), (0.0, post.height)), light, POLE)


def _paint_lamp(canvas: Canvas, layout: Layout, post: Post) -> None:
    inward = -1.0 if post.x > 0 else 1.0
    rgb = layout.light.hazed(METAL, post.z)
    top = post.height
    canvas.fill_polygon(_box(layout, post, (0.0, 1.4 * inward), (top - 0.1, top)), rgb, POLE)
    head = (0.9 * inward, 1.7 * inward)
    canvas.fill_polygon(_box(layout, post, head, (top - 0.2, top + 0.02)), rgb, POLE)
    if layout.light.lit_windows > 0.1:
        glow = (1.0 * inward, 1.6 * inward)
        canvas.fill_polygon(_box(layout, post, glow, (top - 0.28, top - 0.16)), LAMP, POLE)


def _paint_traffic_light(canvas: Canvas, layout: Layout, post: Post) -> None:
    low, high = post.height - 1.25, post.height
    rgb = layout.light.hazed(HOUSING, post.z)
    canvas.fill_polygon(_box(layout, post, (-0.26, 0.26), (low, high)), rgb, TRAFFIC_LIGHT)
    for place, (name, (dark, bright)) in enumerate(LAMP_COLOURS.items()):
        middle = high - 0.22 - 0.4 * place
        lamp = _ring(layout, post, (0.0, middle), 0.16, np.linspace(0.0, 1.0, 9)[:-1])
        canvas.fill_polygon(lamp, bright if name == post.face else dark, TRAFFIC_LIGHT)


def _paint_sign(canvas: Canvas, layout: Layout, post: Post) -> None:
    corners, turn, rings = SIGNS[post.face]
    angles = np.arange(corners) / corners + turn * (1.0 if corners == 3 else 0.5)
    middle = post.height - 0.3
    for size, rgb in rings:
        plate = _ring(layout, post, (0.0, middle), SIGN_RADIUS * size, angles)
        canvas.fill_polygon(plate, layout.light.hazed(rgb, post.z), TRAFFIC_SIGN)
    if post.face == "blue arrow":
        for box in (((-0.06, 0.06), (-0.28, 0.1)), ((-0.16, 0.16), (0.06, 0.2))):
            heights = (middle + box[1][0], middle + box[1][1])
            canvas.fill_polygon(_box(layout, post, box[0], heights), (232, 234, 236), TRAFFIC_SIGN)
    elif post.face in ("stop", "speed limit", "warning"):
        ink: Rgb = (236, 236, 234) if post.face == "stop" else (40, 40, 44)
        bar = _box(layout, post, (-0.2, 0.2), (middle - 0.07, middle + 0.07))
        if post.face == "warning":
            bar = _box(layout, post, (-0.05, 0.05), (middle - 0.16, middle + 0.16))
        canvas.fill_polygon(bar, ink, TRAFFIC_SIGN)


def _box(
    layout: Layout, post: Post, across: tuple[float, float], up: tuple[float, float]
) -> Floats:
    left, right = post.x + across[0], post.x + across[1]
    corners = [[left, up[0]], [right, up[0]], [right, up[1]], [left, up[1]]]
    return layout.camera.project([[x, y, post.z] for x, y in corners])


def _ring(
    layout: Layout, post: Post, middle: tuple[float, float], radius: float, turns: np.ndarray
) -> Floats:
    x = post.x + middle[0] + radius * np.cos(2.0 * np.pi * turns)
    y = middle[1] + radius * np.sin(2.0 * np.pi * turns)
    return layout.camera.project(np.stack([x, y, np.full_like(x, post.z)], axis=1))
