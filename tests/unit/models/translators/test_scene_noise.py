"""Random numbers of scenes: several draws of one scene, and draws of training steps."""

import random

import torch

from i2ibench.models.translators.scene_noise import new_draw, scene_noise


def batch(*names):
    return {"names": list(names), "condition": torch.zeros(len(names), 1, 4, 6)}


def test_a_scene_has_other_noise_in_each_draw_and_the_same_in_any_batch():
    together = scene_noise(batch("a", "b"), 3, (4, 6), "second")
    assert together.shape == (2, 3, 4, 6)
    assert torch.equal(together[1:], scene_noise(batch("b"), 3, (4, 6), "second"))
    assert not torch.equal(together, scene_noise(batch("a", "b"), 3, (4, 6)))
    assert not torch.equal(together[0], together[1])


def test_draws_of_training_never_repeat_but_after_the_same_seed():
    random.seed(3)
    first = [new_draw() for _ in range(100)]
    random.seed(3)
    assert [new_draw() for _ in range(100)] == first and len(set(first)) == 100
