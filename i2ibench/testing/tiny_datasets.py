"""Write tiny data sets in the layouts that the data sets of the core read."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from i2ibench.data.datasets.paired_folder import PairedFolder
from i2ibench.data.datasets.shards import write_shards

CLASSES = ["sky", "road", "car", "void"]


def write_paired_scenes(root: Path, count: int, size: tuple[int, int] = (64, 32)) -> Path:
    """Write scenes for `PairedFolder`, each of sky, road and one car, and return the root.

    Each of the splits train and val gets label maps, 16-bit instance maps, and photos whose colours
    follow the labels. A classes.json names the classes.

    Args:
        root: the folder to write to.
        count: the number of scenes in each split.
        size: (width, height) in pixels.
    """
    rng = np.random.default_rng(0)
    width, height = size
    colours = np.array([[120, 170, 220], [90, 90, 95], [180, 40, 40], [0, 0, 0]])
    for split in ("train", "val"):
        for number in range(count):
            label = np.zeros((height, width), np.uint8)
            label[height // 2 :] = 1
            x = rng.integers(0, width - 16)
            label[height // 2 : height // 2 + 8, x : x + 16] = 2
            label[-2:] = 3
            instance = label.astype(np.uint16)
            instance[label == 2] = 2000 + number
            photo = np.clip(colours[label] + rng.normal(0, 4, (height, width, 3)), 0, 255)
            save(root / split / "label" / f"s{number}.png", label)
            save(root / split / "instance" / f"s{number}.png", instance)
            save(root / split / "image" / f"s{number}.png", photo.astype(np.uint8))
    classes = [*CLASSES[:2], {"name": "car", "thing": True}, {"name": "void", "scored": False}]
    (root / "classes.json").write_text(json.dumps(classes), encoding="utf-8")
    return root


def write_cityscapes(
    root: Path, names: tuple[str, ...] = ("aachen_000000_000019", "bochum_000000_000313")
) -> Path:
    """Write training scenes of 8x4 pixels in Cityscapes' layout, and return the root.

    Every pixel belongs to one car. Other splits are not written.

    Args:
        root: the folder to write to.
        names: the names of the scenes, which begin with the city.
    """
    for name in names:
        city = name.split("_")[0]
        truth = root / "gtFine" / "train" / city / f"{name}_gtFine"
        save(truth.with_name(truth.name + "_labelIds.png"), np.full((4, 8), 26, np.uint8))
        save(truth.with_name(truth.name + "_instanceIds.png"), np.full((4, 8), 26001, np.uint16))
        photo = root / "leftImg8bit" / "train" / city / f"{name}_leftImg8bit.png"
        save(photo, np.full((4, 8, 3), 7, np.uint8))
    return root


def write_released_layout(root: Path) -> Path:
    """Write one scene each for train and test in the released pix2pixHD's layout.

    Every pixel of a scene (8x6) belongs to one car. The root is returned.
    """
    for split in ("train", "test"):
        save(root / f"{split}_label" / "a_gtFine_labelIds.png", np.full((6, 8), 26, np.uint8))
        save(root / f"{split}_inst" / "a_gtFine_instanceIds.png", np.full((6, 8), 26001, np.uint16))
        save(root / f"{split}_img" / "a_leftImg8bit.png", np.full((6, 8, 3), 7, np.uint8))
    return root


def write_shards_of_scenes(root: Path) -> Path:
    """Write five paired scenes for each of train and val as shards, and return their folder.

    The shards are in `root/shards`, the separate files in `root/folders`.
    """
    folders = write_paired_scenes(root / "folders", count=5)
    for split in ("train", "val"):
        write_shards(PairedFolder(str(folders), split), root / "shards", split, shard_bytes=20000)
    return root / "shards"


def write_camvid(root: Path) -> Path:
    """Write one scene each for train and val in CamVid's layout, and return the root.

    All pixels of a scene (8x6) are black and void (11).
    """
    for split in ("train", "val"):
        save(root / split / "0001TP.png", np.zeros((6, 8, 3), np.uint8))
        save(root / f"{split}annot" / "0001TP.png", np.full((6, 8), 11, np.uint8))
    return root


def save(path: Path, pixels: np.ndarray) -> None:
    """Write an array as an image, [H,W] or [H,W,3]; make the file's folder if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
