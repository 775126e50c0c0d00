"""Random numbers go on where they were."""

import random

import numpy as np
import torch

from i2ibench.training.hooks.random_states import random_state, restore_own, restore_random_state


def draw():
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_a_restored_state_draws_the_same_numbers():
    state = random_state()
    first = draw()
    assert draw() != first
    restore_random_state(state)
    assert draw() == first


def test_each_process_takes_its_own_state_and_a_new_one_keeps_what_it_has(monkeypatch):
    states = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        states.append(random_state())
    checkpoint = {"random_state": states[0], "other_random_states": states[1:]}
    for rank, seed in ((0, 1), (1, 2), (2, 3)):
        torch.manual_seed(3)
        monkeypatch.setattr(
            "i2ibench.training.hooks.random_states.get_rank", lambda rank=rank: rank
        )
        restore_own(checkpoint)
        found = torch.rand(())
        torch.manual_seed(seed)
        assert found == torch.rand(())
