"""The style bank."""

import numpy as np
import pytest
import torch

from i2ibench.styles.bank import StyleBank, instance_rows, merge_rows


def test_clusters_are_found_again():
    rng = np.random.default_rng(0)
    centres = np.array([[-0.8, 0.0], [0.8, 0.5]], np.float32)
    rows = np.concatenate([c + rng.normal(0, 0.01, (20, 2)) for c in centres]).astype(np.float32)
    bank = StyleBank(num_classes=3, channels=2, num_styles=2)
    bank.fit({1: rows})
    found = bank.centres[1][bank.centres[1][:, 0].argsort()]
    torch.testing.assert_close(found, torch.from_numpy(centres), atol=0.02, rtol=0)
    assert bank.counts.tolist() == [0, 2, 0]


def test_a_class_with_few_rows_has_as_many_styles():
    bank = StyleBank(2, 3, num_styles=10)
    bank.fit({0: np.ones((4, 3), np.float32), 1: np.eye(3, dtype=np.float32)})
    assert bank.counts.tolist() == [1, 3]


def test_every_instance_is_painted_with_one_style_of_its_class():
    bank = StyleBank(3, 2, num_styles=4)
    bank.fit(
        {0: np.random.default_rng(0).random((9, 2), np.float32), 1: np.eye(2, dtype=np.float32)}
    )
    label = torch.tensor([[[0, 0, 1], [1, 2, 2]]])
    instance = torch.tensor([[[5, 6, 1001], [1002, 9, 9]]])
    painted = bank.sample("scene", label, instance)
    assert painted.shape == (2, 2, 3)
    assert any(torch.equal(painted[:, 0, 0], c) for c in bank.centres[0])
    assert any(torch.equal(painted[:, 0, 2], c) for c in bank.centres[1, :2])
    assert torch.equal(painted[:, 1, 1], torch.zeros(2))  # class 2 has no style


def test_a_draw_depends_on_seed_and_scene_alone():
    bank = StyleBank(1, 2, num_styles=8)
    bank.fit({0: np.random.default_rng(0).random((30, 2), np.float32)})
    label, instance = torch.zeros(1, 8, 8).long(), torch.arange(64).reshape(1, 8, 8)
    first = bank.sample("a", label, instance)
    assert torch.equal(first, bank.sample("a", label, instance))
    assert not torch.equal(first, bank.sample("b", label, instance))
    bank.seed = 1
    assert not torch.equal(first, bank.sample("a", label, instance))


def test_rows_hold_each_instance_once_under_its_class():
    label = torch.tensor([[[0, 0, 1], [1, 1, 1]]])
    instance = torch.tensor([[[0, 0, 7], [7, 8, 8]]])
    features = torch.tensor([[[1.0, 1, 2], [2, 3, 3]]])
    rows = instance_rows(features, label, instance)
    assert {k: v.tolist() for k, v in rows.items()} == {0: [[1.0]], 1: [[2.0], [3.0]]}
    assert merge_rows([rows, rows])[1].shape == (4, 1)


def test_small_instances_can_be_left_out():
    """The released code keeps instances above 1/64 of the picture."""
    instance = torch.zeros(1, 8, 16, dtype=torch.int64)
    instance[0, 0, :2], instance[0, 1, :3] = 1, 2  # 2 and 3 of 128 pixels; 1/64 is 2
    features = instance.float() / 10
    rows = instance_rows(features, torch.zeros_like(instance), instance, min_area=1 / 64)
    assert rows[0].tolist() == [[0.0], [pytest.approx(0.2)]]
