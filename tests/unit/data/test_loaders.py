"""Loaders: what their workers read ahead, and that it changes nothing."""

from pathlib import Path
from typing import ClassVar

import pytest
import torch

from i2ibench.data.classes import class_table
from i2ibench.data.datasets import PairedFolder
from i2ibench.data.loaders import build_dataset, build_loader, check_loader, prepare_dataset
from i2ibench.data.scenes import SceneFiles, Scenes
from i2ibench.errors import UserError
from i2ibench.registry import DATASETS
from i2ibench.registry.contracts import Dataset


def options(**changes):
    return {"dataset": {"type": "PairedFolder"}, "batch_size": 2, **changes}


def test_reading_ahead_changes_no_batch(paired_root):
    configs = (options(), options(num_workers=2, prefetch=3))
    own, ahead = (
        build_loader(build_dataset(c, str(paired_root)), c, training=True) for c in configs
    )
    assert (own.prefetch_factor, ahead.prefetch_factor) == (None, 3)
    for one, two in zip(own, ahead, strict=True):
        assert one["name"] == two["name"] and torch.equal(one["image"], two["image"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prefetch": 0, "num_workers": 1}, "prefetch is an integer from 1 on, not 0"),
        ({"prefetch": 2}, "each worker reads ahead: num_workers=0"),
    ],
)
def test_what_cannot_be_read_ahead_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        check_loader(options(**changes))


@pytest.fixture
def unfit(request):
    """A registered class that is no data set, under the name Unfit."""
    DATASETS.register_module(name="Unfit", module=request.param)
    yield "Unfit"
    DATASETS.module_dict.pop("Unfit")


class WithoutSeed:
    def __init__(self, root: str = "") -> None:
        self.root = root


class WithoutBase:
    metainfo: ClassVar[dict] = {}

    def __init__(self, seed: int = 0) -> None:
        self.scenes = Scenes([SceneFiles("a")], class_table([]))


class WithoutScenes(Dataset):
    metainfo: ClassVar[dict] = {}

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed


class WithOtherScenes(WithoutScenes):
    scenes: ClassVar = ["a"]


class WithoutMetainfo(Dataset):
    metainfo: ClassVar = None

    def __init__(self, seed: int = 0) -> None:
        self.scenes = Scenes([SceneFiles("a")], class_table([]))


@pytest.mark.parametrize(
    ("unfit", "missing"),
    [
        (WithoutSeed, "does not take 'seed'.*A data set takes the option seed"),
        (
            WithoutBase,
            "is no Dataset: let its class inherit from i2ibench.registry.contracts.Dataset",
        ),
        (
            WithoutScenes,
            r"does not set scenes \(Scenes\): .*Set self.scenes in its constructor",
        ),
        (WithOtherScenes, "has no 'scenes', a Scenes.*A data set takes the option seed"),
        (
            WithoutMetainfo,
            "metainfo = None, which is no dict.*: the class table in plain JSON",
        ),
    ],
    indirect=["unfit"],
)
def test_a_class_that_is_no_data_set_is_refused_with_what_it_lacks(unfit, missing):
    with pytest.raises(UserError, match=missing):
        build_dataset({"dataset": {"type": unfit}}, None)


@pytest.fixture
def registered():
    """Registers data sets for a test."""
    yield DATASETS.register_module
    for name in ("Made", "Foreign", "Failing"):
        DATASETS.module_dict.pop(name, None)


def test_a_data_set_that_makes_its_files_is_prepared_with_the_configs_root(registered, tmp_path):
    calls = []

    @registered()
    class Made(Dataset):
        def __init__(self, root, size=3, seed=0):
            raise AssertionError("preparing constructs nothing")

        @classmethod
        def prepare(cls, options):
            calls.append(dict(options))
            return Path(options["root"])

    cfg = {"dataset": {"type": "Made", "size": 4}}
    assert prepare_dataset(cfg, str(tmp_path)) == tmp_path
    assert calls == [{"size": 4, "root": str(tmp_path)}]
    with pytest.raises(UserError, match="Made has no option 'sise'"):
        prepare_dataset({"dataset": {"type": "Made", "sise": 4}}, str(tmp_path))


def test_a_data_set_of_another_base_has_nothing_to_prepare(registered, tmp_path):
    @registered()
    class Foreign:
        def __init__(self, root, seed=0):
            self.root = root

    assert prepare_dataset({"dataset": {"type": "Foreign"}}, str(tmp_path)) is None


def test_published_data_has_nothing_to_prepare(paired_root):
    assert prepare_dataset({"dataset": {"type": "PairedFolder"}}, str(paired_root)) is None
    assert prepare_dataset({"dataset": {"type": PairedFolder}}, str(paired_root)) is None


def test_options_that_cannot_be_prepared_are_named(tmp_path):
    with pytest.raises(UserError, match="ToyStreet refuses its options"):
        prepare_dataset({"dataset": {"type": "ToyStreet", "num_scenes": "x"}}, str(tmp_path))
    assert not list(tmp_path.iterdir())
