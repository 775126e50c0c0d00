"""Grey photos: a generator of one channel, and grey files from it."""

import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from i2ibench.cli.main import main
from i2ibench.data.datasets.paired_folder import PairedFolder
from i2ibench.data.datasets.shards import Shards, write_shards
from i2ibench.errors import UserError
from i2ibench.evaluation.evaluate import evaluate
from i2ibench.evaluation.protocols.protocol import build_protocol
from i2ibench.evaluation.system_sources import parse_systems
from i2ibench.inference import InferenceOptions
from i2ibench.inference.checkpoints import open_checkpoint
from i2ibench.inference.translation import translate
from i2ibench.registry.configuration import load_config
from i2ibench.testing.tiny_datasets import write_paired_scenes
from i2ibench.training.run import train
from tests.conftest import write_tiny_config


@pytest.fixture(scope="module")
def grey_root(tmp_path_factory):
    root = write_paired_scenes(tmp_path_factory.mktemp("grey") / "data", count=4)
    for path in root.glob("*/image/*.png"):
        Image.open(path).convert("L").save(path)
    return root


@pytest.fixture(scope="module")
def trained(grey_root):
    config = write_tiny_config(grey_root.parent / "tiny.py", grey_root)
    train(load_config(config, {"hooks.images": None}, grey_root.parent / "run"))
    return grey_root.parent / "run" / "epoch_0002.pth"


def test_the_generator_makes_one_channel_and_translate_writes_grey(grey_root, trained, tmp_path):
    opened = open_checkpoint(trained)
    layers = opened.translator.generator.head.modules()
    heads = [layer for layer in layers if isinstance(layer, torch.nn.Conv2d)]
    assert heads[-1].out_channels == 1
    for tile in (None, (64, 64)):
        opened = open_checkpoint(trained, options=InferenceOptions(tile=tile))
        folder = tmp_path / str(tile is None)
        for path in translate(opened, grey_root / "val", folder):
            with Image.open(path) as image:
                assert image.mode == "L" and image.size == (64, 32)


def test_a_grey_system_is_scored(grey_root, trained):
    config = load_config(grey_root.parent / "tiny.py", {}, grey_root.parent / "run")
    subjects = parse_systems([str(trained)], [])
    results = evaluate(
        build_protocol(config.protocol), subjects, grey_root.parent / "scores", config
    )
    assert sum("psnr" in scores for scores in results["systems"].values()) >= 2


def test_a_photo_in_colour_among_grey_ones_is_refused_before_training(grey_root, tmp_path):
    root = shutil.copytree(grey_root, tmp_path / "data")
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[..., 0] = 200
    for number in range(3):  # most are grey: a few that are not are what is wrong
        Image.fromarray(pixels).convert("L").save(root / f"train/image/s{number}.png")
    data = PairedFolder(str(root), image_channels=1)
    Image.fromarray(pixels).save(root / "train/image/s3.png")
    with pytest.raises(UserError, match=r"s3\.png is in colour"):
        data[3]
    config = write_tiny_config(tmp_path / "tiny.py", root)
    changes = {"train_dataloader.dataset.image_channels": 1}
    with pytest.raises(UserError, match=r"s3\.png is in colour"):
        train(load_config(config, changes, tmp_path / "run"))
    assert not list((tmp_path / "run").glob("*.pth"))


@pytest.mark.parametrize("command", [["validate"], ["train", "--work-dir", "run"]])
def test_validate_refuses_what_train_refuses(grey_root, tmp_path, monkeypatch, capsys, command):
    monkeypatch.chdir(tmp_path)
    root = shutil.copytree(grey_root, tmp_path / "data")
    write_tiny_config(tmp_path / "tiny.py", root)
    for photo in root.glob("val/image/*.png"):
        Image.open(photo).convert("RGB").save(photo)
    cases = {
        "training data are grey and those of the validation data are in colour": [],
        r"\.png is in colour": ["val_dataloader.dataset.image_channels=1"],
        "different classes": ["val_dataloader.dataset.classes=['a','b','c','d']"],
    }
    Image.fromarray(np.eye(32, 64, dtype=np.uint8)[..., None] * np.uint8([0, 99, 200])).save(
        next(root.glob("val/image/*.png"))
    )
    for message, changes in cases.items():
        options = ["--cfg-options", *changes] if changes else []
        with pytest.raises(SystemExit) as stopped:
            main(arguments=[*command, "tiny.py", *options])
        assert stopped.value.code == 2
        assert re.search(message, capsys.readouterr().err)


def test_it_can_be_said_and_shards_keep_it(grey_root, tmp_path):
    assert PairedFolder(str(grey_root)).metainfo["image_channels"] == 1
    assert PairedFolder(str(grey_root), image_channels=3).metainfo["image_channels"] == 3
    with pytest.raises(UserError, match="image_channels is 1 to 64 or None"):
        PairedFolder(str(grey_root), image_channels=0)
    write_shards(PairedFolder(str(grey_root)), tmp_path, "train", 10_000)
    assert Shards(str(tmp_path), "train").metainfo["image_channels"] == 1
