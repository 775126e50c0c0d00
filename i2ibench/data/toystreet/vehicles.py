"""Cars, trucks and buses, painted from the faces of their bodies."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from i2ibench.data.toystreet.camera import Floats
from i2ibench.data.toystreet.canvas import Canvas, Rgb
from i2ibench.data.toystreet.layout import Layout, Vehicle

Point = tuple[float, float]


@dataclass(frozen=True)
class Body:
    """The shape of a vehicle: a side profile that is extended across its width, in metres.

    Points are (t, y), t from the rear and y above the ground. The profile runs from the lowest
    point of the rear over the roof to the lowest point of the front.
    """

    half_width: float
    profile: tuple[Point, ...]
    finishes: tuple[str, ...]  # between points: bumper, rear, front, doors, panel or glass
    windows: tuple[tuple[Point, ...], ...]  # outlines of the side windows
    wheels: tuple[float, ...]  # t of each axle
    wheel_radius: float
    shoulder: float  # height above which the cabin narrows
    taper: float  # share of the width by which the roof is narrower than the shoulder

    @cached_property
    def length(self) -> float:
        """Return the vehicle's length from rear to front in metres."""
        return max(t for t, _ in self.profile)

    @cached_property
    def height(self) -> float:
        """Return the height in metres of the vehicle's roof above the ground."""
        return max(y for _, y in self.profile)

    def half_width_at(self, y: float) -> float:
        """Return half the vehicle's width in metres at the height `y` above the ground, in metres.

        The body narrows from the shoulder to the roof.
        """
        rise = (y - self.shoulder) / max(self.height - self.shoulder, 0.1)
        return self.half_width * (1.0 - self.taper * min(max(rise, 0.0), 1.0))

    def turned(self) -> "Body":
        """Return a copy of the body with front and rear exchanged; t counts from the other end."""

        def turn(points: Iterable[Point]) -> tuple[Point, ...]:
            return tuple((self.length - t, y) for t, y in points)

        return replace(
            self,
            profile=turn(reversed(self.profile)),
            finishes=tuple(reversed(self.finishes)),
            windows=tuple(turn(window) for window in self.windows),
            wheels=tuple(self.length - t for t in self.wheels),
        )


SEDAN = Body(
    half_width=0.9,
    profile=(
        (0.0, 0.28), (0.0, 0.58), (0.06, 0.98), (0.7, 1.04), (1.3, 1.43), (2.55, 1.46),
        (3.35, 1.0), (4.35, 0.82), (4.48, 0.56), (4.45, 0.28),
    ),
    finishes=(
        "bumper", "rear", "panel", "glass", "panel", "glass", "panel", "front", "bumper",
    ),
    windows=(
        ((0.98, 1.03), (1.42, 1.36), (1.95, 1.39), (1.95, 1.0)),
        ((2.03, 1.0), (2.03, 1.39), (2.5, 1.39), (3.12, 1.0)),
    ),
    wheels=(0.85, 3.6), wheel_radius=0.33, shoulder=0.95, taper=0.2,
)  # fmt: skip

HATCHBACK = Body(
    half_width=0.87,
    profile=(
        (0.0, 0.28), (0.0, 0.58), (0.07, 0.99), (0.45, 1.46), (2.1, 1.49), (2.95, 1.02),
        (3.75, 0.84), (3.88, 0.56), (3.85, 0.28),
    ),
    finishes=("bumper", "rear", "glass", "panel", "glass", "panel", "front", "bumper"),
    windows=(
        ((0.36, 1.04), (0.6, 1.38), (1.4, 1.42), (1.4, 1.02)),
        ((1.48, 1.02), (1.48, 1.42), (2.05, 1.42), (2.72, 1.02)),
    ),
    wheels=(0.7, 3.1), wheel_radius=0.32, shoulder=0.95, taper=0.17,
)  # fmt: skip

VAN = Body(
    half_width=0.95,
    profile=(
        (0.0, 0.3), (0.0, 0.6), (0.04, 1.1), (0.2, 1.78), (0.38, 1.9), (3.05, 1.9),
        (3.85, 1.16), (4.5, 0.92), (4.6, 0.58), (4.57, 0.3),
    ),
    finishes=(
        "bumper", "rear", "glass", "panel", "panel", "glass", "panel", "front", "bumper",
    ),
    windows=(
        ((0.35, 1.18), (0.45, 1.7), (1.8, 1.74), (1.8, 1.16)),
        ((1.92, 1.16), (1.92, 1.74), (2.95, 1.74), (3.55, 1.16)),
    ),
    wheels=(0.85, 3.7), wheel_radius=0.34, shoulder=1.05, taper=0.09,
)  # fmt: skip

TRUCK = Body(
    half_width=1.18,
    profile=(
        (0.0, 0.5), (0.0, 0.85), (0.0, 1.15), (0.0, 3.2), (5.4, 3.2), (5.5, 2.55), (6.85, 2.5),
        (7.25, 1.5), (7.4, 0.75), (7.4, 0.42),
    ),
    finishes=(
        "bumper", "rear", "doors", "panel", "panel", "panel", "glass", "front", "bumper",
    ),
    windows=(((5.9, 1.5), (5.9, 2.3), (6.8, 2.3), (7.1, 1.5)),),
    wheels=(1.2, 2.3, 6.3), wheel_radius=0.48, shoulder=3.2, taper=0.0,
)  # fmt: skip

BUS = Body(
    half_width=1.25,
    profile=(
        (0.0, 0.36), (0.0, 0.7), (0.0, 1.5), (0.05, 2.65), (0.2, 3.05), (10.8, 3.05),
        (10.95, 2.7), (11.0, 1.15), (11.0, 0.65), (11.0, 0.36),
    ),
    finishes=(
        "bumper", "rear", "glass", "panel", "panel", "panel", "glass", "front", "bumper",
    ),
    windows=tuple(
        ((t, 1.3), (t, 2.5), (t + 1.6, 2.5), (t + 1.6, 1.3)) for t in (0.4, 2.2, 4.0, 5.8, 7.6, 9.3)
    ),
    wheels=(2.4, 8.6), wheel_radius=0.48, shoulder=3.05, taper=0.0,
)  # fmt: skip

BODIES: dict[str, Body] = {
    "sedan": SEDAN,
    "hatchback": HATCHBACK,
    "van": VAN,
    "truck": TRUCK,
    "bus": BUS,
}
TURNED_BODIES: dict[str, Body] = {name: body.turned() for name, body in BODIES.items()}


RUBBER: Rgb = (28, 28, 30)
RIM: Rgb = (158, 160, 164)
UNDERSIDE: Rgb = (22, 22, 24)
TRIM: Rgb = (46, 47, 50)
PLATE: Rgb = (226, 226, 218)
TAIL: Rgb = (150, 22, 26)
BRAKE: Rgb = (255, 44, 40)
HEADLAMP: Rgb = (226, 230, 234)
BEAM: Rgb = (255, 250, 214)
GLASS: Rgb = (50, 58, 68)
SKYLIT_GLASS: Rgb = (104, 122, 138)


def paint_vehicle(canvas: Canvas, layout: Layout, vehicle: Vehicle) -> None:
    """Paint a vehicle on the canvas: the soft shadow on the ground, then the faces that are seen.

    The shadow only darkens the image. The faces are painted in all three arrays.
    """
    body = (BODIES if vehicle.away else TURNED_BODIES)[vehicle.body]
    painter = _VehiclePainter(canvas, layout, vehicle, body)
    painter.paint_shadow()
    painter.paint_underside()
    painter.paint_strips()
    painter.paint_side()
    painter.darken_lower_parts()


@dataclass(frozen=True)
class _VehiclePainter:
    """A painter of one vehicle, whose body is turned so that t = 0 is the end near the camera."""

    canvas: Canvas
    layout: Layout
    vehicle: Vehicle
    body: Body

    def paint_shadow(self) -> None:
        half, length = self.body.half_width + 0.12, self.body.length
        feet = ((-half, -0.25), (half, -0.25), (half, length), (-half, length))
        corners = [(x, 0.0, t) for x, t in feet]
        self.canvas.cast_shadow(self._project(corners), 0.5 + 0.6 * self.layout.light.shadow)

    def paint_underside(self) -> None:
        half, low = self.body.half_width, self.body.profile[0][1]
        wheel = min(self.body.wheels) - self.body.wheel_radius
        self._rectangle((-0.93 * half, 0.93 * half), (0.5 * low, low + 0.05), 0.1, UNDERSIDE)
        for side in (-1.0, 1.0):
            span = (side * 0.62 * half, side * 0.94 * half)
            self._rectangle(span, (0.0, low + 0.05), wheel, RUBBER)

    def paint_strips(self) -> None:
        ends = self.body.profile[1:]
        stretches = list(zip(self.body.profile[:-1], ends, self.body.finishes, strict=True))
        for start, end, finish in reversed(stretches):
            quad = self._strip(start, end, (-1.0, 1.0), (0.0, 1.0))
            # The corners run anticlockwise in the image only if the camera sees the face.
            if _signed_area(quad) < 0.0:
                self._paint_strip(start, end, finish, quad)

    def paint_side(self) -> None:
        aside = self.layout.camera.lateral - self.vehicle.x
        if abs(aside) <= self.body.half_width:
            return
        side = 1.0 if aside > 0.0 else -1.0
        self._fill(self._profile(self.body.profile, side), self.vehicle.colour.rgb, 0.8)
        low = self.body.profile[0][1]
        first, last = 0.1, self.body.length - 0.1
        sill = ((first, low), (first, low + 0.1), (last, low + 0.1), (last, low))
        self._fill(self._profile(sill, side), TRIM)
        for window in self.body.windows:
            self._fill(self._profile(window, side), GLASS, 1.15)
        radius = self.body.wheel_radius
        for wheel in self.body.wheels:
            for size, rgb in ((1.18, UNDERSIDE), (1.0, RUBBER), (0.58, RIM)):
                self._fill(self._profile(_circle(wheel, radius, size * radius), side), rgb)

    def darken_lower_parts(self) -> None:
        corners = [
            (x, y, 0.0)
            for x in (-self.body.half_width, self.body.half_width)
            for y in (0.0, self.body.height)
        ]
        far = [(x, y, self.body.length) for x, y, _ in corners]
        box = self._project(corners + far)
        (left, top), (right, bottom) = box.min(axis=0).tolist(), box.max(axis=0).tolist()
        patch = self.canvas.patch(left, top, right, bottom)
        if patch is not None:
            drop = (patch.v - top) / max(bottom - top, 1e-3)
            factor = (1.02 - 0.18 * drop).astype(np.float32)[:, None]
            self.canvas.shade_instance(patch, factor, self.vehicle.instance)

    def _paint_strip(self, start: Point, end: Point, finish: str, quad: Floats) -> None:
        ahead, up = end[0] - start[0], end[1] - start[1]
        shade = 0.92 + 0.22 * max(ahead / math.hypot(ahead, up), 0.0)
        rgb = self.vehicle.colour.rgb
        self._fill(quad, rgb, shade)
        if finish == "glass":
            self._fill(self._strip(start, end, (-0.88, 0.88), (0.06, 0.94)), GLASS)
            self._fill(self._strip(start, end, (-0.86, 0.86), (0.5, 0.92)), SKYLIT_GLASS, 0.8)
        elif finish == "bumper":
            self._fill(self._strip(start, end, (-0.97, 0.97), (0.0, 0.6)), TRIM)
        elif finish == "rear":
            self._paint_lamps(start, end, BRAKE if self.vehicle.braking else TAIL)
            self._fill(self._strip(start, end, (-0.27, 0.27), (0.15, 0.5)), PLATE)
        elif finish == "doors":
            self._fill(self._strip(start, end, (-0.94, -0.02), (0.03, 0.97)), rgb, 0.84)
            self._fill(self._strip(start, end, (0.02, 0.94), (0.03, 0.97)), rgb, 0.84)
        elif finish == "front":
            self._fill(self._strip(start, end, (-0.55, 0.55), (0.25, 0.8)), TRIM)
            dark = self.layout.light.lit_windows > 0.1
            self._paint_lamps(start, end, BEAM if dark else HEADLAMP)
            self._fill(self._strip(start, end, (-0.24, 0.24), (0.0, 0.3)), PLATE)

    def _paint_lamps(self, start: Point, end: Point, rgb: Rgb) -> None:
        for side in (-1.0, 1.0):
            self._fill(self._strip(start, end, (side * 0.64, side * 0.97), (0.4, 0.9)), rgb)

    def _strip(
        self, start: Point, end: Point, across: tuple[float, float], along: tuple[float, float]
    ) -> Floats:
        corners = []
        for part, sides in ((along[0], across), (along[1], across[::-1])):
            t = start[0] + part * (end[0] - start[0])
            y = start[1] + part * (end[1] - start[1])
            corners += [(side * self.body.half_width_at(y), y, t) for side in sides]
        return self._project(corners)

    def _rectangle(
        self, across: tuple[float, float], up: tuple[float, float], t: float, rgb: Rgb
    ) -> None:
        (left, right), (low, high) = across, up
        corners = [(left, low, t), (right, low, t), (right, high, t), (left, high, t)]
        self._fill(self._project(corners), rgb)

    def _profile(self, outline: Sequence[Point], side: float) -> Floats:
        return self._project([(side * self.body.half_width_at(y), y, t) for t, y in outline])

    def _project(self, corners: Sequence[tuple[float, float, float]]) -> Floats:
        place = np.array([self.vehicle.x, 0.0, self.vehicle.z])
        points = np.asarray(corners) * self.vehicle.scale + place
        return self.layout.camera.project(points)

    def _fill(self, corners: Floats, rgb: Rgb, shade: float = 1.0) -> None:
        hazed = self.layout.light.hazed(rgb, self.vehicle.z, shade)
        label = self.vehicle.instance // 1000
        self.canvas.fill_polygon(corners, hazed, label, self.vehicle.instance)


def _signed_area(corners: Floats) -> float:
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners.tolist()
    return float((x2 - x0) * (y3 - y1) - (x3 - x1) * (y2 - y0))


def _circle(t: float, y: float, radius: float) -> list[Point]:
    turns = np.linspace(0.0, 2.0 * np.pi, 15)[:-1]
    return [(t + radius * float(np.cos(a)), max(y + radius * float(np.sin(a)), 0.0)) for a in turns]
