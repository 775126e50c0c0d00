"""Sizes, levels and classes on the way into a network and out of it."""

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from i2ibench.errors import UserError
from i2ibench.evaluation.segmenters.framing import (
    IMAGENET,
    Frame,
    Framing,
    Pixels,
    Resizing,
    override,
    rows_of,
)

CLASSES = ["sky", "road", "car"]


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (37, 61, 3), np.uint8)


def as_batch(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels).movedim(-1, 0)[None].contiguous()


def resize(pixels, width, height, **rules):
    levels = Frame(width, height, Resizing(**rules)).resize(as_batch(pixels))
    return levels[0].movedim(0, -1).numpy()


@pytest.mark.parametrize("size", [(24, 16), (90, 70), (61, 20)])
def test_without_antialiasing_images_are_resized_as_cv2_does_in_float(image, size):
    expected = cv2.resize(image.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(resize(image, *size), expected, atol=0.05)


@pytest.mark.parametrize("size", [(24, 16), (90, 70), (61, 20)])
def test_with_antialiasing_images_are_resized_as_pil_does_but_for_its_rounding(image, size):
    expected = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    np.testing.assert_allclose(resize(image, *size, antialias=True), expected, atol=1.01)


def test_without_a_frame_or_at_its_size_a_image_stays_as_it_is(image):
    for size in ((None, None), (61, 37)):
        np.testing.assert_array_equal(resize(image, *size, antialias=True), image)


def test_pixels_have_the_released_codes_arithmetic(image):
    mean, std = (72.39, 82.91, 73.16), (45.32, 46.15, 44.91)
    expected = (image[:, :, ::-1].astype(np.float32) - mean) / std / 255
    found = Pixels(mean, std, bgr=True, divisor=255.0).prepared(as_batch(image).float())
    np.testing.assert_allclose(found[0].movedim(0, -1), expected, atol=1e-6)


def test_imagenet_pixels_are_torchvisions(image):
    from torchvision.transforms.functional import normalize

    expected = normalize(as_batch(image) / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    torch.testing.assert_close(IMAGENET.prepared(as_batch(image).float()), expected)


def framing(width=None, height=None, stride=1, **rules):
    rows = rows_of(3, CLASSES)
    return Framing(Frame(width, height, Resizing(**rules)), Pixels(), rows, stride)


def test_scores_come_back_bilinearly_or_classes_by_pils_nearest_rule(image):
    images = as_batch(image[:36, :60])  # of even size: no pixel lies between two classes
    small = framing(25, 17).scores(lambda x: x, framing(25, 17).frame.resize(images))
    plain = framing(25, 17).labels(lambda x: x, images)
    bilinear = torch.nn.functional.interpolate(small, size=(36, 60), mode="bilinear")
    assert torch.equal(plain, bilinear.argmax(1))
    classes = Image.fromarray(small.argmax(1)[0].numpy().astype(np.uint8))
    nearest = np.asarray(classes.resize((60, 36), Image.Resampling.NEAREST))
    found = framing(25, 17, nearest=True).labels(lambda x: x, images)
    np.testing.assert_array_equal(found[0], nearest)
    assert not torch.equal(plain, found)


def test_a_network_that_needs_multiples_sees_repeated_edges_that_are_cut_off_again(image):
    shapes = []

    def network(x):
        shapes.append(tuple(x.shape[-2:]))
        return x

    found = framing(stride=16).logits(network, as_batch(image))
    assert shapes == [(48, 64)]
    torch.testing.assert_close(found, as_batch(image) / 255)


def test_smaller_scores_are_brought_to_the_images_size_in_one_step(image):
    halves = torch.randn(1, 3, 18, 30)
    expected = torch.nn.functional.interpolate(halves, size=(37, 61), mode="bilinear")
    torch.testing.assert_close(framing().logits(lambda x: halves, as_batch(image)), expected)


def test_outputs_become_rows_by_name_and_the_rest_is_something_else():
    assert rows_of(3, CLASSES) == (0, 1, 2)
    assert rows_of(5, CLASSES) == (0, 1, 2, 3, 3)
    assert rows_of(4, CLASSES, ["car", None, "car", "sky"]) == (2, 3, 2, 0)
    frame = Framing(Frame(), Pixels(), rows_of(4, CLASSES, ["car", None, "car", "sky"]))
    scores = torch.eye(4)[None, :, :, None]
    found = frame.labels(lambda x: scores, torch.zeros(1, 3, 4, 1, dtype=torch.uint8))
    assert found.flatten().tolist() == [2, 3, 2, 0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rows_of(2, CLASSES), "2 outputs, fewer than the 3 scored"),
        (lambda: rows_of(4, CLASSES, ["sky", "car"]), "4 outputs.*describe 2"),
        (lambda: rows_of(2, CLASSES, ["sky", "cars"]), "'cars'.*Did you mean 'car'"),
        (lambda: Frame(width=5), "width and a height"),
        (lambda: Frame(0, 5), "width and a height"),
        (lambda: Pixels(mean=(1.0,)), "three means"),
        (lambda: Pixels(std=(1.0, 0.0, 1.0)), "other than 0"),
        (lambda: override(Resizing(), {"antialais": True}), "Did you mean 'antialias'"),
        (lambda: override(Pixels(), {"means": (0, 0, 0)}), "Did you mean 'mean'"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_way_out(call, message):
    with pytest.raises(UserError, match=message):
        call()


def test_a_network_with_other_outputs_than_described_is_refused_at_its_first_image(image):
    with pytest.raises(UserError, match="4 outputs.*describe 3"):
        framing().labels(lambda x: torch.zeros(1, 4, 5, 5), as_batch(image))
