"""Value ranges, padding, pyramids, colours and edges of images."""

import cv2
import numpy as np
import pytest
import torch

from i2ibench.models.ops.images import (
    STEEPEST,
    colour_labels,
    halve,
    pad_to_multiple,
    pyramid,
    sobel_edges,
    to_levels,
    to_signed,
)


def test_uint8_survives_the_way_to_signed_and_back():
    image = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    assert torch.equal(to_levels(to_signed(image)), image)
    assert to_signed(image).min() == -1 and to_signed(image).max() == 1


def test_values_outside_the_range_are_clipped():
    assert to_levels(torch.tensor([-3.0, 3.0])).tolist() == [0, 255]


def test_fractions_are_rounded_or_cut_off():
    image = torch.tensor([10.2, 10.8, 255.0]) / 127.5 - 1
    assert to_levels(image).tolist() == [10, 11, 255]
    assert to_levels(image, truncate=True).tolist() == [10, 10, 255]


def test_padding_repeats_the_edge_and_keeps_large_ids():
    x = torch.tensor([[[[1, 2**30 + 1]]]])
    padded = pad_to_multiple(x, 2, smallest=3)
    assert padded.shape == (1, 1, 4, 4)
    assert torch.equal(padded[0, 0, 3], torch.tensor([1, 2**30 + 1, 2**30 + 1, 2**30 + 1]))
    assert pad_to_multiple(padded, 2) is padded, "a condition of a large image is a gibibyte"
    assert pad_to_multiple(torch.zeros(1, 1, 9, 33), 8).shape == (1, 1, 16, 40)


def test_halving_keeps_a_constant_and_averages_what_is_inside():
    assert torch.equal(halve(torch.ones(1, 1, 5, 8)), torch.ones(1, 1, 3, 4))
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert halve(x)[0, 0, 0, 0] == x[0, 0, :2, :2].mean()
    assert [tuple(level.shape[-2:]) for level in pyramid(x, 3)] == [(4, 4), (2, 2), (1, 1)]


def test_every_label_gets_its_colour():
    palette = [[1, 2, 3], [4, 5, 6]]
    coloured = colour_labels(torch.tensor([[[0, 1]]], dtype=torch.uint8), palette)
    assert coloured[:, 0].T.tolist() == palette


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
@pytest.mark.parametrize("shape", [(1, 5, 7), (2, 1, 5, 7)])
def test_colours_equal_those_painted_class_by_class(dtype, shape):
    palette = torch.randint(0, 256, (256, 3)).tolist()
    label = torch.randint(0, 256, shape).to(dtype)
    expected = torch.zeros(*shape[:-3], 3, *shape[-2:], dtype=torch.uint8)
    for number, colour in enumerate(palette):
        for channel, level in enumerate(colour):
            expected.select(-3, channel)[label.squeeze(-3) == number] = level
    assert torch.equal(colour_labels(label, palette), expected)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64])
def test_a_label_outside_the_palette_has_no_colour(dtype):
    with pytest.raises((IndexError, RuntimeError)):
        colour_labels(torch.full((1, 2, 2), 3, dtype=dtype), [(0, 0, 0)] * 3)


def random_image(height=23, width=31):
    return torch.randint(0, 256, (2, 3, height, width), dtype=torch.uint8)


def test_edges_are_opencvs_sobel_magnitude():
    images = random_image()
    for image, edges in zip(images, sobel_edges(images), strict=True):
        grey = (image.double().permute(1, 2, 0) @ torch.tensor([299.0, 587, 114]).double()).numpy()
        border = dict(ksize=3, borderType=cv2.BORDER_REPLICATE)
        x, y = (cv2.Sobel(grey, cv2.CV_64F, *axes, **border) for axes in ((1, 0), (0, 1)))
        expected = np.minimum(np.hypot(x, y) / STEEPEST, 1)
        np.testing.assert_allclose(edges[0].numpy(), expected, atol=1e-6)


def test_a_border_of_black_and_white_is_one_and_a_plain_image_has_none():
    image = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    assert not sobel_edges(image).any()
    image[..., 4:] = 255
    edges = sobel_edges(image)[0, 0]
    assert (edges[:, 3:5] == 1).all() and edges.sum() == 16


def test_a_crop_has_the_edges_of_the_whole_image_bit_by_bit():
    whole = random_image(40, 56)
    part = sobel_edges(whole[..., 6:30, 9:41])[..., 1:-1, 1:-1]
    assert torch.equal(part, sobel_edges(whole)[..., 7:29, 10:40])
