"""Masks of shapes, and run lengths in COCO's forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.path import Path
from skimage.draw import polygon2mask

from i2ibench.data.prepare.shapes import (
    box_corners,
    decode_coco_runs,
    decode_runs,
    fill_ellipse,
    fill_polygon,
    uncompress,
)
from i2ibench.errors import UserError


@pytest.mark.parametrize("seed", range(60))
def test_a_polygon_holds_the_pixels_that_two_other_rasterisers_find(seed):
    """Corners are random, also outside of the image, in any order, so that outlines cross."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(1, 60, 2)
    points = rng.uniform(-20, 80, (rng.integers(3, 9), 2))
    mask = fill_polygon(points, height, width)
    assert np.array_equal(mask, polygon2mask((height, width), points[:, ::-1] - 0.5))
    y, x = np.mgrid[:height, :width] + 0.5
    found = Path(points).contains_points(np.stack([x.ravel(), y.ravel()], 1))
    assert np.array_equal(mask, found.reshape(height, width))


def test_a_box_of_12x6_has_72_pixels_and_no_more():
    mask = fill_polygon(box_corners(40, 18, 52, 24), 32, 64)
    expected = np.zeros((32, 64), bool)
    expected[18:24, 40:52] = True
    assert np.array_equal(mask, expected)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=3, max_size=7))
def test_the_parts_of_a_polygon_cut_along_a_line_neither_overlap_nor_leave_a_gap(corners):
    """Half-pixel coordinates lie on centres, where the rule for edges applies."""
    points = np.array(corners, float) / 2
    whole = fill_polygon(points, 20, 20)
    fan = [fill_polygon(points[[0, i, i + 1]], 20, 20) for i in range(1, len(points) - 1)]
    assert np.array_equal(np.logical_xor.reduce(fan), whole)


def test_what_has_no_pixel_centre_inside_is_empty():
    assert not fill_polygon(np.array([[2.1, 2.1], [2.4, 2.1], [2.2, 2.4]]), 8, 8).any()
    assert not fill_polygon(np.array([[1.0, 1.0], [5.0, 5.0]]), 8, 8).any()
    assert not fill_polygon(np.zeros((0, 2)), 8, 8).any()
    assert not fill_polygon(np.array([[20.0, 1], [30, 1], [30, 9]]), 8, 8).any()
    assert not fill_ellipse((4, 4), (0, 3), (8, 8)).any()


def test_an_ellipse_holds_the_centres_that_its_equation_holds():
    mask = fill_ellipse((7.3, 5.1), (6.2, 2.4), (12, 16), degrees=30)
    turn = np.radians(30)
    for row in range(12):
        for column in range(16):
            x, y = column + 0.5 - 7.3, row + 0.5 - 5.1
            along, across = (
                x * np.cos(turn) + y * np.sin(turn),
                y * np.cos(turn) - x * np.sin(turn),
            )
            assert mask[row, column] == ((along / 6.2) ** 2 + (across / 2.4) ** 2 <= 1)


def test_a_box_turns_clockwise_as_one_sees_it():
    corners = box_corners(2, 4, 8, 6, degrees=90)
    assert np.allclose(sorted(map(tuple, corners)), [(4, 2), (4, 8), (6, 2), (6, 8)])
    right = box_corners(2, 4, 8, 6, degrees=10)[1]  # the corner that was at the upper right
    assert right[1] > 4, "and goes down"


def ellipse(height, width):
    y, x = np.mgrid[:height, :width]
    return ((y - height / 2) / (height / 3)) ** 2 + ((x - width / 2) / (width / 3)) ** 2 < 1


@pytest.mark.parametrize(
    ("text", "mask"),
    [
        ("<222O01N4", ellipse(5, 7)),
        (
            "Z>5Q14L4M2N2O0O2N2O0O2O000O2O0000000O2O0000000000000001N100000001N10001N101N2N101N2N3"
            "L4LP<",
            ellipse(40, 64),
        ),
        ("0`_b4", np.ones((300, 500), bool)),
        ("`_b4", np.zeros((300, 500), bool)),
    ],
)
def test_strings_of_pycocotools_give_the_masks_that_it_was_given(text, mask):
    """pycocotools 2.0.10: `encode(np.asfortranarray(mask))["counts"]`."""
    assert np.array_equal(decode_coco_runs(text, *mask.shape), mask)


def runs(mask):
    lengths, value = [0], False
    for pixel in mask.T.ravel():
        if pixel != value:
            lengths.append(0)
            value = pixel
        lengths[-1] += 1
    return lengths


def compress(lengths):
    """Return COCO's compressed string, written from its description and not from the decoder."""
    text = ""
    for i, length in enumerate(lengths):
        number = length - lengths[i - 2] if i > 2 else length
        while True:
            bits, number = number & 31, number >> 5
            more = not (number == -1 if bits & 16 else number == 0)
            text += chr(48 + bits + 32 * more)
            if not more:
                break
    return text


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**31))
def test_any_mask_survives_both_forms(height, width, seed):
    mask = np.random.default_rng(seed).random((height, width)) < 0.5
    lengths = runs(mask)
    assert np.array_equal(decode_coco_runs(lengths, height, width), mask)
    assert np.array_equal(decode_coco_runs(compress(lengths), height, width), mask)


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**7), max_size=8))
def test_any_lengths_survive_compression(lengths):
    assert uncompress(compress(lengths)) == lengths


@pytest.mark.parametrize("counts", [[3, 4], [-1, 7], [2.0, 4.0], ["6"], [[6]], [10**30]])
def test_wrong_lengths_are_refused(counts):
    with pytest.raises(UserError, match="run lengths"):
        decode_runs(counts, 2, 3)


@pytest.mark.parametrize("text", ["0`_b", "\x00", "é", "o" * 20])
def test_malformed_strings_are_refused(text):
    with pytest.raises(UserError, match="compressed run lengths"):
        uncompress(text)
