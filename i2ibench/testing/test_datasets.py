"""A data set promises samples in compact integers, and to say what its classes are."""

import contextlib
import json

import pytest
import torch

from i2ibench.data.loaders import check_class, check_scenes
from i2ibench.registry import DATASETS


@pytest.mark.contract("dataset")
def test_a_data_set_yields_compact_integers_of_one_size(name, contract_part):
    built = contract_part("dataset", name)
    assert len(built) > 0, f"{name} must have a scene to be tested; see contract_options"
    sample = built[0]
    assert isinstance(sample.get("name"), str), f"a sample must have a name; {name}'s has none"
    first = next((sample[k] for k in ("label", "source") if k in sample), None)
    assert first is not None, f"a sample must have a label map or a source image; {name}'s has"
    size = tuple(first.shape[-2:])
    kinds = {
        "label": (torch.uint8, (1, *size)),
        "instance": (torch.int32, (1, *size)),
        "source": (torch.uint8, (3, *size)),
        "image": (torch.uint8, (3, *size)),
    }
    for kind, (dtype, shape) in kinds.items():
        if kind in sample:
            found = sample[kind].dtype, tuple(sample[kind].shape)
            assert found == (dtype, shape), (
                f"a sample's {kind} must be {dtype} of the shape {shape}; {name} gave {found}"
            )
    with pytest.raises(IndexError):
        built[len(built)]


@pytest.mark.contract("dataset")
def test_a_data_set_is_constructed_without_writing(name, contract_part, tmp_path):
    options = contract_part.options("dataset", name)
    if "root" not in options:
        pytest.skip("it has no folder of its own")
    with contextlib.suppress(Exception):  # most refuse a folder without their data
        DATASETS.build({"type": name, **options, "root": str(tmp_path)})
    assert not list(tmp_path.iterdir()), (
        f"a constructor must only look for files, because checkpoints name data sets; {name}'s "
        "writes. Write in `prepare` instead (i2ibench.registry.contracts.Dataset)"
    )


@pytest.mark.contract("dataset")
def test_a_data_set_has_scenes_and_takes_a_seed(name, contract_part):
    check_class(DATASETS.find(name))
    built = contract_part("dataset", name)
    check_scenes(built)
    assert len(built.scenes.files) == len(built), (
        f"scenes.files must have one entry for each scene; {name} has {len(built.scenes.files)} "
        f"for {len(built)}"
    )
    names = [files.name for files in built.scenes.files]
    assert len(set(names)) == len(names), f"scenes must have different names; {name}'s have not"
    assert built[0]["name"] == names[0], f"dataset[0] must be the first of scenes.files in {name}"


@pytest.mark.contract("dataset")
def test_a_data_sets_labels_are_rows_of_its_classes(name, contract_part):
    built = contract_part("dataset", name)
    if "label" in built[0]:
        highest, count = int(built[0]["label"].max()), len(built.metainfo["classes"])
        assert highest < count, (
            f"label maps must hold rows of metainfo['classes'] (0..{count - 1}); {name} gave "
            f"{highest}"
        )


@pytest.mark.contract("dataset")
def test_a_data_set_gives_the_same_from_a_cache(name, contract_part, tmp_path):
    built = contract_part("dataset", name)
    check_scenes(built)
    before = built[0]
    built.scenes.cache_folder = tmp_path / "cache"
    built.scenes.open_cache()
    after = built[0]
    assert before.keys() == after.keys() and before.pop("name") == after.pop("name")
    for kind, tensor in before.items():
        assert torch.equal(tensor, after[kind]), f"{name}'s {kind} differs when cached"
    assert len(list((tmp_path / "cache").glob("*.scenes"))) == 1


@pytest.mark.contract("dataset")
def test_a_data_set_tells_its_classes_in_plain_json(name, contract_part):
    metainfo = contract_part("dataset", name).metainfo
    try:
        info = json.loads(json.dumps(metainfo))
    except TypeError as error:
        raise AssertionError(
            f"metainfo must be plain JSON, as checkpoints carry it; {name}'s is not: {error}"
        ) from None
    needed = {"classes", "palette", "ids", "scored_ids", "scored_classes"}
    assert needed <= info.keys(), f"{name}.metainfo lacks {sorted(needed - info.keys())}"
    count = len(info["classes"])
    for table in ("palette", "ids", "scored_ids"):
        assert len(info[table]) == count, (
            f"metainfo[{table!r}] must have one entry per class ({count}); {name} has "
            f"{len(info[table])}"
        )
    rows = [row for row in info["scored_ids"] if row != 255]
    assert sorted(rows) == list(range(len(info["scored_classes"]))), (
        f"scored_ids must number the scored classes 0, 1, ... and be 255 elsewhere; {name}: {rows}"
    )


@pytest.mark.contract("dataset")
def test_a_data_set_knows_before_what_its_files_say(name, contract_part):
    built = contract_part("dataset", name)
    known = built.static_info(contract_part.options("dataset", name))
    if known is None:
        pytest.skip("it knows nothing before")
    table, size = known
    assert table.metainfo(name)["classes"] == built.metainfo["classes"], (
        f"static_info must give the classes of metainfo; {name}'s differ"
    )
    assert all(isinstance(side, int) and side > 0 for side in size), (
        f"static_info must give (width, height) in pixels; {name} gave {size}"
    )


@pytest.mark.contract("dataset")
def test_a_data_set_that_records_appearances_gives_them(name, contract_part):
    built = contract_part("dataset", name)
    if not built.records_appearances:
        pytest.skip("it records none")
    looks, ids = built.appearances(0), set(built[0]["instance"].unique().tolist())
    assert looks and looks.keys() <= ids, (
        f"appearances must be of instances that the map holds; {name} gave {sorted(looks)} for "
        f"{sorted(ids)}"
    )
