"""Label and instance operations against per-pixel loops, and their laws."""

import pytest
import torch

from i2ibench.models.ops.labels import (
    _ranks,
    instance_average,
    instance_boundaries,
    one_hot,
    one_hot_into,
)


def random_instances(batch: int = 2, height: int = 9, width: int = 12) -> torch.Tensor:
    blocks = torch.randint(0, 40000, (batch, 1, height // 3, width // 3), dtype=torch.int32)
    return blocks.repeat_interleave(3, 2).repeat_interleave(3, 3)


def boundaries_by_loop(instance: torch.Tensor) -> torch.Tensor:
    result = torch.zeros(instance.shape)
    batch, _, height, width = instance.shape
    for b in range(batch):
        for y in range(height):
            for x in range(width):
                for ny, nx in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                    inside = 0 <= ny < height and 0 <= nx < width
                    if inside and instance[b, 0, ny, nx] != instance[b, 0, y, x]:
                        result[b, 0, y, x] = 1
    return result


def average_by_loop(features: torch.Tensor, instance: torch.Tensor) -> torch.Tensor:
    result = features.clone()
    for b in range(len(features)):
        for i in instance[b].unique():
            inside = instance[b, 0] == i
            for c in range(features.shape[1]):
                result[b, c][inside] = features[b, c][inside].mean()
    return result


def test_one_hot_has_a_one_exactly_at_the_label():
    label = torch.randint(0, 5, (2, 1, 4, 6), dtype=torch.uint8)
    planes = one_hot(label, 5)
    assert planes.shape == (2, 5, 4, 6)
    assert torch.equal(planes.argmax(1, keepdim=True), label.long())
    assert torch.equal(planes.sum(1), torch.ones(2, 4, 6))


def test_one_hot_refuses_a_label_out_of_range():
    with pytest.raises((IndexError, RuntimeError)):
        one_hot(torch.full((1, 1, 2, 2), 5), 5)


def test_boundaries_equal_the_loop_over_pixels():
    instance = random_instances()
    assert torch.equal(instance_boundaries(instance), boundaries_by_loop(instance))


def test_renumbering_instances_keeps_the_boundaries():
    instance = random_instances()
    _, renumbered = instance.unique(return_inverse=True)
    assert torch.equal(instance_boundaries(instance), instance_boundaries(renumbered))


def test_one_hot_planes_are_written_where_they_stay():
    label, planes = torch.randint(0, 5, (2, 1, 9, 12), dtype=torch.uint8), torch.zeros(2, 7, 9, 12)
    one_hot_into(planes[:, :5], label)
    assert torch.equal(planes[:, :5], one_hot(label, 5)) and not planes[:, 5:].any()


def test_a_label_out_of_range_does_not_become_a_boundary():
    label = torch.full((1, 1, 2, 2), 5)
    with pytest.raises((IndexError, RuntimeError)):
        one_hot_into(torch.zeros(1, 6, 2, 2)[:, :5], label)


def test_average_equals_the_loop_over_instances():
    instance, features = random_instances(), torch.randn(2, 3, 9, 12)
    expected = average_by_loop(features, instance)
    torch.testing.assert_close(instance_average(features, instance), expected)


def test_average_of_one_image_does_not_depend_on_its_batch():
    instance, features = random_instances(), torch.randn(2, 3, 9, 12)
    instance[1] = instance[0]  # the same ids in both
    alone = instance_average(features[:1], instance[:1])
    torch.testing.assert_close(instance_average(features, instance)[:1], alone)


def test_average_keeps_far_apart_ids_apart():
    instance = torch.tensor([[[[2**31 - 1, -(2**31)], [0, 2**31 - 2]]]], dtype=torch.int32)
    features = torch.arange(4.0).reshape(1, 1, 2, 2)
    assert torch.equal(instance_average(features, instance), features)


def test_ranks_number_the_distinct_ids_of_each_row():
    ids = random_instances().long().flatten(2)
    expected = [row.unique(return_inverse=True)[1] for row in ids]
    assert torch.equal(_ranks(ids), torch.stack(expected))


def test_average_of_bf16_features_is_that_of_the_same_numbers_in_fp32():
    instance, features = random_instances(), torch.randn(2, 3, 9, 12).bfloat16()
    averaged = instance_average(features, instance)
    assert averaged.dtype == torch.bfloat16
    assert torch.equal(averaged, instance_average(features.float(), instance).bfloat16())


def test_average_has_the_gradient_of_the_means():
    instance = random_instances(1)
    features = torch.randn(1, 2, 9, 12, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(lambda f: instance_average(f, instance), features)
    torch.autograd.gradgradcheck(lambda f: instance_average(f, instance), features)
