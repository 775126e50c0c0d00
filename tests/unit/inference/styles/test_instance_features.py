"""Features of instances, against loops."""

import numpy as np
import pytest
import torch

from i2ibench.data.datasets.toystreet import drawn_streets
from i2ibench.inference.styles.instance_features import (
    collect_features,
    evenly_spread,
    features_of_instances,
    group_by_class,
    read_batches,
)
from i2ibench.models.ops.instance_regions import instances_of, paint
from i2ibench.models.ops.labels import instance_average
from i2ibench.models.styles.bank import StyleBank


def slow_rows(features, label, instance):
    """Return rows of (image, id, class, features) by a loop over images and ids."""
    rows = []
    for b in range(len(features)):
        for number in np.unique(instance[b].numpy()):
            inside = (instance[b, 0] == int(number)).nonzero()[0]
            y, x = inside.tolist()
            rows.append([b, number, label[b, 0, y, x].item(), *features[b, :, y, x].tolist()])
    return rows


def test_rows_are_those_of_a_loop_over_images_and_ids():
    instance = torch.randint(0, 40, (3, 1, 12, 10), dtype=torch.int32) + 33000
    label = (instance % 7).byte()
    features = instance_average(torch.rand(3, 3, 12, 10), instance)
    found = features_of_instances(features, label, instance)
    table = np.column_stack([found.images, found.ids, found.labels, found.features])
    np.testing.assert_array_equal(table, np.array(slow_rows(features, label, instance)))


def test_rows_come_by_class_in_their_order():
    label = torch.tensor([[[[0, 0, 1], [1, 1, 1]]]])
    instance = torch.tensor([[[[0, 0, 7], [7, 8, 8]]]])
    features = torch.tensor([[[[1.0, 1, 2], [2, 3, 3]]]])
    rows = features_of_instances(features, label, instance)
    found = group_by_class([rows, rows])
    assert {k: v[:, 0].tolist() for k, v in found.items()} == {0: [1, 1], 1: [2, 3, 2, 3]}
    assert group_by_class([]) == {}


def test_small_instances_can_be_left_out():
    """Check the limit of the released code: instances above 1/64 of the image are kept."""
    instance = torch.zeros(1, 1, 8, 16, dtype=torch.int64)
    instance[0, 0, 0, :2], instance[0, 0, 1, :3] = 1, 2  # 2 and 3 of 128 pixels; 1/64 is 2
    features = instance.float() / 10
    rows = features_of_instances(features, torch.zeros_like(instance), instance, min_area=1 / 64)
    assert rows.features.tolist() == [[0.0], [pytest.approx(0.2)]]


def test_scenes_are_evenly_spread_and_no_more_than_asked_for():
    assert list(evenly_spread(7, 0)) == list(range(7))
    assert list(evenly_spread(7, 3)) == [0, 3, 6]
    assert all(len(evenly_spread(n, k)) <= k for n in range(1, 30) for k in range(1, 30))


class MeanColour:
    """An encoder whose features are the mean colour of each instance."""

    def encode(self, batch):
        return instance_average(batch["real"], batch["instance"])


def test_the_modes_of_planted_colours_are_found_on_toystreet(tmp_path):
    """Paint every instance in one of three colours of its class, which must become the modes."""
    dataset = drawn_streets(tmp_path, num_scenes=8, width=128, height=64)
    rng = np.random.default_rng(0)
    planted = rng.uniform(-1, 1, (35, 3, 3)).astype(np.float32)
    batches, used = [], set()
    for data in read_batches(dataset, range(8), batch_size=4):
        real = torch.zeros(4, 3, 64, 128)
        for b in range(4):
            found = instances_of(data["label"][b], data["instance"][b])
            colours = rng.integers(0, 3, len(found.ids))
            used |= set(zip(found.labels.tolist(), colours.tolist(), strict=True))
            real[b] = paint(torch.from_numpy(planted[found.labels, colours]), found.members)
        batches.append({**data, "real": real})
    rows = collect_features(MeanColour(), batches)
    bank = StyleBank(35, 3, num_styles=3)
    bank.fit(rows)
    assert sum(bank.instances) == sum(len(x) for x in rows.values()) > 50
    for label in rows:
        expected = planted[label, [k for c, k in sorted(used) if c == label]]
        modes = bank.centres[label, : int(bank.counts[label])].numpy()
        distances = np.abs(modes[:, None] - expected[None]).max(2)
        assert distances.min(1).max() < 1e-3  # sums are in float32
        assert set(distances.argmin(1)) == set(range(len(expected)))
        assert bank.explained[label] == pytest.approx(1, abs=1e-4)
