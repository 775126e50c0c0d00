"""What validate finds in a data set, and the fixes that it names."""

import shutil
from collections import Counter

import numpy as np
import pytest

from i2ibench.data.classes import class_table
from i2ibench.data.datasets.paired_folder import PairedFolder
from i2ibench.data.problems import find_problems, shared_scenes
from i2ibench.data.survey import count_classes, regions_of, survey
from i2ibench.reports.data_page import class_rows, render_data, summary_rows, table
from i2ibench.testing.tiny_datasets import save


def open_split(root, split="train"):
    return PairedFolder(str(root), split).scenes


def found(root, split="train"):
    scenes = open_split(root, split)
    return {p.kind: p for p in find_problems(split, survey(scenes), scenes.classes)}


def shuffle_of_ids(kind):
    rng = np.random.default_rng(0)
    blocks = rng.integers(0, 6, (5, 7)).repeat(4, 0).repeat(3, 1)
    return blocks, (blocks * 11000 // 2 + rng.integers(0, 2, blocks.shape)).astype(kind)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32])
def test_regions_are_the_pairs_counted_one_by_one(kind):
    label, ids = shuffle_of_ids(kind)
    counted = Counter(zip(ids.ravel().tolist(), label.ravel().tolist(), strict=True))
    expected = [[i, c, n] for (i, c), n in sorted(counted.items())]
    assert regions_of(label.astype(np.uint8), ids).tolist() == expected


def test_a_sound_data_set_has_no_problem(paired_root):
    assert set(found(paired_root)) == set()
    facts = {split: survey(open_split(paired_root, split)) for split in ("train", "val")}
    assert shared_scenes(facts) == []


def test_use_of_classes_is_summed_over_the_scenes(paired_root):
    facts = survey(open_split(paired_root))
    use = count_classes(facts, 4)
    assert use.pixels.sum() == 6 * 32 * 64 and use.pixels[2] == 6 * 8 * 16
    assert use.scenes.tolist() == use.instances.tolist() == [6, 6, 6, 6]
    assert facts[0].bits == 16 and facts[0].size == (64, 32)


def test_files_that_cannot_be_used_are_fatal_with_a_command(paired_root):
    (paired_root / "train/image/s0.png").write_bytes(b"no image")
    save(paired_root / "train/label/s1.png", np.full((32, 64), 9, np.uint8))
    save(paired_root / "train/instance/s2.png", np.zeros((8, 8), np.uint16))
    scenes = open_split(paired_root)
    fatal = [p for p in find_problems("train", survey(scenes), scenes.classes) if p.fatal]
    assert [p.kind for p in fatal] == ["unreadable", "unreadable", "sizes differ"]
    assert all(f"s{n}.png" in p.message + p.fix for n, p in enumerate(fatal))
    assert f"rm -- {paired_root}/train/label/s0.png" in fatal[0].fix
    assert '{"name": "class 9", "id": 9, "scored": false}' in fatal[1].fix


def test_the_fix_follows_from_what_is_wrong_and_not_from_how_files_are_called(paired_root):
    """A broken photo is no colour image and no JPEG, whatever its folder is called."""
    root = paired_root.rename(paired_root.with_name("JPEG has the value colour image 256 ids"))
    (root / "train/image/s0.png").write_bytes(b"no image")
    save(root / "train/label/s1.png", np.full((32, 64, 3), (0, 0, 1), np.uint8))
    save(root / "train/instance/s2.png", np.arange(32 * 64, dtype=np.uint8).reshape(32, 64))
    save(root / "train/label/s3.png", np.full((32, 64), 9, np.uint8))
    scenes = open_split(root)
    fatal = [p for p in find_problems("train", survey(scenes), scenes.classes) if p.fatal]
    beginnings = ("Copy or download", "Save one channel", "Save the map anew", 'Add {"name": ')
    assert len(fatal) == 4
    assert all(p.fix.startswith(b) for p, b in zip(fatal, beginnings, strict=True))


def test_instances_that_straddle_classes_are_named(paired_root):
    ids = np.zeros((32, 64), np.uint16)
    for number in range(6):
        save(paired_root / f"train/instance/s{number}.png", ids)
    problem = found(paired_root)["instance straddles classes"]
    assert "id 0" in problem.message and "6 scenes" in problem.message and "road" in problem.message
    assert "instance = np.where(instance == 0, label, " in problem.fix


def test_instance_maps_without_instances_are_noticed(paired_root):
    for path in (paired_root / "train/label").iterdir():
        shutil.copy(path, paired_root / "train/instance" / path.name)
    assert "boundaries=False" in found(paired_root)["no instances"].fix


def test_classes_sizes_and_duplicates(paired_root):
    shutil.copy(paired_root / "train/image/s0.png", paired_root / "train/image/s3.png")
    for kind, pixels in (("label", np.zeros((16, 16), np.uint8)),
                         ("instance", np.eye(16, dtype=np.uint16)),
                         ("image", np.zeros((16, 16, 3), np.uint8))):  # fmt: skip
        save(paired_root / "train" / kind / "s5.png", pixels)
    problems = found(paired_root)
    assert "Resize', width=64, height=32" in problems["several sizes"].fix
    assert "s3.png" in problems["duplicates"].fix and "s0.png" not in problems["duplicates"].fix
    assert "classes never seen" not in problems
    for number in range(6):
        save(paired_root / f"train/label/s{number}.png", np.zeros((32, 64), np.uint8))
    assert "road, car" in found(paired_root)["classes never seen"].message


def test_images_of_both_splits_are_found_by_content(paired_root):
    shutil.copy(paired_root / "train/image/s0.png", paired_root / "val/image/s4.png")
    facts = {split: survey(open_split(paired_root, split)) for split in ("train", "val")}
    (problem,) = shared_scenes(facts)
    assert "s0 = s4" in problem.message and f"{paired_root}/train/image/s0.png" in problem.fix


def test_the_tables_and_the_page_hold_the_figures(paired_root):
    scenes = open_split(paired_root)
    facts = {"train": survey(scenes)}
    head, row = summary_rows(facts)
    assert dict(zip(head, row, strict=True))["instances per scene"] == "4..4, mean 4.0"
    rows = class_rows(facts, scenes.classes)
    assert rows[3] == ("2", "car", "6.250", "6", "6")
    assert len(table(rows).splitlines()) == 5 and class_rows(facts, class_table([])) == []
    page = render_data("mine", facts, scenes.classes, list(found(paired_root).values()))
    assert page.count("data:image/jpeg") == 3 * 3 and "6.25 %" in page and "None." in page
