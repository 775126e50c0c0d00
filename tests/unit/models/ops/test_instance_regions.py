"""Instances of a scene, and painting them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from i2ibench.data.image_reading import read_map
from i2ibench.models.ops.instance_regions import instances_of, paint, read_runs


def slow_instances(label, instance):
    """Return the instances by a loop over ids."""
    ids = sorted(set(instance.flatten().tolist()))
    labels = []
    for number in ids:
        inside = label[instance == number].tolist()
        labels.append(min(set(inside), key=lambda c: (-inside.count(c), c)))
    return ids, labels


@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_instances_are_those_of_a_loop_over_ids(seed, num_ids, num_classes):
    rng = np.random.default_rng(seed)
    names = rng.integers(-(2**31), 2**31, num_ids)
    label = torch.from_numpy(rng.integers(0, num_classes, (1, 5, 6)).astype(np.uint8))
    instance = torch.from_numpy(names[rng.integers(0, num_ids, (1, 5, 6))].astype(np.int32))
    found = instances_of(label, instance)
    ids, labels = slow_instances(label, instance)
    assert found.ids.tolist() == ids and found.labels.tolist() == labels
    assert torch.equal(found.ids[found.members], instance[0].long())
    assert found.sizes.tolist() == [(instance == i).sum().item() for i in ids]


def test_a_batch_is_its_images():
    label = torch.randint(0, 4, (3, 1, 9, 7), dtype=torch.uint8)
    instance = torch.randint(0, 5, (3, 1, 9, 7), dtype=torch.int32)
    instance[1, 0, 0] = instance[0, 0, -1, -1]  # one id goes on from image to image
    table, _, _ = read_runs(label, instance)
    for b in range(3):
        alone, inside = instances_of(label[b], instance[b]), table.images == b
        for name in ("ids", "labels", "sizes"):
            assert torch.equal(getattr(table, name)[inside], getattr(alone, name))
        first = [(alone.members == i).flatten().nonzero()[0].item() for i in range(inside.sum())]
        assert (table.pixels[inside] - b * 63).tolist() == first


def test_the_class_is_the_one_of_most_pixels_whatever_the_id_says():
    label = torch.tensor([[[2, 1, 1, 0], [3, 3, 0, 0]]])
    instance = torch.tensor([[[26001, 26001, 26001, 5], [7, 7, 5, 7]]])
    found = instances_of(label, instance)
    assert dict(zip(found.ids.tolist(), found.labels.tolist(), strict=True)) == {
        5: 0, 7: 3, 26001: 1
    }  # fmt: skip


def test_of_two_classes_with_equally_many_pixels_the_smaller_one_counts():
    assert instances_of(torch.tensor([[[3, 1, 1, 3]]]), torch.zeros(1, 1, 4)).labels == 1


@pytest.mark.parametrize(
    ("kind", "ids"),
    [
        (np.uint8, [0, 1, 254, 255]),
        (np.uint16, [0, 255, 256, 33001, 65534, 65535]),
        (np.int32, [-(2**31), -1, 0, 2**24, 2**24 + 1, 2**31 - 1]),
    ],
)
def test_ids_of_any_map_are_exact(tmp_path, kind, ids):
    pixels = np.resize(np.array(ids, kind), (4, 6))
    if kind is not np.int32:
        Image.fromarray(pixels).save(tmp_path / "instance.png")
        pixels = read_map(tmp_path / "instance.png")
    instance = torch.from_numpy(pixels.astype(np.int32))[None]
    assert instances_of(torch.zeros_like(instance), instance).ids.tolist() == ids


def test_painting_gives_every_pixel_its_instances_vector():
    vectors = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    painted = paint(vectors, torch.tensor([[0, 1, 1]]))
    assert painted.tolist() == [[[1.0, 3.0, 3.0]], [[2.0, 4.0, 4.0]]]
