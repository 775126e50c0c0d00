"""Edges from photos: Canny, Sobel, and HED with weights in Caffe's format."""

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from i2ibench.data.datasets import PairedFolder
from i2ibench.data.image_reading import image_size
from i2ibench.data.prepare.caffemodel import read_caffemodel
from i2ibench.data.prepare.catalogue import prepare
from i2ibench.data.prepare.edges import canny, read_edges, sobel
from i2ibench.data.prepare.hed import BLOCKS, MEAN, layer_names, load_hed
from i2ibench.errors import UserError
from tests.unit.data.prepare import publishers


def square():
    """Return a white square, rows and columns 8..15, on black."""
    photo = np.zeros((24, 24, 3), np.uint8)
    photo[8:16, 8:16] = 255
    return photo


@pytest.mark.parametrize("detect", [lambda p: canny(p, (100, 200), 1.0), lambda p: sobel(p, 1.0)])
def test_edges_lie_on_the_border_of_a_square_and_nowhere_else(detect):
    edges = detect(square())
    border = np.zeros((24, 24), bool)
    border[6:18, 6:18] = True
    border[10:14, 10:14] = False
    assert edges.dtype == np.uint8 and edges.shape == (24, 24)
    assert edges[~border].max() < 100
    for side in (edges[12, 6:10], edges[12, 14:18], edges[6:10, 12], edges[14:18, 12]):
        assert side.max() > 100


def test_sobel_is_four_times_a_step():
    for step, edge in ((10, 40), (60, 240), (70, 255)):
        assert sobel((square() // 255 * step).astype(np.uint8), 0)[12].max() == edge


@pytest.mark.parametrize("method", ["canny", "sobel"])
def test_photos_become_dark_edges_on_white_beside_the_photo(tmp_path, method):
    for name in ("a", "b", "c"):
        publishers.png(tmp_path / "source" / f"{name}.png", square())
    prepare("edges", tmp_path / "source", tmp_path / "target", {"method": method})
    sizes = {}
    for split in ("train", "val"):
        folders = dict(label_dir=None, instance_dir=None, source_dir="{split}/source")
        dataset = PairedFolder(str(tmp_path / "target"), split, **folders)
        sizes[split] = len(dataset)
        source = dataset[0]["source"]
        assert source[:, 2, 2].tolist() == [255] * 3 and source.min() < 155
        assert dataset[0]["image"][:, 12, 12].tolist() == [255] * 3
    assert sizes == {"train": 2, "val": 1}


def test_the_same_photos_are_set_apart_whatever_else_there_is(tmp_path):
    for number in range(20):
        publishers.png(tmp_path / f"{number}.png", square())
    first = {scene.name for scene in read_edges(tmp_path, val_share=0.2).splits["val"]}
    (tmp_path / f"{min(first)}.png").unlink()
    second = {scene.name for scene in read_edges(tmp_path, val_share=0.2).splits["val"]}
    assert len(first) == 4 and first - {min(first)} <= second


def hed_weights(channels=(4, 5, 6, 7, 8)):
    """Return random weights of a HED with few channels, by layer."""
    rng = np.random.default_rng(0)
    layers, before = {}, 3
    for block, count in enumerate(BLOCKS, 1):
        for i in range(count):
            shape = (channels[block - 1], before, 3, 3)
            layers[f"conv{block}_{i + 1}"] = [rng.normal(0, 0.2, shape), rng.normal(0, 1, shape[0])]
            before = channels[block - 1]
        side = rng.normal(0, 0.02, (1, before, 1, 1))
        layers[f"score-dsn{block}"] = [side, np.zeros(1)]
        if block > 1:
            size = 2**block
            ramp = 1 - np.abs(np.arange(size) - (size - 1) / 2) / (size / 2)
            layers[f"upsample_{size // 2}"] = [np.outer(ramp, ramp)[None, None]]
    layers["new-score-weighting"] = [np.full((1, 5, 1, 1), 0.2), np.array([0.1])]
    return layers


def plain_hed(photo, layers):
    """Compute HED with torch's modules and the crop to the middle of OpenCV's example."""
    x = torch.from_numpy(photo[..., ::-1] - np.array(MEAN)).permute(2, 0, 1)[None]
    height, width = photo.shape[:2]
    sides = []
    for block, count in enumerate(BLOCKS, 1):
        for i in range(count):
            weight, bias = map(torch.from_numpy, layers[f"conv{block}_{i + 1}"])
            padding = 35 if (block, i) == (1, 0) else 1
            conv = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=padding).double()
            conv.weight.data, conv.bias.data = weight, bias
            x = torch.relu(conv(x))
        side = (x * torch.from_numpy(layers[f"score-dsn{block}"][0])).sum(1, keepdim=True)
        if block > 1:
            size = 2**block
            up = nn.ConvTranspose2d(1, 1, size, stride=size // 2, bias=False).double()
            up.weight.data = torch.from_numpy(layers[f"upsample_{size // 2}"][0])
            side = up(side)
        top, left = (side.shape[2] - height) // 2, (side.shape[3] - width) // 2
        sides.append(side[0, 0, top : top + height, left : left + width])
        x = nn.MaxPool2d(2, ceil_mode=True)(x)
    return torch.sigmoid(torch.stack(sides).sum(0) * 0.2 + 0.1).detach().numpy()


@pytest.mark.parametrize("old", [False, True])
def test_a_caffemodel_is_read_as_written(tmp_path, old):
    layers = {"a": [np.arange(24.0).reshape(2, 3, 2, 2), np.ones(2)], "b": [np.full((1,), 7.0)]}
    publishers.caffemodel(tmp_path / "x.caffemodel", layers, old)
    found = read_caffemodel(tmp_path / "x.caffemodel")
    assert list(found) == ["a", "b"]
    for name, blobs in layers.items():
        for blob, read in zip(blobs, found[name], strict=True):
            assert np.array_equal(blob.ravel(), read.ravel())
    assert found["a"][0].shape == (2, 3, 2, 2)


@pytest.mark.parametrize("old", [False, True])
def test_hed_is_the_network_of_the_paper(tmp_path, old):
    # 28 + 68 is divisible by 16, so that the middle is where the coordinates say.
    photo = np.random.default_rng(1).integers(0, 256, (28, 44, 3), dtype=np.uint8)
    layers = hed_weights()
    assert sorted(layers) == sorted(layer_names())
    publishers.caffemodel(tmp_path / "hed.caffemodel", layers, old)
    edges = load_hed(tmp_path / "hed.caffemodel")(photo)
    expected = plain_hed(photo, layers) * 255
    assert expected.std() > 1 and edges.shape == (28, 44)
    assert np.abs(edges - expected).max() <= 0.51


def test_hed_prepares_photos_of_any_size(tmp_path):
    for name, size in (("a", (31, 17)), ("b", (20, 40))):
        publishers.png(tmp_path / "source" / f"{name}.png", np.zeros((*size, 3), np.uint8))
    weights = tmp_path / "hed.caffemodel"
    publishers.caffemodel(weights, hed_weights())
    options = {"method": "hed", "weights": str(weights)}
    prepare("edges", tmp_path / "source", tmp_path / "target", options)
    sizes = {image_size(p) for p in (tmp_path / "target").rglob("source/*.png")}
    assert sizes == {(31, 17), (20, 40)}


def test_hed_without_its_weights_says_where_they_are(tmp_path):
    publishers.png(tmp_path / "source/a.png", square())
    for options, message in (
        ({"method": "hed"}, "needs weights=PATH.*56 MB"),
        ({"method": "hed", "weights": "nowhere"}, "nowhere does not exist.*s9xie"),
        ({"weights": "x"}, "weights are for method=hed"),
        ({"method": "log"}, "canny, sobel, hed, not 'log'"),
    ):
        with pytest.raises(UserError, match=message):
            prepare("edges", tmp_path / "source", tmp_path / "target", options)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>", b"\xa2\x06\xff\xff\x01short"])
def test_another_file_in_the_place_of_hed_is_refused(tmp_path, content):
    (tmp_path / "x.caffemodel").write_bytes(content)
    with pytest.raises(UserError, match="Caffe model"):
        load_hed(tmp_path / "x.caffemodel")


def test_canny_is_opencvs():
    photo = cv2.cvtColor(square(), cv2.COLOR_RGB2GRAY)
    expected = cv2.Canny(photo, 50, 90, L2gradient=True)
    assert np.array_equal(canny(square(), (50, 90), 0), expected)
