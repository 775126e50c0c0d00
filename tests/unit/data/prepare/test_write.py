"""Prepared data is complete or absent; an interrupted preparation resumes."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from i2ibench.cli.main import main
from i2ibench.data.classes import class_table
from i2ibench.data.datasets import PairedFolder
from i2ibench.data.prepare import write
from i2ibench.data.prepare.catalogue import prepare
from i2ibench.data.prepare.dataset_readers import (
    SourceData,
    SourceScene,
    number_instances,
    unique_of_runs,
)
from i2ibench.errors import UserError
from i2ibench.io import files
from i2ibench.testing.tiny_datasets import write_cityscapes
from tests.unit.data.prepare import publishers


def snapshot(root):
    return {p.relative_to(root): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


@pytest.fixture
def pairs(tmp_path):
    publishers.pairs(tmp_path / "source")
    return tmp_path / "source"


def break_off(monkeypatch, after, error):
    """Raise `error` at the image that follows `after` others."""
    written = []
    original = files.write_image

    def write_image(path, pixels, **options):
        if len(written) >= after:
            raise error
        written.append(path)
        original(path, pixels, **options)

    monkeypatch.setattr(write, "write_image", write_image)
    return written


def test_an_interrupted_preparation_leaves_no_data_set_and_goes_on(tmp_path, pairs, monkeypatch):
    prepare("pairs", pairs, tmp_path / "whole", {})
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        break_off(patched, 3, KeyboardInterrupt())
        prepare("pairs", pairs, tmp_path / "target", {})
    with pytest.raises(UserError, match="Give the same prepare_data command again"):
        PairedFolder(str(tmp_path / "target"))
    done = tmp_path / "target.partial/train/image/1_AB.png"
    first = done.stat().st_mtime_ns
    assert prepare("pairs", pairs, tmp_path / "target", {})
    assert not (tmp_path / "target.partial").exists()
    assert (tmp_path / "target/train/image/1_AB.png").stat().st_mtime_ns == first
    assert snapshot(tmp_path / "target") == snapshot(tmp_path / "whole")


def test_what_a_kill_or_a_power_failure_leaves_is_written_again(tmp_path, pairs, monkeypatch):
    prepare("pairs", pairs, tmp_path / "whole", {})
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        break_off(patched, 5, KeyboardInterrupt())
        prepare("pairs", pairs, tmp_path / "target", {})
    left = tmp_path / "target.partial/train"
    (left / "image/.2_AB.png.77.tmp").write_bytes(b"half")
    (left / "source/1_AB.png").write_bytes(b"")
    whole = (left / "image/2_AB.png").read_bytes()
    (left / "image/2_AB.png").write_bytes(whole[:-9])
    prepare("pairs", pairs, tmp_path / "target", {})
    assert snapshot(tmp_path / "target") == snapshot(tmp_path / "whole")


def test_two_processes_that_prepare_the_same_do_not_get_in_each_others_way(tmp_path, pairs):
    prepare("pairs", pairs, tmp_path / "whole", {})
    with ThreadPoolExecutor(3) as pool:
        again = [pool.submit(prepare, "pairs", pairs, tmp_path / "target", {}) for _ in range(3)]
        for call in again:
            call.result()
    assert snapshot(tmp_path / "target") == snapshot(tmp_path / "whole")
    assert not (tmp_path / "target.partial").exists()


def test_a_full_disk_says_so_and_that_the_command_goes_on(tmp_path, pairs, monkeypatch):
    with monkeypatch.context() as patched:
        break_off(patched, 1, OSError(errno.ENOSPC, "No space left on device"))
        with pytest.raises(UserError, match=r"is full\. Make room, then give the same command"):
            prepare("pairs", pairs, tmp_path / "target", {})
    assert not (tmp_path / "target").exists()
    assert prepare("pairs", pairs, tmp_path / "target", {})


def test_what_is_prepared_is_not_prepared_again_nor_overwritten(tmp_path, pairs):
    assert prepare("pairs", pairs, tmp_path / "target", {})
    before = snapshot(tmp_path / "target")
    assert not prepare("pairs", pairs, tmp_path / "target", {"direction": "AtoB"})
    with pytest.raises(UserError, match="Choose another folder"):
        prepare("pairs", pairs, tmp_path / "target", {"direction": "BtoA"})
    with pytest.raises(UserError, match="Choose another folder"):
        prepare("pairs", pairs, pairs, {})
    assert snapshot(tmp_path / "target") == before


def test_what_was_begun_with_other_options_is_not_gone_on_with(tmp_path, pairs, monkeypatch):
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        break_off(patched, 1, KeyboardInterrupt())
        prepare("pairs", pairs, tmp_path / "target", {})
    with pytest.raises(UserError, match="Delete it to start anew"):
        prepare("pairs", pairs, tmp_path / "target", {"direction": "BtoA"})


def test_photos_are_copied_where_there_are_no_hard_links(tmp_path, monkeypatch):
    _, jpeg = publishers.ade20k(tmp_path / "source")

    def refuse(self, target):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(write.Path, "hardlink_to", refuse)
    prepare("ade20k", tmp_path / "source", tmp_path / "target", {})
    photo = tmp_path / "target/val/image/ADE_val_00000001.jpg"
    assert photo.read_bytes() == jpeg and write.count_photos(tmp_path / "target") == (0, 2)


def test_broken_and_unfitting_files_are_named(tmp_path):
    publishers.ade20k(tmp_path / "source")
    photo = tmp_path / "source/ADEChallengeData2016/images/training/ADE_train_00000001.jpg"
    whole = photo.read_bytes()
    photo.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"ADE_train_00000001\.jpg is broken"):
        prepare("ade20k", tmp_path / "source", tmp_path / "target", {})
    publishers.photo(photo, width=10)
    with pytest.raises(UserError, match=r"'ADE_train_00000001' differ in size: .*image 10x8"):
        prepare("ade20k", tmp_path / "source", tmp_path / "target", {})


def test_a_label_that_is_no_class_is_named(tmp_path):
    publishers.ade20k(tmp_path / "source")
    label = tmp_path / "source/ADEChallengeData2016/annotations/training/ADE_train_00000001.png"
    publishers.png(label, np.full((8, 12), 151, np.uint8))
    with pytest.raises(UserError, match="has the value 151"):
        prepare("ade20k", tmp_path / "source", tmp_path / "target", {})


def test_scenes_of_one_name_are_refused(tmp_path):
    scene = SourceScene("a", lambda: {"image": np.zeros((2, 2, 3), np.uint8)})
    with pytest.raises(UserError, match="share names"):
        write.write_data(SourceData({"train": [scene, scene]}), tmp_path / "target", {})


def test_objects_are_numbered_from_256_by_class_and_own_number():
    label = np.array([[3, 3, 3, 7, 7, 9]], np.uint8)
    objects = np.array([[5, 5, 8, 5, 0, 5]])
    things = np.zeros(256, bool)
    things[[3, 7]] = True
    instance = number_instances(label, objects, things)
    assert instance.tolist() == [[256, 256, 257, 258, 7, 9]] and instance.dtype == np.uint16


@pytest.mark.parametrize("values", [[], [5], [7, 7, 3, 3, 7, 9, 9]])
def test_distinct_values_are_those_of_numpy(values):
    values = np.array(values, np.int64)
    unique, inverse = unique_of_runs(values)
    expected_unique, expected_inverse = np.unique(values, return_inverse=True)
    assert np.array_equal(unique, expected_unique)
    assert np.array_equal(inverse, expected_inverse)


def test_more_objects_than_16_bits_number_are_refused():
    objects = np.arange(1, 2**16 + 1).reshape(256, 256)
    with pytest.raises(UserError, match="65536 objects"):
        number_instances(np.zeros_like(objects, np.uint8), objects, np.ones(256, bool))


def test_instance_maps_are_16_bit_pngs_and_classes_json_has_every_field(tmp_path):
    table = class_table([{"name": "a", "id": 200, "thing": True}, {"name": "b", "scored": False}])
    pixels = {
        "label": np.full((4, 6), 200, np.uint8),
        "instance": np.full((4, 6), 40000, np.uint16),
        "image": np.zeros((4, 6, 3), np.uint8),
    }
    scenes = {"train": [SourceScene("a", lambda: pixels)]}
    write.write_data(SourceData(scenes, table), tmp_path / "target", {})
    dataset = PairedFolder(str(tmp_path / "target"))
    assert dataset[0]["instance"].unique().tolist() == [40000]
    assert dataset.scenes.classes == table


def run(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main("prepare_data", [str(a) for a in arguments])
        raise SystemExit(0)
    return stopped.value.code


def test_the_command_prepares_and_says_how_to_train(tmp_path, pairs, capsys):
    target = tmp_path / "target"
    assert run("pairs", pairs, target, "--options", "direction=BtoA") == 0
    out = capsys.readouterr().out
    assert f"ready: {target}" in out and f"data_root={target}" in out
    assert "photos: 0 hard links" in out and "3 files of their own" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nyuv2"], "nyu_depth_v2_labeled.mat (2.8 GB)"),
        (["cityscapes"], "gtFine_trainvaltest.zip (241 MB)"),
        (["nyu2", "a", "b"], "Did you mean 'nyuv2'"),
        (["hellen"], "Did you mean 'helen'"),
        (["pairs", "nowhere", "b"], "nowhere is no folder"),
        (["pairs", "a", "b", "--cfg-options", "x=1"], "--options"),
    ],
)
def test_the_command_says_what_is_wrong_with_its_arguments(arguments, message, capsys):
    assert run(*arguments) == 2
    assert message in capsys.readouterr().err


def test_the_command_draws_a_configs_toystreet(tmp_path, capsys):
    small = ("num_scenes=1", "width=64", "height=32")
    options = [f"{s}_dataloader.dataset.{value}" for s in ("train", "val") for value in small]
    config = Path(__file__).parents[4] / "configs/pix2pixhd_toystreet.py"
    assert run(config, "--cfg-options", f"data_root={tmp_path}", *options) == 0
    assert f"ready: {tmp_path / 'leftImg8bit/train'}" in capsys.readouterr().out
    assert len(list((tmp_path / "gtFine").rglob("*_labelIds.png"))) == 2


def test_cityscapes_is_checked_and_linked(tmp_path, capsys):
    source, target = write_cityscapes(tmp_path / "cs"), tmp_path / "data"
    for folder in ("gtFine", "leftImg8bit"):
        (source / folder / "train").rename(source / folder / "val")
    assert run("cityscapes", source, target) == 2
    assert "leftImg8bit_trainvaltest.zip" in capsys.readouterr().err and not target.exists()
    write_cityscapes(source)
    for _ in range(2):
        assert run("cityscapes", source, target) == 0
        assert "2 train, 2 val scenes" in capsys.readouterr().out
    assert (target / "gtFine").resolve() == (source / "gtFine").resolve()
