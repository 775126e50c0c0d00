"""Vehicles: cars, trucks and buses, built from the faces of their bodies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from i2ibench.data.toystreet.bodies import BODIES, TURNED, Body, Point
from i2ibench.data.toystreet.camera import Floats
from i2ibench.data.toystreet.canvas import Canvas, Rgb
from i2ibench.data.toystreet.scene import Layout, Vehicle

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
    """Paint the soft shadow on the ground, then the faces of the body that we see."""
    body = (BODIES if vehicle.away else TURNED)[vehicle.body]
    coach = _Coach(canvas, layout, vehicle, body)
    coach.paint_shadow()
    coach.paint_underside()
    coach.paint_strips()
    coach.paint_side()
    coach.round_off()


@dataclass(frozen=True)
class _Coach:
    """One vehicle on its canvas; its body is turned so that t = 0 is the near end."""

    canvas: Canvas
    layout: Layout
    vehicle: Vehicle
    body: Body

    def paint_shadow(self) -> None:
        half, length = self.body.half_width + 0.12, self.body.length
        feet = ((-half, -0.25), (half, -0.25), (half, length), (-half, length))
        corners = [(x, 0.0, t) for x, t in feet]
        self.canvas.shadow(self._project(corners), 0.5 + 0.6 * self.layout.light.shadow)

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
            # The corners run anticlockwise on the image only where the face looks at us.
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

    def round_off(self) -> None:
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
            self.canvas.shade(patch, factor, self.vehicle.instance)

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
        seen = self.layout.light.hazed(rgb, self.vehicle.z, shade)
        label = self.vehicle.instance // 1000
        self.canvas.polygon(corners, seen, label, self.vehicle.instance)


def _signed_area(corners: Floats) -> float:
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = corners.tolist()
    return float((x2 - x0) * (y3 - y1) - (x3 - x1) * (y2 - y0))


def _circle(t: float, y: float, radius: float) -> list[Point]:
    turns = np.linspace(0.0, 2.0 * np.pi, 15)[:-1]
    return [(t + radius * float(np.cos(a)), max(y + radius * float(np.sin(a)), 0.0)) for a in turns]
