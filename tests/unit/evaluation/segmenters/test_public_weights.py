"""The released weights on the real photos; opt-in, since neither may be redistributed here.

I2IBENCH_SEGMENTER_WEIGHTS is a folder with the released ESPNet and ESPNetv2 files,
I2IBENCH_CAMVID and I2IBENCH_CITYSCAPES are the data sets' folders.
"""

import os
from pathlib import Path

import pytest
import torch

from i2ibench.data.datasets.camvid import CamVid
from i2ibench.data.datasets.cityscapes import Cityscapes
from i2ibench.models.ops.confusion import class_iou, confusion_matrix, pixel_accuracy
from i2ibench.registry import SEGMENTERS


def folder(variable: str) -> Path:
    if variable not in os.environ:
        pytest.skip(f"{variable} is not set")
    return Path(os.environ[variable])


@torch.inference_mode()
def scores(kind, file, dataset, **options):
    """Pixel accuracy and mIoU on every scene; void pixels are left out."""
    path = folder("I2IBENCH_SEGMENTER_WEIGHTS") / file
    names, ids = dataset.metainfo["scored_classes"], dataset.metainfo["scored_ids"]
    facts = {"num_classes": len(names), "scored_classes": names}
    network = SEGMENTERS.build_for({"type": kind, "weights": str(path), **options}, facts).eval()
    confusion = 0
    for index in range(len(dataset)):
        sample = dataset[index]
        target = torch.tensor(ids)[sample["label"][0].long()]
        predicted = network(sample["image"][None])[0]
        confusion = confusion + confusion_matrix(predicted, target, len(names))
    return pixel_accuracy(confusion), class_iou(confusion).nanmean().item()


def test_espnet_on_camvid():
    data = CamVid(str(folder("I2IBENCH_CAMVID")), split="val")
    found = scores("ESPNet", "espnet_p_2_q_8_camvid.pth", data, width=480, height=360)
    assert found == pytest.approx((0.9266, 0.7005), abs=1e-3)


@pytest.mark.parametrize(
    ("kind", "file", "width", "expected"),
    [
        ("ESPNet", "espnet_p_2_q_8_cityscapes.pth", 1024, (0.9527, 0.5465)),
        ("ESPNetv2", "espnetv2_s_2.0_city_1024x512.pth", 1024, (0.9582, 0.5788)),
        ("ESPNetv2", "espnetv2_s_1.5_city_512x256.pth", 512, (0.9379, 0.4632)),
    ],
)
def test_cityscapes_training_photos(kind, file, width, expected):
    data = Cityscapes(str(folder("I2IBENCH_CITYSCAPES")), split="train")
    if len(data) != 8:
        pytest.skip("the numbers are of the first eight photos of Aachen")
    found = scores(kind, file, data, width=width, height=width // 2)
    assert found == pytest.approx(expected, abs=2e-3)
