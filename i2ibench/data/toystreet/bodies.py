"""Bodies: the side profile and fittings of each kind of vehicle, in metres."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

Point = tuple[float, float]


@dataclass(frozen=True)
class Body:
    """A vehicle as a side profile pulled across its width.

    profile runs over the roof from the rear's lowest point to the front's, as (t, y) with t metres
    from the rear; finishes names the stretch between each point and the next: bumper, rear, front,
    doors, panel or glass. The cabin narrows by taper from shoulder height up.
    """

    half_width: float
    profile: tuple[Point, ...]
    finishes: tuple[str, ...]
    windows: tuple[tuple[Point, ...], ...]
    wheels: tuple[float, ...]
    wheel_radius: float
    shoulder: float
    taper: float

    @cached_property
    def length(self) -> float:
        """The distance from rear to front."""
        return max(t for t, _ in self.profile)

    @cached_property
    def height(self) -> float:
        """The height of the roof."""
        return max(y for _, y in self.profile)

    def half_width_at(self, y: float) -> float:
        """Return half the width in metres at height y."""
        rise = (y - self.shoulder) / max(self.height - self.shoulder, 0.1)
        return self.half_width * (1.0 - self.taper * min(max(rise, 0.0), 1.0))

    def turned(self) -> Body:
        """Return the same body with its front where its rear was."""
        flip = [(self.length - t, y) for t, y in reversed(self.profile)]
        windows = [tuple((self.length - t, y) for t, y in window) for window in self.windows]
        return Body(
            self.half_width,
            tuple(flip),
            tuple(reversed(self.finishes)),
            tuple(windows),
            tuple(self.length - t for t in self.wheels),
            self.wheel_radius,
            self.shoulder,
            self.taper,
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
TURNED: dict[str, Body] = {name: body.turned() for name, body in BODIES.items()}
