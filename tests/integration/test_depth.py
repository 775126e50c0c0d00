"""Depth from a photo, grey of 16 bits and five channels: trained, validated, translated, scored."""

import json

import cv2
import numpy as np
import pytest
import torch

from i2ibench.cli.main import main
from i2ibench.data.pixel_formats import PixelFormat, read_image
from i2ibench.inference.checkpoints import open_checkpoint
from i2ibench.io.files import ending_for, write_image

WIDTH, HEIGHT = 32, 16

CONFIG = """
model = dict(
    type="PairedTranslator",
    generator=dict(type="UNetGenerator", base_channels=4, num_levels=4),
    discriminator=dict(type="PatchDiscriminator", base_channels=4, num_layers=2),
    adversarial=dict(type="VanillaGAN"),
    losses=dict(pixel=dict(type="PixelLoss", weight=100.0)),
)
data_root = "data"
data_preprocessor = dict(type="ImagePreprocessor")
_pairs = dict(type="PairedFolder", label_dir=None, instance_dir=None, source_dir="{split}/source")
train_dataloader = dict(
    dataset=dict(_pairs, split="train", transforms=[
        dict(type="Resize", width=40, height=24), dict(type="RandomCrop", width=32, height=16),
    ]),
    batch_size=2, cache=True,
)
val_dataloader = dict(dataset=dict(_pairs, split="val"), batch_size=2)
optimizers = dict(generator=dict(type="Adam", lr=2e-3), discriminator=dict(type="Adam", lr=2e-3))
train_cfg = dict(max_epochs=2, val_interval=1)
hooks = dict(
    log=dict(type="TrainingLog", interval=1), checkpoints=dict(type="Checkpoints"),
    images=dict(type="ValidationImages", num_scenes=2),
)
protocol = dict(
    type="own", metrics=dict(levels=dict(type="LevelErrors", scale=0.001, unmeasured=0)),
)
"""


def photo_and_depth(rng):
    """A photo uint8 [H,W,3] and its depth in millimetres, uint16 [H,W]: what is dark is far."""
    depth = np.full((HEIGHT, WIDTH), 60_000, np.uint16)
    for _ in range(3):
        x, y = rng.integers(0, WIDTH - 8), rng.integers(0, HEIGHT - 6)
        depth[y : y + 6, x : x + 8] = rng.integers(300, 40_000)
    depth[0] = 0  # not measured
    photo = np.stack([255 - depth // 257, depth // 300, np.full_like(depth, 90)], -1)
    return photo.astype(np.uint8), depth


def write_scenes(root, made_of, source_of=lambda photo, depth: photo):
    """Four scenes of two splits, whose sources and targets are made of a photo and its depth."""
    rng = np.random.default_rng(0)
    for split in ("train", "val"):
        for number in range(4):
            photo, depth = photo_and_depth(rng)
            for kind, make in (("source", source_of), ("image", made_of)):
                pixels = make(photo, depth)
                channels = 1 if pixels.ndim == 2 else pixels.shape[2]
                name = f"{number}{ending_for(channels)}"
                write_image(root / split / kind / name, pixels)


def five_bands(photo, depth):
    return np.concatenate([photo, photo[..., :2] // 2], -1)


CASES = {
    "depth from a photo": (lambda photo, depth: depth, lambda photo, depth: photo),
    "grey of 16 bits": (lambda photo, depth: depth[::-1].copy(), lambda photo, depth: depth),
    "colour of 16 bits": (lambda photo, depth: photo.astype(np.uint16) * 200, None),
    "five bands": (five_bands, lambda photo, depth: five_bands(photo, depth)),
}
MADE = {
    "depth from a photo": PixelFormat(1, 16), "grey of 16 bits": PixelFormat(1, 16),
    "colour of 16 bits": PixelFormat(3, 16), "five bands": PixelFormat(5, 8),
}  # fmt: skip


@pytest.fixture(scope="module", params=CASES)
def trained(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("deep")
    target, source = CASES[request.param]
    write_scenes(folder / "data", target, source or (lambda photo, depth: photo))
    (folder / "deep.py").write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        main("validate", ["deep.py", "--html", "data.html"])
        main("train", ["deep.py"])
    return folder, MADE[request.param]


def test_it_is_trained_in_its_channels_and_depth(trained):
    folder, made = trained
    opened = open_checkpoint(folder / "work_dirs/deep/epoch_0002.pth")
    assert opened.translator.image_channels == made.channels
    assert opened.translator.image_depth == made.bits
    assert cv2.imread(str(next((folder / "work_dirs/deep/pictures").glob("*.png")))).ndim == 3
    assert (folder / "data.html").read_text().count("data:image/jpeg") >= 4


def test_translate_and_eval_write_what_was_read(trained, monkeypatch):
    folder, made = trained
    monkeypatch.chdir(folder)
    checkpoint = str(folder / "work_dirs/deep/epoch_0002.pth")
    main("translate", [checkpoint, "data/val", "out"])
    main("eval", ["deep.py"])
    evaluation = folder / "work_dirs/deep/evaluation"
    stored = {path.name: path for path in (evaluation / "pictures").rglob("*.*")}
    for number in range(4):
        name = f"{number}{ending_for(made.channels)}"
        painted = read_image(folder / "out" / name, made)
        assert painted.shape == (HEIGHT, WIDTH, made.channels)
        assert np.array_equal(painted, read_image(stored[name], made))
        assert painted.dtype == np.uint8 or len(np.unique(painted)) > 256 / 2
    again = {path: path.stat().st_mtime_ns for path in (folder / "out").glob("[0-9]*")}
    main("translate", [checkpoint, "data/val", "out"])
    assert again == {path: path.stat().st_mtime_ns for path in (folder / "out").glob("[0-9]*")}


def test_scores_are_in_the_stored_units_and_what_needs_rgb_says_so(trained, monkeypatch):
    folder, made = trained
    monkeypatch.chdir(folder)
    main("eval", ["deep.py"])
    results = json.loads((folder / "work_dirs/deep/evaluation/results.json").read_text())
    (name,) = set(results["systems"]) - set(results["controls"])
    scores = results["systems"][name]
    assert 0 < scores["rmse"]["value"] < 2**made.bits / 1000
    oracle = results["systems"]["real photos (oracle)"]
    assert "rmse" not in oracle
    assert scores["lpips"]["status"] == "not computed"
    assert "needs RGB images of 8 bits" in scores["lpips"]["reason"]


def test_images_of_other_code_are_scored_in_the_same_format(trained, monkeypatch, capsys):
    folder, made = trained
    monkeypatch.chdir(folder)
    main("eval", ["deep.py", "--images", "photos=data/val/image", "--output", "own"])
    results = json.loads((folder / "own/results.json").read_text())
    assert results["systems"]["photos"]["rmse"]["value"] == 0
    write_image(folder / "odd/0.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    with pytest.raises(SystemExit):
        main("eval", ["deep.py", "--images", "odd=odd", "--output", "odd_scores"])
    message = capsys.readouterr().err
    assert "odd/0.png has" in message or "has no image for scene" in message


def test_training_makes_the_depth_better(tmp_path, monkeypatch):
    """The levels of 16 bits are learnt: the error falls below what a constant would have."""
    monkeypatch.chdir(tmp_path)
    write_scenes(tmp_path / "data", *CASES["depth from a photo"])
    changes = ["train_cfg.max_epochs=60", "train_dataloader.dataset.transforms=[]"]
    (tmp_path / "deep.py").write_text(CONFIG)
    torch.manual_seed(0)
    main("train", ["deep.py", "--cfg-options", *changes, "hooks.images=None"])
    main("eval", ["deep.py"])
    results = json.loads((tmp_path / "work_dirs/deep/evaluation/results.json").read_text())
    depths = [read_image(p, PixelFormat(1, 16)) for p in (tmp_path / "data/val/image").iterdir()]
    measured = np.concatenate([d[d > 0] for d in depths]) / 1000
    (name,) = set(results["systems"]) - set(results["controls"])
    assert results["systems"][name]["rmse"]["value"] < measured.std()


@pytest.mark.parametrize("command", [["validate"], ["train", "--work-dir", "run"]])
def test_a_mix_of_depths_ends_before_work_with_both_files_named(
    command, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    write_scenes(tmp_path / "data", *CASES["depth from a photo"])
    write_image(tmp_path / "data/train/image/3.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    (tmp_path / "deep.py").write_text(CONFIG)
    with pytest.raises(SystemExit) as stopped:
        main(command[0], ["deep.py", *command[1:]])
    assert stopped.value.code == 2 and not (tmp_path / "run").exists()
    told = capsys.readouterr()
    assert "0.png has 16 bits and" in told.err and "3.png has 8" in told.err
    assert command != ["validate"] or "Save all images with the same number of channels" in told.out
