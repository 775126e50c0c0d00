"""Small scenes and a small checkpoint with random weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from mmengine.config import ConfigDict

from i2ibench.apps.editor.classes import Classes
from i2ibench.apps.editor.scene import Scene
from i2ibench.inference import Inference
from i2ibench.inference.checkpoints import OpenedCheckpoint
from i2ibench.io.files import write_image
from i2ibench.models.translators.build import build_translator

settings.register_profile("repeatable", derandomize=True, database=None, deadline=None)
settings.load_profile("repeatable")

CLASSES = Classes(
    ("sky", "road", "car", "tree"),
    ((120, 170, 220), (90, 90, 95), (180, 40, 40), (20, 90, 20)),
    (23, 7, 26, 21),
    (False, False, True, False),
    0,
)


def street(height: int = 24, width: int = 40) -> Scene:
    """Sky over a road with two cars and a tree."""
    label = np.zeros((height, width), np.uint8)
    label[height // 2 :] = 1
    label[8:13, 4:12] = label[14:19, 20:30] = 2
    label[3:12, 33:36] = 3
    instance = np.array(CLASSES.ids, np.int32)[label]
    instance[8:13, 4:12], instance[14:19, 20:30] = 26000, 26001
    return Scene("street", label, instance)


@pytest.fixture
def classes() -> Classes:
    return CLASSES


@pytest.fixture
def scene() -> Scene:
    return street()


METAINFO = {
    "dataset": "PairedFolder",
    "classes": list(CLASSES.names),
    "palette": [list(colour) for colour in CLASSES.colours],
    "ids": list(CLASSES.ids),
    "scored_classes": list(CLASSES.names),
    "scored_ids": [0, 1, 2, 3],
    "thing_ids": {"2": 26},
}
SYSTEM = {
    "type": "PairedTranslator",
    "generator": {
        "type": "CoarseToFineGenerator", "base_channels": 4, "num_downsamplings": 2,
        "num_blocks": 1,
    },
    "encoder": {"type": "InstanceEncoder", "base_channels": 4, "num_downsamplings": 1},
}  # fmt: skip
PLAIN = {**SYSTEM, "encoder": None}
LABELS = {"type": "LabelPreprocessor"}


def open_small(
    model: dict = SYSTEM, preprocessor: dict = LABELS, **made: object
) -> OpenedCheckpoint:
    """A system with random weights, and five modes for every class but trees.

    Args:
        model, preprocessor: of its config.
        made: entries of the metainfo that say what images are made.
    """
    metainfo = {**METAINFO, **made}
    torch.manual_seed(1)
    config = ConfigDict(model=model, data_preprocessor=preprocessor)
    translator = build_translator(config, metainfo).eval().requires_grad_(False)
    if translator.style_bank is not None:
        translator.style_bank.centres.uniform_(-1, 1)
        translator.style_bank.counts.copy_(torch.tensor([5, 5, 5, 0]))
    return OpenedCheckpoint(
        Path("small.pth"), config, metainfo, 1, translator, Inference(translator)
    )


def write_data(folder: Path, number: int = 3) -> Path:
    """Scenes in the folders label/, instance/ and image/."""
    rng = np.random.default_rng(0)
    for n in range(number):
        scene = street(24 + 8 * n, 40 + 8 * n)
        photo = rng.integers(0, 256, (*scene.size, 3)).astype(np.uint8)
        values = np.array(CLASSES.ids, np.uint8)[scene.label]
        maps = {"label": values, "instance": scene.instance.astype(np.uint16), "image": photo}
        for kind, pixels in maps.items():
            write_image(folder / kind / f"street{n}.png", pixels)
    return folder
