"""The light and the sky of a time of day."""

import math
from dataclasses import dataclass

import numpy as np

from i2ibench.data.toystreet.camera import Camera, Floats
from i2ibench.data.toystreet.canvas import GLOW_FROM, Bytes, Canvas, Rgb
from i2ibench.data.toystreet.texture import Tiles, blend, planes, read_tile

SKY_LABEL = 23
GLOW_SPAN = 14.0
CLOUD_DECK = 0.12


@dataclass(frozen=True)
class Light:
    """The appearance of one time of day; colours are 0..255."""

    name: str
    gain: tuple[float, float, float]  # factors of red, green and blue, except of sky and lamps
    sky_top: Rgb
    sky_low: Rgb  # at the horizon
    haze: Rgb  # the colour that distant things take
    haze_density: float  # per metre
    shadow: float  # strength 0..1 of shadows on the ground
    lit_windows: float  # share 0..1 of the windows that are lit

    def add_haze(self, colours: Floats, distance: float | Floats) -> Floats:
        """Return the colours [3,h,w] of this time of day's haze blended over given colours.

        Args:
            colours: 0..255, [3,h,w] or a shape that broadcasts to it.
            distance: in metres, one or [h,w]; the haze grows with it.
        """
        weight = np.asarray(1.0 - np.exp(-self.haze_density * np.asarray(distance)), np.float32)
        return blend(colours, planes(self.haze), weight)

    def hazed(self, rgb: Rgb, distance: float, shade: float = 1.0) -> Rgb:
        """Return one colour, multiplied by `shade`, as it is seen through the haze.

        Args:
            rgb: the colour, 0..255.
            distance: in metres.
            shade: factor of the brightness. It does not lift a channel to `GLOW_FROM`, from which
                channels are lamps, unless the channel was that bright before.
        """
        weight = 1.0 - math.exp(-self.haze_density * distance)
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
    """Return a copy of an image with its channels multiplied by the gain of the time of day.

    The sky keeps its colours. Channels from `GLOW_FROM` to 255 belong to lamps and lit windows; the
    nearer to 255, the more they keep their brightness, so that lamps stay bright at dusk.

    Args:
        image: uint8 RGB [H,W,3].
        label: class ids [H,W].
        light: the time of day.
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


def paint_sky(
    canvas: Canvas, camera: Camera, light: Light, cloudiness: float, tiles: Tiles
) -> None:
    """Paint a gradient with clouds on the canvas, from the top row to just below the horizon.

    Args:
        canvas: is painted on, in all three arrays; whatever was there is covered.
        camera: gives the horizon.
        light: gives the colours.
        cloudiness: 0 for no clouds, up to 1.
        tiles: the textures of the scene.
    """
    patch = canvas.patch(0.0, 0.0, 1.0, camera.vanish_v + 0.03)
    if patch is None:
        return
    rise = np.clip((camera.vanish_v - patch.v) / camera.vanish_v, 0.0, 1.0)[:, None]
    low, top = planes(light.sky_low), planes(light.sky_top)
    colours = np.repeat(blend(low, top, rise**0.8), len(patch.u), axis=2)
    weight = _cloud_cover(patch.u, rise, cloudiness, tiles)
    white = low + 0.45 * (255.0 - low)
    colours = blend(colours, white, 0.85 * weight)
    canvas.paint(patch, np.ones(weight.shape, np.bool_), colours, SKY_LABEL)


def _cloud_cover(u: Floats, rise: Floats, cloudiness: float, tiles: Tiles) -> Floats:
    if cloudiness == 0.0:
        return np.zeros((len(rise), len(u)), np.float32)
    # A flat layer of clouds overhead: it shrinks towards the horizon as the ground does.
    depth = 0.1 / (rise + CLOUD_DECK)
    x = (u[None, :] - 0.5) * (0.35 + 2.2 * depth)
    y = np.repeat(1.6 * depth, len(u), axis=1)
    density = read_tile(tiles.soft, x, y) + 2.0 * (cloudiness - 0.62)
    step = np.clip(density, 0.0, 1.0)
    return np.asarray(step * step * (3.0 - 2.0 * step) * np.minimum(1.0, 6.0 * rise), np.float32)
