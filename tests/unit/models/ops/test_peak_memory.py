"""The count of the bytes of tensors."""

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from i2ibench.models.ops.peak_memory import TensorMemoryCounter, bytes_of, peak_of


def chain():
    x = torch.zeros(1000)
    for _ in range(5):
        x = x + 1 + 1  # the one before, and two sums
    return x


def test_three_tensors_of_4_kB_live_at_once_in_a_chain_of_sums():
    assert peak_of(chain) == 12000


def test_tensors_without_contents_count_as_those_with():
    with FakeTensorMode():
        assert peak_of(chain) == 12000


def test_views_and_changes_in_place_take_nothing():
    def function():
        x = torch.zeros(10, 100)
        return x[2:].add_(1), x.T, x.view(1000)

    assert peak_of(function) == 4000


def test_activations_live_until_the_backward_pass_and_gradients_after_it():
    weight = torch.ones(1000, requires_grad=True)
    with TensorMemoryCounter() as counter:
        loss = (weight.exp() * weight).sum()
        held = counter.now
        loss.backward()
        assert held == 4000 + 4  # the exponential, and the sum; the product is not kept
        del loss
        assert counter.now == 4000
        assert counter.at_peak([weight.grad]) in (0, 4000)


def test_a_restart_keeps_allocated_bytes_and_resets_the_peak():
    with TensorMemoryCounter() as counter:
        kept = torch.zeros(10)
        torch.zeros(1000).sum()
        assert counter.peak >= 4040
        counter.restart()
        assert counter.peak == counter.now == 40
        late = [torch.zeros(5)]
        assert counter.at_peak([kept]) == 40
        assert counter.at_peak(late) == 20
        del late
        after = torch.zeros(1)
        assert counter.at_peak([kept, after]) == 40  # it came after the peak


def test_memory_that_tensors_share_counts_once():
    x = torch.zeros(100)
    assert bytes_of([x, x[5:], x.double()]) == 400 + 800
