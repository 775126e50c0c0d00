"""Street trees, bushes and the woods at the end of the street."""

import numpy as np

from i2ibench.data.toystreet.camera import Floats
from i2ibench.data.toystreet.canvas import Canvas, Patch
from i2ibench.data.toystreet.layout import STREET_END, Layout, Tree
from i2ibench.data.toystreet.texture import Tiles, planes, read_tile

VEGETATION = 21
BARK = (92, 72, 54)
EDGE_NOISE = 0.07


def paint_tree(canvas: Canvas, layout: Layout, tiles: Tiles, tree: Tree) -> None:
    """Paint a tree or bush on the canvas: the trunk, if it has one, then round clumps of leaves.

    All pixels have the class vegetation, the trunk too.
    """
    camera = layout.camera
    if tree.trunk > 0.0:
        half = 0.13
        corners = [
            [tree.x - half, 0.0, tree.z],
            [tree.x + half, 0.0, tree.z],
            [tree.x + 0.7 * half, tree.trunk + 0.8, tree.z],
            [tree.x - 0.7 * half, tree.trunk + 0.8, tree.z],
        ]
        trunk = camera.project(corners)
        canvas.fill_polygon(trunk, layout.light.hazed(BARK, tree.z), VEGETATION)
    blobs = np.asarray(tree.blobs, np.float32)
    low = (blobs[:, :2] - 1.3 * blobs[:, 2:]).min(axis=0)
    high = (blobs[:, :2] + 1.3 * blobs[:, 2:]).max(axis=0)
    lower = [tree.x + low[0], max(float(low[1]), 0.0), tree.z]
    box = camera.project([lower, [tree.x + high[0], high[1], tree.z]])
    patch = canvas.patch(float(box[0, 0]), float(box[1, 1]), float(box[1, 0]), float(box[0, 1]))
    if patch is not None:
        _paint_crown(canvas, layout, tiles, tree, patch)


def paint_woods(canvas: Canvas, layout: Layout, tiles: Tiles) -> None:
    """Paint a line of distant trees across the whole width of the canvas, at the horizon."""
    camera, light = layout.camera, layout.light
    patch = canvas.patch(0.0, camera.vanish_v - 0.09, 1.0, camera.vanish_v + 0.03)
    if patch is None:
        return
    across = np.repeat(patch.u[None, :], len(patch.v), axis=0)
    rise = np.repeat((camera.vanish_v - patch.v)[:, None], len(patch.u), axis=1)
    crest = 0.042 + 0.014 * read_tile(tiles.soft, across * 1.3, np.zeros_like(across))
    clumps = read_tile(tiles.soft, across * 2.4, 2.0 * rise)
    shade = 0.78 + 0.1 * clumps + 4.0 * np.clip(rise, 0.0, 0.06)
    colours: Floats = planes(layout.looks.foliage.rgb) * shade
    colours = light.add_haze(colours, 1.3 * STREET_END)
    canvas.paint(patch, rise < crest, colours, VEGETATION)


def _paint_crown(canvas: Canvas, layout: Layout, tiles: Tiles, tree: Tree, patch: Patch) -> None:
    camera, light = layout.camera, layout.light
    scale = tree.z / camera.focal
    dx = (patch.u - camera.vanish_u) * (2.0 * scale) + (camera.lateral - tree.x)
    y = camera.height - (patch.v - camera.vanish_v) * scale
    shape = (len(y), len(dx))
    x_map = np.broadcast_to((0.09 * dx + tree.offset)[None, :], shape)
    y_map = np.broadcast_to((0.09 * y)[:, None], shape)
    noise = read_tile(tiles.soft, x_map, y_map)
    leaves = read_tile(tiles.soft, 4.0 * x_map, 4.0 * y_map)
    nearest = np.full(shape, 9.0, np.float32)
    lit = np.zeros(shape, np.float32)
    sun = -0.5 * layout.street.sunny_side
    for blob_x, blob_y, radius in tree.blobs:
        across = (dx - blob_x)[None, :] / radius
        above = (y - blob_y)[:, None] / radius
        gap = np.asarray(across * across + above * above, np.float32)
        closer = gap < nearest
        lit = np.where(closer, 0.75 * above + sun * across, lit)
        nearest = np.where(closer, gap, nearest)
    mask = (nearest + EDGE_NOISE * (2.0 * noise + 2.5 * leaves) < 1.0) & (y > 0.0)[:, None]
    shade = tree.shade * (0.92 + 0.24 * lit + 0.06 * noise + 0.1 * leaves)
    base = planes(layout.looks.foliage.rgb)
    colours: Floats = base * np.clip(shade, 0.35, 1.5)
    colours = light.add_haze(colours, tree.z)
    canvas.paint(patch, mask, colours, VEGETATION)
