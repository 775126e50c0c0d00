"""The scene cache: the same samples, made once, whole or not at all."""

import errno
import os
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from i2ibench.data import cache as module
from i2ibench.data.classes import class_table
from i2ibench.data.loaders import build_dataset, build_loader, check_loader
from i2ibench.data.scenes import SceneFiles, Scenes
from i2ibench.errors import UserError
from i2ibench.testing.tiny_datasets import save
from tests.damage import flipped

TABLE = class_table(["a", "b", "c"])
FLIP = {"type": "RandomFlip"}
CHAINS = {
    "nothing": [],
    "a flip": [FLIP],
    "sizes, then a flip and a crop": [
        {"type": "ScaleWidth", "width": 13},
        {"type": "RoundToMultiple", "base": 4},
        FLIP,
        {"type": "RandomCrop", "width": 8, "height": 4},
    ],
    "a size after a crop": [
        {"type": "RandomCrop", "width": 8, "height": 4},
        {"type": "Resize", "width": 6, "height": 6},
    ],
}
IDS = (0, 255, 256, 65535)


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    scenes = []
    for number, (height, width) in enumerate([(10, 16), (10, 16), (8, 20), (9, 17)]):
        images = {
            "label": rng.integers(0, 3, (height, width), np.uint8),
            "instance": np.full((height, width), IDS[number], np.uint16),
            "image": rng.integers(0, 256, (height, width, 3), np.uint8),
            "source": rng.integers(0, 256, (height, width, 3), np.uint8),
        }
        images["instance"][:2] = 1
        paths = {kind: tmp_path / f"{kind}{number}.png" for kind in images}
        for kind, pixels in images.items():
            save(paths[kind], pixels)
        scenes.append(SceneFiles(f"s{number}", paths))
    return scenes


def cached(files, folder, transforms=(), classes=TABLE):
    scenes = Scenes(files, classes, transforms)
    scenes.cache_folder = folder
    scenes.open_cache()
    return scenes


def assert_same(one, two):
    assert one.keys() == two.keys()
    for kind, value in one.items():
        if isinstance(value, torch.Tensor):
            assert value.dtype == two[kind].dtype and torch.equal(value, two[kind])
        else:
            assert value == two[kind]


@pytest.mark.parametrize("chain", CHAINS)
def test_samples_are_the_same_with_and_without(files, tmp_path, chain):
    plain, quick = Scenes(files, TABLE, CHAINS[chain]), cached(files, tmp_path / "c", CHAINS[chain])
    for key in [(index, epoch) for index in range(4) for epoch in range(4)]:
        assert_same(plain.read(key), quick.read(key))


def test_what_a_user_does_to_a_sample_does_not_reach_the_cache(files, tmp_path):
    scenes = cached(files, tmp_path / "c")
    sample = scenes.read(0)
    before = sample["image"].clone()
    sample["image"].zero_()
    assert torch.equal(scenes.read(0)["image"], before)


@pytest.mark.parametrize("ids", [[0, 255], [0, 65535], [0, 65536], [-1, 2**31 - 1]])
def test_ids_are_kept_exactly_in_the_smallest_type(tmp_path, ids):
    arrays = {"instance": np.array([ids], np.int32), "label": np.zeros((1, 2), np.uint8)}
    opened = module.open_cache(tmp_path, {}, [], 1, lambda number: arrays)
    read = opened.arrays(0)["instance"]
    assert read.dtype == np.int32 and read.tolist() == [ids]
    size = np.dtype(opened.index[0]["instance"][2]).itemsize
    assert size == {255: 1, 65535: 2}.get(ids[1], 4)


def names(folder):
    return sorted(p.name for p in folder.iterdir() if p.suffix != ".lock")


def test_it_is_made_once_for_the_same_files_classes_and_transforms(files, tmp_path, monkeypatch):
    cached(files, tmp_path / "c")
    first = names(tmp_path / "c")
    with monkeypatch.context() as patch:
        patch.setattr(module, "_write", None)
        cached(files, tmp_path / "c", [FLIP])  # a random transform comes after
    assert names(tmp_path / "c") == first and len(first) == 1
    cached(files, tmp_path / "c", [{"type": "Resize", "width": 4, "height": 4}])
    cached(files, tmp_path / "c", classes=class_table(["a", "b", "c", "d"]))
    assert len(names(tmp_path / "c")) == 3


def test_a_changed_file_makes_it_anew_and_the_old_one_goes(files, tmp_path):
    before = names_after(files, tmp_path)
    save(files[1].image, np.zeros((10, 16, 3), np.uint8))
    os.utime(files[1].image, ns=(0, 1))
    after = names_after(files, tmp_path)
    assert before != after and len(after) == 1
    assert cached(files, tmp_path / "c").read(1)["image"].max() == 0


def names_after(files, tmp_path):
    cached(files, tmp_path / "c")
    return names(tmp_path / "c")


def test_a_missing_file_is_named(files, tmp_path):
    files[2].image.unlink()
    with pytest.raises(UserError, match=r"image2\.png does not exist"):
        cached(files, tmp_path / "c")


def test_a_broken_scene_leaves_no_cache(files, tmp_path):
    files[2].image.write_bytes(b"no image")
    with pytest.raises(UserError, match=r"image2\.png is broken"):
        cached(files, tmp_path / "c")
    assert names(tmp_path / "c") == []


def test_what_a_kill_has_left_is_removed(files, tmp_path):
    (name,) = names_after(files, tmp_path)
    left = tmp_path / "c" / f".{name}.99.tmp"
    (tmp_path / "c" / name).rename(left)
    assert names_after(files, tmp_path) == [name] and not left.exists()


@pytest.mark.parametrize("kept", [0, 10, -1])
def test_a_cut_off_file_is_made_anew(files, tmp_path, kept, capsys):
    (name,) = names_after(files, tmp_path)
    path = tmp_path / "c" / name
    whole = path.read_bytes()
    path.write_bytes(whole[:kept])
    assert names_after(files, tmp_path) == [name] and path.read_bytes() == whole
    assert "is damaged" in capsys.readouterr().err


def test_a_full_disk_is_told_before_and_during_the_work(files, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(module, "_append", full)
        with pytest.raises(UserError, match="the disk is full.*cache=PATH"):
            cached(files, tmp_path / "c")
    assert names(tmp_path / "c") == []
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: shutil_usage(free=10))
    with pytest.raises(UserError, match=r"the disk is full.*GB are needed"):
        cached(files, tmp_path / "c")


def full(file, kind, array):
    raise OSError(errno.ENOSPC, "No space left on device")


def shutil_usage(free):
    return type("Usage", (), {"free": free})


def test_a_folder_that_cannot_be_written_is_named(files, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file.*cannot be written|cannot be written to .*file"):
        cached(files, tmp_path / "file")


def test_of_several_at_once_one_makes_it_and_all_read_it(tmp_path):
    made = []

    def scene(number):
        made.append(number)
        return {"label": np.full((50, 50), number, np.uint8)}

    def opened(_):
        return module.open_cache(tmp_path, {}, [], 20, scene).arrays(7)["label"]

    with ThreadPoolExecutor(6) as pool:  # each opens the lock file for itself, as processes do
        read = list(pool.map(opened, range(6)))
    assert made == list(range(20)) and all((label == 7).all() for label in read)


def test_workers_are_sent_no_pixels(files, tmp_path):
    scenes = cached(files, tmp_path / "c")
    scenes.read(0)
    sent = pickle.dumps(scenes)
    assert b"memmap" not in sent
    assert_same(pickle.loads(sent).read(0), scenes.read(0))


@pytest.mark.parametrize("workers", [0, 2])
def test_loaders_give_the_same_batches(paired_root, tmp_path, workers):
    dataset = {"type": "PairedFolder", "transforms": [FLIP]}
    options = {"dataset": dataset, "batch_size": 2, "num_workers": workers}
    loaders = []
    for cfg in (options, {**options, "cache": str(tmp_path / "c")}):
        loaders.append(build_loader(build_dataset(cfg, str(paired_root)), cfg, training=True))
    for _ in range(2):
        for one, two in zip(*loaders, strict=True):
            assert_same(one, two)
    assert len(names(tmp_path / "c")) == 1


@pytest.mark.parametrize("value", [1, None, 0.5])
def test_a_cache_is_a_switch_or_a_folder(value):
    with pytest.raises(UserError, match="cache is True, False or a folder"):
        check_loader({"dataset": {"type": "PairedFolder"}, "cache": value})


def test_a_flipped_bit_is_never_read_and_the_cache_is_made_anew(files, tmp_path, capsys):
    (name,) = names_after(files, tmp_path)
    path = tmp_path / "c" / name
    content = path.read_bytes()
    plain = [Scenes(files, TABLE, []).read(index) for index in range(4)]
    told = 0
    for changed in flipped(content, times=60):
        path.write_bytes(changed)
        scenes = cached(files, tmp_path / "c")
        for index in range(4):
            assert_same(scenes.read(index), plain[index])
        told += "is damaged" in capsys.readouterr().err
        cached(files, tmp_path / "c")
        assert not path.exists() or path.read_bytes() in (content, changed)
    assert told > 50, "the others are in what fills up to a multiple of four bytes"


def test_a_file_that_is_damaged_while_it_is_open_is_noticed(files, tmp_path, capsys):
    scenes = cached(files, tmp_path / "c")
    os.utime(scenes._cache.path, ns=(0, 1))  # long ago, so that readings are trusted
    plain = scenes.read(0)
    with scenes._cache.path.open("r+b") as file:
        file.write(b"\xff" * 20)
    assert_same(scenes.read(0), plain)
    assert "is damaged, first in scene 0" in capsys.readouterr().err


def test_checksums_are_compared_at_the_first_and_at_every_128th_reading(files, tmp_path):
    cache = cached(files, tmp_path / "c")._cache
    assert all(cache._is_due(0) for _ in range(3)), "just written: it may change unseen"
    os.utime(cache.path, ns=(0, 1))
    assert [n for n in range(260) if cache._is_due(0)] == [0, 128, 256]
    assert pickle.loads(pickle.dumps(cache))._is_due(0), "a worker compares for itself"
