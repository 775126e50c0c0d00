"""The ground: the roadway, the sidewalks and the grass behind them."""

from dataclasses import dataclass

import numpy as np

from i2ibench.data.toystreet.camera import Camera, Floats
from i2ibench.data.toystreet.canvas import Canvas
from i2ibench.data.toystreet.layout import Layout, NamedColour, Street
from i2ibench.data.toystreet.texture import (
    Tiles,
    blend,
    centred_fraction,
    cover,
    planes,
    read_tile,
)

ROAD, SIDEWALK, TERRAIN = 7, 8, 22
KERB = 0.22
PAINT = 222.0
ZEBRA_LENGTH = 3.2


@dataclass(frozen=True)
class Ground:
    """The places on the ground that the pixels of a patch show, in metres."""

    x: Floats  # to the right of the middle of the road, [h,w]
    z: Floats  # distance from the camera, [h,1]
    across: Floats  # size of a pixel across the street
    along: Floats  # size of a pixel along the street


def paint_ground(canvas: Canvas, layout: Layout, tiles: Tiles) -> None:
    """Paint the roadway, sidewalks and grass, from just below the horizon to the lowest row.

    Args:
        canvas: is painted on, in all three arrays; whatever was there is covered.
        layout: the street with its camera, colours and light.
        tiles: the textures of the scene.
    """
    camera, street = layout.camera, layout.street
    # Half a pixel lower, so that every pixel centre lies below the horizon at any size.
    patch = canvas.patch(0.0, camera.vanish_v + 0.008 + 0.5 / canvas.height, 1.0, 1.0)
    if patch is None:
        return
    ground = _locate(camera, patch.u, patch.v, canvas)
    side = np.abs(ground.x)
    # Grain finer than a pixel only flickers, so it fades with distance.
    fade = np.clip(0.12 / ground.across, 0.0, 1.0)
    grain = read_tile(tiles.grain, ground.x / 6.0, ground.z / 6.0 + 0.0 * ground.x) * fade
    soft = read_tile(tiles.soft, ground.x / 34.0, ground.z / 60.0 + 0.0 * ground.x)
    looks = layout.looks
    is_road, is_walk = side < street.road_half, side < street.frontage
    shade = np.where(
        is_road,
        _roadway(ground, street, looks.road, grain) + 0.035 * soft,
        np.where(is_walk, _slabs(ground, street) + 0.025 * grain, 1.0 + 0.09 * grain + 0.07 * soft),
    )
    beside = np.where(is_walk, planes(looks.sidewalk.rgb), planes(looks.grass.rgb))
    base = np.where(is_road, planes(looks.road.rgb), beside)
    paint = _markings(ground, street) * is_road
    colours: Floats = blend(base * shade, PAINT, paint) * _daylight(ground, layout)
    colours = layout.light.add_haze(colours, ground.z)
    label = np.where(is_road, ROAD, np.where(is_walk, SIDEWALK, TERRAIN)).astype(np.uint8)
    canvas.paint(patch, np.ones(label.shape, np.bool_), colours, label)


def _locate(camera: Camera, u: Floats, v: Floats, canvas: Canvas) -> Ground:
    z = camera.depth_of_rows(v)[:, None]
    scale = 2.0 * z / camera.focal
    x = camera.lateral + (u - camera.vanish_u)[None, :] * scale
    along = z * z / (camera.focal * camera.height * canvas.height)
    metres = (x, z, scale / canvas.width, along)
    return Ground(*(values.astype(np.float32) for values in metres))


def _daylight(ground: Ground, layout: Layout) -> Floats:
    street = layout.street
    edge = street.road_half * 0.55
    shaded = np.clip((-street.sunny_side * ground.x - edge) / 1.5 + 0.5, 0.0, 1.0)
    return np.asarray(1.0 - 0.5 * layout.light.shadow * shaded, np.float32)


def _slabs(ground: Ground, street: Street) -> Floats:
    side = np.abs(ground.x)
    fade = np.clip(0.25 / ground.across, 0.0, 1.0)
    joint_x = cover(centred_fraction(side - street.road_half) * 1.0, 0.03, ground.across)
    joint_z = cover(centred_fraction(ground.z), 0.03, ground.along)
    joints = np.maximum(joint_x, joint_z * np.clip(0.3 / ground.along, 0.0, 1.0)) * fade
    kerb = cover(side - street.road_half, KERB, ground.across)
    return np.asarray(1.0 - 0.16 * joints * (1 - kerb) + 0.16 * kerb, np.float32)


def _roadway(ground: Ground, street: Street, look: NamedColour, grain: Floats) -> Floats:
    side = np.abs(ground.x)
    gutter = cover(side - street.road_half, 0.3, ground.across)
    tracks = cover(np.abs(side - 0.5 * street.lane_edge) - 0.75, 0.3, 0.5)
    shade = 1.0 - 0.2 * gutter
    if look.name == "cobbles":
        return np.asarray(shade - 0.3 * _cobble_joints(ground) + 0.07 * grain, np.float32)
    if look.name == "concrete":
        return np.asarray(shade - 0.25 * _plate_joints(ground, street) + 0.02 * grain, np.float32)
    amplitude = 0.1 if look.name == "coarse asphalt" else 0.035
    return np.asarray(shade - 0.06 * tracks + amplitude * grain, np.float32)


def _cobble_joints(ground: Ground) -> Floats:
    long, wide = 0.42, 0.5
    course = np.floor(ground.z / long)
    offset = 0.5 * (course % 2)
    gap_x = 0.5 - np.abs(centred_fraction(ground.x / wide + offset))
    gap_z = 0.5 - np.abs(centred_fraction(ground.z / long))
    joint = np.maximum(
        cover(gap_x * wide, 0.04, ground.across), cover(gap_z * long, 0.04, ground.along)
    )
    return np.asarray(joint * np.clip(0.35 * long / ground.along, 0.0, 1.0), np.float32)


def _plate_joints(ground: Ground, street: Street) -> Floats:
    gap_z = 0.5 - np.abs(centred_fraction(ground.z / 5.0))
    across = cover(gap_z * 5.0, 0.05, ground.along) * np.clip(1.2 / ground.along, 0.0, 1.0)
    lengthwise = cover(np.abs(ground.x) - 0.5 * street.lane_edge, 0.04, ground.across)
    return np.asarray(np.maximum(across, lengthwise), np.float32)


def _markings(ground: Ground, street: Street) -> Floats:
    paint = np.zeros_like(ground.x)
    if street.centre_dashed:
        dash = cover(centred_fraction(ground.z / 9.0) * 9.0, 2.0, ground.along)
        paint = cover(ground.x, 0.08, ground.across) * dash
        edge = cover(np.abs(ground.x) - street.lane_edge, 0.07, ground.across)
        paint = np.maximum(paint, 0.9 * edge)
    if street.zebra_z > 0.0:
        stripes = cover(centred_fraction(ground.x / 1.1) * 1.1, 0.29, ground.across)
        middle = street.zebra_z + 0.5 * ZEBRA_LENGTH
        inside = cover(ground.z - middle, 0.5 * ZEBRA_LENGTH, ground.along)
        paint = paint * (1.0 - inside) + stripes * inside
    return np.asarray(0.85 * paint, np.float32)
