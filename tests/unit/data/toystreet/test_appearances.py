"""The true appearance of instances in ToyStreet, as scores read it."""

import pytest

from i2ibench.data.datasets.toystreet import drawn_streets
from i2ibench.data.toystreet.palette import CAR_COLOURS, ROAD_COLOURS, WALL_COLOURS
from i2ibench.errors import UserError
from i2ibench.models.ops.instance_regions import instances_of

NAMED = {"car": CAR_COLOURS, "road": ROAD_COLOURS, "building": WALL_COLOURS}


@pytest.fixture
def toys(tmp_path):
    return drawn_streets(tmp_path / "toys", "val", num_scenes=3, width=64, height=32)


def test_every_car_road_and_house_in_the_maps_has_its_look(toys):
    assert toys.records_appearances
    kinds = set()
    for index in range(len(toys)):
        sample, looks = toys[index], toys.appearances(index)
        found = instances_of(sample["label"], sample["instance"])
        for number, label in zip(found.ids.tolist(), found.labels.tolist(), strict=True):
            kind = toys.metainfo["classes"][label]
            if kind in NAMED:
                assert NAMED[kind][looks[number].name] == looks[number].rgb
                kinds.add(kind)
    assert kinds == set(NAMED)


def test_a_damaged_file_is_named_with_the_way_out(toys):
    path = toys.scenes.files[1].attributes
    for text in ("{", "[]", "{}"):
        path.write_text(text)
        with pytest.raises(UserError, match=f"{path.name} cannot be read .* drawn anew"):
            toys.appearances(1)
    path.unlink()
    with pytest.raises(UserError, match="drawn anew"):
        toys.appearances(1)
    assert toys.appearances(0)
