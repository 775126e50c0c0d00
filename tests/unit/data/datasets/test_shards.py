"""Shards give what folders give, in the same order, to any number of ranks and workers."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from i2ibench.data import loaders
from i2ibench.data.codings import LABEL_IDS, TRAIN_ID_NAMES
from i2ibench.data.datasets.paired_folder import PairedFolder
from i2ibench.data.datasets.shards import Shards, write_shards
from i2ibench.data.survey import survey
from i2ibench.errors import UserError
from i2ibench.testing.tiny_datasets import write_paired_scenes
from i2ibench.training.hooks.preemption import Preempted
from tests.conftest import write_tiny_config
from tests.damage import flipped
from tests.integration.runs import SHORT, AskedAt, assert_same_end, run

READER = """
import json, sys, webdataset
samples = webdataset.WebDataset(sys.argv[1:], shardshuffle=False).decode("rgb8")
photos = ((s["json"]["name"], s.get("image.jpg", s.get("image.png"))) for s in samples)
print(json.dumps([[name, int(photo.sum(dtype=int))] for name, photo in photos]))
"""

FLIP = [{"type": "RandomFlip"}]


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """Nine scenes as folders and as shards; one name has dots, one photo is a JPEG."""
    folder = tmp_path_factory.mktemp("sharded")
    root = write_paired_scenes(folder / "files", count=9)
    for path in root.rglob("s4.png"):
        path.rename(path.with_name("s4.b.c.png"))
    photo = root / "train/image/s7.png"
    Image.open(photo).save(photo.with_suffix(".jpg"))
    photo.unlink()
    paths = write_shards(PairedFolder(str(root)), folder / "shards", "train", 20000)
    assert len(paths) > 2
    return root, folder / "shards"


def both(roots, **options):
    files, shards = roots
    return PairedFolder(str(files), **options), Shards(str(shards), **options)


def assert_equal(one, two):
    assert one.keys() == two.keys()
    for kind in one:
        same = torch.equal if isinstance(one[kind], torch.Tensor) else list.__eq__
        assert one[kind] == two[kind] if kind == "name" else same(one[kind], two[kind]), kind


def test_samples_and_classes_are_the_folders(roots):
    files, shards = both(roots, transforms=FLIP)
    assert len(files) == len(shards) == 9
    for key in [*range(9), (3, 5), (4, 6)]:
        assert_equal(files[key], shards[key])
    assert files.metainfo == shards.metainfo
    assert [s.size for s in survey(shards.scenes)] == [(64, 32)] * 9
    assert not any(s.faults for s in survey(shards.scenes))


def loaded(dataset, monkeypatch, rank, ranks, workers, start=0):
    monkeypatch.setattr(loaders, "get_rank", lambda: rank)
    monkeypatch.setattr(loaders, "get_world_size", lambda: ranks)
    cfg = {"dataset": {}, "batch_size": 2, "num_workers": workers}
    loader = loaders.build_loader(dataset, cfg, training=True, seed=3)
    loader.sampler.set_epoch(1)
    loader.sampler.start_at(1, start)
    return list(loader)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on fewer cores
@pytest.mark.parametrize("ranks", [1, 2])
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_every_rank_and_worker_reads_its_share_in_the_folders_order(
    roots, monkeypatch, ranks, workers
):
    files, shards = both(roots, transforms=FLIP)
    seen = []
    for rank in range(ranks):
        one = loaded(files, monkeypatch, rank, ranks, 0)
        two = loaded(shards, monkeypatch, rank, ranks, workers)
        assert len(one) == len(two)
        for a, b in zip(one, two, strict=True):
            assert_equal(a, b)
        seen += [name for batch in two for name in batch["name"]]
        rest = loaded(shards, monkeypatch, rank, ranks, workers, start=2 * ranks)
        for a, b in zip(two[1:], rest, strict=True):
            assert_equal(a, b)
    assert len(seen) == len(set(seen)) == 8  # nine, less the incomplete batch of training


def test_the_webdataset_library_reads_the_shards(roots):
    pytest.importorskip("webdataset")
    files, shards = roots
    urls = [str(path) for path in sorted(shards.glob("train-*.tar"))]
    # In a process of its own: the library leaves its files open.
    answer = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READER, *urls],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    samples = map(PairedFolder(str(files)).__getitem__, range(9))
    expected = [[sample["name"], int(sample["image"].sum())] for sample in samples]
    assert json.loads(answer.stdout) == expected


def test_a_missing_or_short_shard_and_a_missing_index_are_named(roots, tmp_path):
    copy = shutil.copytree(roots[1], tmp_path / "copy")
    shard = copy / "train-000001.tar"
    shard.write_bytes(shard.read_bytes()[:1000])
    with pytest.raises(UserError, match="train-000001.tar has 1000 bytes"):
        Shards(str(copy))
    shard.unlink()
    with pytest.raises(UserError, match="train-000001.tar is missing"):
        Shards(str(copy))
    with pytest.raises(UserError, match="no whole shards of 'val'.*i2ibench shards"):
        Shards(str(copy), "val")
    with pytest.raises(UserError, match="has shards of 'train' already"):
        write_shards(PairedFolder(str(roots[0])), copy, "train", 20000)


def test_shards_are_the_same_each_time(roots, tmp_path):
    write_shards(PairedFolder(str(roots[0])), tmp_path, "train", 20000)
    for path in sorted(roots[1].iterdir()):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name
    assert json.loads((tmp_path / "train.index.json").read_text())["scenes"][0]["name"] == "s0"


def test_a_run_on_shards_that_stopped_within_an_epoch_ends_as_the_one_on_folders(tmp_path):
    root = write_paired_scenes(tmp_path / "files", count=6)
    for split in ("train", "val"):
        write_shards(PairedFolder(str(root), split), tmp_path / "shards", split, 20000)
    config = write_tiny_config(tmp_path / "tiny.py", root)
    run(config, tmp_path / "whole", **SHORT)
    options = {**SHORT, "data_root": str(tmp_path / "shards")}
    for loader in ("train_dataloader", "val_dataloader"):
        options[f"{loader}.dataset.type"] = "Shards"
    with pytest.raises(Preempted):
        run(config, tmp_path / "parts", AskedAt(4), **options)
    run(config, tmp_path / "parts", **options)
    assert_same_end(tmp_path / "whole", tmp_path / "parts")


def test_codings_survive_in_shards(tmp_path):
    """A name that says train ids, and ids that only count, mean the same when read from a tar."""
    classes = [{"name": n, "id": i} for n, i in zip(TRAIN_ID_NAMES, LABEL_IDS, strict=True)]
    classes[13]["thing"] = True
    label = np.zeros((8, 8), np.uint8)
    label[2:4, 2:4], label[5:7, 2:4] = 13, 13
    ids = np.full((8, 8), 7, np.uint16)
    ids[2:4, 2:4], ids[5:7, 2:4] = 26, 5
    root = tmp_path / "data"
    for kind, values in (("label", label), ("instance", ids), ("image", label)):
        (root / "train" / kind).mkdir(parents=True)
        Image.fromarray(values).save(root / "train" / kind / "x_labelTrainIds.png")
    data = PairedFolder(str(root), classes=classes)
    write_shards(data, tmp_path, "train", 10_000)
    again = Shards(str(tmp_path), "train")
    for kind in ("label", "instance", "image"):
        assert np.array_equal(data[0][kind], again[0][kind])
    assert data[0]["label"].unique().tolist() == [0, 13] and 26 not in again[0]["instance"]


HOSTILE = {
    "a name that climbs out": lambda index: index["scenes"][1].update(name="../../x"),
    "an absolute name": lambda index: index["scenes"][1].update(name="/tmp/x"),
    "a name of Windows": lambda index: index["scenes"][1].update(name="C:\\x"),
    "no name": lambda index: index["scenes"][1].update(name=""),
    "a number for a name": lambda index: index["scenes"][1].update(name=7),
    "a name twice": lambda index: index["scenes"][1].update(name=index["scenes"][0]["name"]),
    "another shard": lambda index: index["scenes"][1].update(shard="/etc/passwd"),
    "a shard elsewhere": lambda index: index["shards"].update({"../x.tar": 3}),
    "a member elsewhere": lambda index: index["scenes"][1]["files"]["label"].__setitem__(2, "../x"),
    "a kind that there is not": lambda index: index["scenes"][1]["files"].update(attributes="x"),
    "an offset below zero": lambda index: index["scenes"][1]["files"]["label"].__setitem__(0, -1),
    "no scenes": lambda index: index.update(scenes=[]),
    "scenes that are none": lambda index: index.update(scenes=[3]),
    "half a character": lambda index: index["classes"][0].update(name="\ud800"),
}


@pytest.mark.parametrize("fault", HOSTILE)
def test_an_index_that_leads_out_of_its_folder_is_refused(fault, roots, tmp_path):
    copy = shutil.copytree(roots[1], tmp_path / "copy")
    path = copy / "train.index.json"
    index = json.loads(path.read_text(encoding="utf-8"))
    HOSTILE[fault](index)
    path.write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(UserError, match=r"train\.index\.json|The classes"):
        Shards(str(copy))


def test_a_flipped_bit_in_a_shard_or_its_index_is_never_read(roots, tmp_path):
    plain = [Shards(str(roots[1]))[index] for index in range(9)]
    copy = shutil.copytree(roots[1], tmp_path / "copy")
    for path in sorted(copy.iterdir()):
        content, refused = path.read_bytes(), 0
        for changed in flipped(content, times=25):
            path.write_bytes(changed)
            refused += read_or_refuse(copy, plain)
        path.write_bytes(content)
        assert refused > (20 if path.suffix == ".json" else 3), "tars have headers and padding"


def read_or_refuse(root, plain):
    """Whether a scene was refused with the file's name; the others are as they were."""
    try:
        shards = Shards(str(root))
    except UserError as error:
        assert "train.index.json" in str(error)
        return True
    refused = False
    for index in range(9):
        try:
            assert_equal(shards[index], plain[index])
        except UserError as error:
            assert "is damaged: copy or write it anew" in str(error)
            refused = True
    return refused
