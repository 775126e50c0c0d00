import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from i2ibench.apps.editor.rasterise import (
    Region,
    centred,
    clipped,
    connected,
    line,
    polygon,
    scaled,
    stroke,
    tight,
)

HEIGHT, WIDTH = 20, 30
points = st.tuples(st.integers(-15, WIDTH + 15), st.integers(-15, HEIGHT + 15))


def on_canvas(region: Region, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    canvas = np.zeros((height, width), bool)
    canvas[region.slices] = region.mask
    return canvas


def loop_line(start, end):
    """The loop that the page runs."""
    (x, y), (x1, y1) = start, end
    dx, dy = abs(x1 - x), -abs(y1 - y)
    sx, sy = (1 if x < x1 else -1), (1 if y < y1 else -1)
    error, found = dx + dy, [(x, y)]
    while (x, y) != (x1, y1):
        twice = 2 * error
        if twice >= dy:
            error, x = error + dy, x + sx
        if twice <= dx:
            error, y = error + dx, y + sy
        found.append((x, y))
    return found


def loop_stroke(path, radius):
    """Every disc pixel by pixel."""
    canvas = np.zeros((HEIGHT, WIDTH), bool)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    centres = [c for a, b in zip(path, [*path[1:], path[-1]], strict=True) for c in loop_line(a, b)]
    for cx, cy in centres:
        canvas |= (x - cx) ** 2 + (y - cy) ** 2 <= radius * radius + radius
    return canvas


@given(points, points)
def test_a_line_is_the_one_of_the_standard_loop(start, end):
    x, y = line(start, end)
    assert list(zip(x.tolist(), y.tolist(), strict=True)) == loop_line(start, end)


@given(st.lists(points, min_size=1, max_size=4), st.integers(0, 9))
def test_a_stroke_is_every_disc_along_its_lines(path, radius):
    np.testing.assert_array_equal(
        on_canvas(stroke(path, radius, HEIGHT, WIDTH)), loop_stroke(path, radius)
    )


@given(st.lists(points, min_size=3, max_size=6), st.integers(0, 5), st.data())
def test_a_stroke_in_segments_covers_what_it_covers_whole(path, radius, data):
    cut = data.draw(st.integers(1, len(path) - 1))
    parts = [path[: cut + 1], path[cut:]]
    whole = on_canvas(stroke(path, radius, HEIGHT, WIDTH))
    pieces = [on_canvas(stroke(part, radius, HEIGHT, WIDTH)) for part in parts]
    np.testing.assert_array_equal(pieces[0] | pieces[1], whole)


@pytest.mark.parametrize(("radius", "area"), [(0, 1), (1, 9), (2, 21), (256, 206_573)])
def test_discs_have_the_pixels_of_the_rule(radius, area):
    y, x = np.mgrid[-257:258, -257:258]
    assert (x * x + y * y <= radius * radius + radius).sum() == stroke(
        [(300, 300)], radius, 600, 600
    ).mask.sum()
    assert radius == 256 or stroke([(300, 300)], radius, 600, 600).mask.sum() == area


def test_strokes_far_away_cover_nothing():
    assert stroke([(-8000, 8000), (-8000, -8000)], 256, HEIGHT, WIDTH).empty
    assert stroke([(500, 5)], 3, HEIGHT, WIDTH).empty


def crossing_number(path, x, y):
    """Even-odd at the middle of pixel (x, y), in fractions of two."""
    inside = False
    px, py = 2 * x + 1, 2 * y + 1
    for (x0, y0), (x1, y1) in zip(path, [*path[1:], path[0]], strict=True):
        x0, y0, x1, y1 = 2 * x0, 2 * y0, 2 * x1, 2 * y1
        if (y0 > py) != (y1 > py):
            # where the edge is left of (or at) the point, in integers
            left = (py - y0) * (x1 - x0) - (px - x0) * (y1 - y0)
            inside ^= (left <= 0) if y1 > y0 else (left >= 0)
    return inside


@given(st.lists(points, min_size=3, max_size=7))
def test_a_polygon_is_even_odd_at_the_middles_of_pixels(path):
    slow = [[crossing_number(path, x, y) for x in range(WIDTH)] for y in range(HEIGHT)]
    np.testing.assert_array_equal(on_canvas(polygon(path, HEIGHT, WIDTH)), slow)


def test_a_square_has_its_area():
    assert polygon([(2, 3), (7, 3), (7, 9), (2, 9)], HEIGHT, WIDTH).mask.sum() == 30


def test_connected_pixels_share_sides_not_corners():
    instance = np.array([[5, 5, 7], [7, 7, 5], [5, 7, 7]], np.int32)
    assert connected(instance, 0, 0).mask.sum() == 2
    assert connected(instance, 1, 1).mask.sum() == 4
    assert connected(instance, 2, 1).mask.sum() == 1


def test_silhouettes_are_scaled_by_the_pages_rule():
    mask = np.array([[1, 0, 1], [0, 1, 0]], bool)
    twice = scaled(mask, 2.0)
    np.testing.assert_array_equal(twice, mask.repeat(2, 0).repeat(2, 1))
    np.testing.assert_array_equal(scaled(mask, 2.0, flip=True), twice[:, ::-1])
    assert scaled(mask, 0.5).shape == (1, 2)  # 1.5 is rounded up
    assert scaled(mask, 0.1).shape == (1, 1)
    assert (centred(mask, 10, 10).left, centred(mask, 10, 10).top) == (9, 9)


@given(st.integers(-9, 35), st.integers(-9, 25))
def test_clipping_keeps_what_lies_on_the_canvas(left, top):
    region = clipped(Region(left, top, np.ones((6, 7), bool)), HEIGHT, WIDTH)
    wide = max(min(left + 7, WIDTH) - max(left, 0), 0)
    high = max(min(top + 6, HEIGHT) - max(top, 0), 0)
    assert region.mask.sum() == wide * high
    on_canvas(region)


def test_tight_regions_have_no_margin():
    mask = np.zeros((5, 6), bool)
    assert tight(mask).empty
    mask[2, 3] = mask[3, 4] = True
    region = tight(mask)
    assert (region.left, region.top, region.mask.shape) == (3, 2, (2, 2))
