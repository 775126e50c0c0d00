"""Every registered generator translates images into images, by the user's commands."""

import json

import pytest

from i2ibench.cli.main import main
from i2ibench.data.image_reading import read_rgb
from i2ibench.registry import GENERATORS
from i2ibench.testing.parts import Workshop
from i2ibench.testing.tiny_datasets import write_paired_scenes

CONFIG = """
model = dict(type="PairedTranslator", generator={generator!r},
             losses=dict(pixel=dict(type="PixelLoss")))
data_root = {root!r}
data_preprocessor = dict(type="ConditionPreprocessor", condition=["image", "edges"])
_pairs = dict(type="PairedFolder", label_dir=None, instance_dir=None, source_dir="{{split}}/label")
train_dataloader = dict(dataset=dict(_pairs, split="train"), batch_size=2)
val_dataloader = dict(dataset=dict(_pairs, split="val"))
optimizers = dict(generator=dict(type="Adam", lr=1e-3))
train_cfg = dict(max_epochs=1, val_interval=1)
hooks = dict(checkpoints=dict(type="Checkpoints"))
protocol = dict(type="own")
"""


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_paired_scenes(tmp_path_factory.mktemp("pictures"), count=2, size=(32, 16))


@pytest.mark.parametrize("name", GENERATORS.names())
def test_a_generator_translates_images(name, images, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = Workshop(lambda part: tmp_path / part).options("generator", name)
    text = CONFIG.format(generator={"type": name, **options}, root=str(images))
    (tmp_path / "rgb.py").write_text(text)
    main("train", ["rgb.py"])
    checkpoint = str(next((tmp_path / "work_dirs/rgb").glob("epoch_*.pth")))
    main("translate", [checkpoint, str(images / "val" / "label"), "out"])
    painted = [read_rgb(path) for path in sorted((tmp_path / "out").glob("*.png"))]
    assert len(painted) == 2 and painted[0].shape == (16, 32, 3)
    main("eval", ["rgb.py"])
    results = json.loads((tmp_path / "work_dirs/rgb/evaluation/results.json").read_text())
    assert results["data"]["scenes"] == 2 and len(results["systems"]) > len(results["controls"])
