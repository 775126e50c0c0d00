import cv2
import numpy as np
import torch

from i2ibench.models.ops.edges import STEEPEST, sobel_edges


def picture(height=23, width=31):
    return torch.randint(0, 256, (2, 3, height, width), dtype=torch.uint8)


def test_edges_are_opencvs_sobel_magnitude():
    images = picture()
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


def test_a_part_of_a_image_has_the_wholes_edges_bit_by_bit():
    whole = picture(40, 56)
    part = sobel_edges(whole[..., 6:30, 9:41])[..., 1:-1, 1:-1]
    assert torch.equal(part, sobel_edges(whole)[..., 7:29, 10:40])
