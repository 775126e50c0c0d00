"""Light: the time of day, as tint, haze, sky colours and lit windows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from i2ibench.data.toystreet.camera import Floats
from i2ibench.data.toystreet.canvas import GLOW_FROM, Bytes, Rgb

SKY_LABEL = 23
GLOW_SPAN = 14.0


@dataclass(frozen=True)
class Light:
    """How one time of day looks; colours are 0..255, gain multiplies them per channel."""

    name: str
    gain: tuple[float, float, float]
    sky_top: Rgb
    sky_low: Rgb
    haze: Rgb
    thickness: float
    shadow: float
    lit_windows: float

    def veil(self, distance: float | Floats) -> Floats:
        """Return 0..1: how much of a colour the haze replaces at that distance in metres."""
        return np.asarray(1.0 - np.exp(-self.thickness * np.asarray(distance)), np.float32)

    def hazed(self, rgb: Rgb, distance: float, shade: float = 1.0) -> Rgb:
        """Return the colour times shade, seen through the haze at that distance in metres."""
        weight = 1.0 - math.exp(-self.thickness * distance)
        red, green, blue = (
            int(min(c * shade, max(c, GLOW_FROM - 1)) * (1 - weight) + h * weight)
            for c, h in zip(rgb, self.haze, strict=True)
        )
        return red, green, blue


LIGHTS = (
    Light("noon", (1.04, 1.03, 1.0), (88, 150, 226), (196, 221, 240), (205, 220, 232), 0.0022,
          0.5, 0.0),
    Light("morning", (1.06, 1.0, 0.9), (122, 168, 218), (252, 228, 194), (236, 222, 204), 0.004,
          0.42, 0.03),
    Light("evening", (1.05, 0.9, 0.75), (98, 118, 182), (255, 184, 120), (232, 190, 158), 0.003,
          0.45, 0.12),
    Light("overcast", (0.9, 0.92, 0.95), (160, 170, 182), (212, 216, 218), (200, 206, 210), 0.004,
          0.3, 0.05),
    Light("dusk", (0.6, 0.62, 0.8), (44, 56, 112), (222, 146, 132), (150, 140, 165), 0.003,
          0.25, 0.42),
)  # fmt: skip


def apply_light(image: Bytes, label: Bytes, light: Light) -> Bytes:
    """Return the photo uint8 [H, W, 3] under the light; sky and glowing colours keep theirs.

    Channels near 255 glow: lamps and lit windows must not go dark with the walls at dusk.
    """
    level = np.arange(256, dtype=np.float32)
    glow = np.clip((level - GLOW_FROM) / GLOW_SPAN, 0.0, 1.0)
    lit = image.copy()
    for channel, gain in enumerate(light.gain):
        curve = level * gain * (1 - glow) + level * glow
        table = np.clip(curve, 0, 255).astype(np.uint8)
        lit[..., channel] = table[image[..., channel]]
    np.copyto(lit, image, where=(label == SKY_LABEL)[..., None])
    return lit
