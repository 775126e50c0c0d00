"""Gradients and weights of two processes."""

import gc
import weakref

import pytest
import torch
import torch.distributed as dist
from torch import nn

from i2ibench.translators.exchange import GradientExchange, broadcast_weights
from i2ibench.translators.optimizers import build_optimizers
from tests.unit.translators.processes import TwoProcesses
from tests.unit.translators.test_paired import data, translator
from tests.unit.translators.test_updates import pieces

HUGE = 2**30
SLOW = {"type": "SGD", "lr": 0.01}
"""So that a second update does not amplify what the order of sums rounds off."""


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    with TwoProcesses(tmp_path_factory.mktemp("group")) as processes:
        yield processes


def average_gradients(parameters):
    """The second implementation: one message after the backward pass, without buckets."""
    flat = torch.cat([p.grad.flatten() for p in parameters])
    dist.all_reduce(flat)
    sizes = [p.numel() for p in parameters]
    return [g.view_as(p) / 2 for g, p in zip(flat.split(sizes), parameters, strict=True)]


def perceptron(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))


class Sent:
    """Counts the messages that leave meanwhile, and remembers their lengths."""

    def __enter__(self):
        self.sizes, self.original = [], dist.all_reduce

        def counted(tensor, *arguments, **keywords):
            self.sizes.append(tensor.numel())
            return self.original(tensor, *arguments, **keywords)

        dist.all_reduce = counted
        return self

    def __exit__(self, *error):
        dist.all_reduce = self.original

    def __len__(self):
        return len(self.sizes)


def averaged(rank, bucket_bytes):
    """Own means, those of the second implementation, and messages during and after the pass."""
    network = perceptron()
    parameters = list(network.parameters())
    exchange = GradientExchange(parameters, bucket_bytes)
    torch.manual_seed(rank)
    x = torch.randn(16, 4)
    network(x).square().mean().backward(inputs=parameters)
    expected = average_gradients(parameters)
    network.zero_grad()
    exchange.arm()
    with Sent() as during:
        network(x).square().mean().backward(inputs=parameters)
    with Sent() as after:
        exchange.send_rest()
        exchange.finish()
    own = [p.grad.clone() for p in parameters]
    return own, expected, during.sizes, after.sizes


@pytest.mark.parametrize("bucket_bytes", [1, 200, HUGE])
def test_the_means_are_those_of_one_exchange_afterwards(two, bucket_bytes):
    for own, expected, during, after in two.call(averaged, bucket_bytes):
        for mean, reference in zip(own, expected, strict=True):
            torch.testing.assert_close(mean, reference, atol=1e-6, rtol=0)
        assert len(during) == {1: 6, 200: 2, HUGE: 1}[bucket_bytes] and after == []


def test_the_last_parameters_leave_first(two):
    sizes = [during for _, _, during, _ in two.call(averaged, 1)]
    assert sizes == [[n + 1 for n in (2, 16, 8, 64, 8, 32)]] * 2  # and one flag each


def partly(rank, missing_in, bucket_bytes):
    """The third layer's gradients are missing in some processes; a step of two exchanges."""
    layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    for p in layers.parameters():
        nn.init.ones_(p)
    other = nn.Linear(2, 1)
    nn.init.ones_(other.weight)
    exchanges = [GradientExchange(list(n.parameters()), bucket_bytes) for n in (layers, other)]
    x = torch.full((1, 2), float(rank + 1))
    used = layers[:2] if rank in missing_in else layers
    for network, exchange in zip((layers, other), exchanges, strict=True):
        exchange.arm()
        loss = sum(layer(x).sum() for layer in used) if network is layers else other(x).sum()
        loss.backward(inputs=list(network.parameters()))
        exchange.send_rest()
    for exchange in exchanges:
        exchange.finish()
    grads = [p.grad for p in (layers[0].weight, layers[2].weight, other.weight)]
    return [None if g is None else g.flatten()[0].item() for g in grads]


@pytest.mark.parametrize("bucket_bytes", [1, HUGE])
def test_a_gradient_that_no_process_has_stays_none(two, bucket_bytes):
    assert two.call(partly, (0, 1), bucket_bytes) == [[1.5, None, 1.5]] * 2


@pytest.mark.parametrize("bucket_bytes", [1, HUGE])
@pytest.mark.parametrize(("missing_in", "mean"), [((0,), 1.0), ((1,), 0.5)])
def test_a_gradient_that_one_process_lacks_counts_as_zeros(two, bucket_bytes, missing_in, mean):
    """Nor do the messages of the second exchange overtake those of the first."""
    assert two.call(partly, missing_in, bucket_bytes) == [[1.5, mean, 1.5]] * 2


def small(first):
    model = translator(discriminator_first=first)
    return model, build_optimizers(model.networks(), {"generator": SLOW, "discriminator": SLOW})


def updated(rank, first, parts):
    """The weights after two updates by this process's half of four scenes, and the messages."""
    model, optimizers = small(first)
    counts = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        own = pieces(data(batch=4), 2)[rank]
        with Sent() as sent:
            model.train_step(pieces(own, 2 // parts), optimizers)
        counts.append(len(sent))
    return {n: p.detach() for n, p in model.named_parameters()}, counts


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("parts", [1, 2])
def test_updates_equal_one_process_with_all_batches_and_send_once(two, first, parts):
    """One message for each network, however many batches make the update."""
    model, optimizers = small(first)
    for seed in (1, 2):
        torch.manual_seed(seed)
        model.train_step(pieces(data(batch=4), 2 // parts), optimizers)
    for state, counts in two.call(updated, first, parts):
        assert counts == [2, 2]
        for name, value in model.named_parameters():
            torch.testing.assert_close(state[name], value.detach(), atol=1e-6, rtol=1e-4)


def spoiled(rank):
    """In process 1 the generator's loss is not finite: both leave its update out."""
    model, optimizers = small(False)
    for optimizer in optimizers.values():
        optimizer.skips = True
    before = [p.detach().clone() for p in model.generator.parameters()]
    if rank == 1:
        model.weights["pixel"] = float("nan")
    torch.manual_seed(1)
    model.train_step(data(), optimizers)
    same = [torch.equal(p, q) for p, q in zip(model.generator.parameters(), before, strict=True)]
    return all(same), {name: int(o.skipped) for name, o in optimizers.items()}


def test_an_update_that_is_not_finite_in_one_process_is_left_out_in_both(two):
    assert two.call(spoiled) == [(True, {"generator": 1, "discriminator": 0})] * 2


def scaled(rank):
    """With loss scalers, as for fp16; in process 1 the first loss is not finite."""
    model, optimizers = small(False)
    for optimizer in optimizers.values():
        optimizer.scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    for weight in (float("inf") if rank == 1 else 3.0, 3.0):
        model.weights["pixel"] = weight
        torch.manual_seed(1)
        model.train_step(data(), optimizers)
    scales = {name: o.scaler.get_scale() for name, o in optimizers.items()}
    return scales, {n: p.detach() for n, p in model.named_parameters()}


def test_loss_scalers_of_both_processes_stay_equal(two):
    (scales, one), (other_scales, other) = two.call(scaled)
    assert scales == other_scales == {"generator": 128.0, "discriminator": 256.0}
    assert all(torch.equal(one[name], other[name]) for name in one)


def frozen(rank):
    model = translator(frozen=["generator.coarse", "discriminator"])
    optimizers = build_optimizers(model.networks(), {"generator": SLOW})
    with Sent() as sent:
        model.train_step(data(), optimizers)
    trained = sum(p.numel() + 1 for p in optimizers["generator"].parameters)
    return sent.sizes == [trained], [p.grad is None for p in model.discriminator.parameters()]


def test_frozen_networks_send_nothing(two):
    for sent_trained, untouched in two.call(frozen):
        assert sent_trained and all(untouched)


def broadcast(rank):
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)).to(
        memory_format=torch.channels_last
    )
    network[1].num_batches_tracked.fill_(rank)
    nn.init.constant_(network[0].weight, rank + 1.0)
    broadcast_weights(network)
    return network.state_dict()


def test_every_process_begins_with_the_firsts_weights_and_buffers(two):
    one, other = two.call(broadcast)
    assert one["1.num_batches_tracked"] == 0 and one["0.weight"].unique() == 1
    assert all(torch.equal(one[name], other[name]) for name in one)


def forgotten(rank):
    network = perceptron()
    exchange = GradientExchange(list(network.parameters()))
    seen = weakref.ref(network[0].weight)
    del network, exchange
    gc.collect()
    return seen() is None


def test_an_exchange_does_not_keep_its_parameters_alive(two):
    """A run of several stages builds networks anew."""
    assert two.call(forgotten) == [True, True]


def test_one_process_exchanges_nothing():
    network = perceptron()
    exchange = GradientExchange(list(network.parameters()))
    assert exchange.buckets == [] and not network[0].weight._post_accumulate_grad_hooks
    exchange.arm()
    network(torch.ones(1, 4)).sum().backward()
    before = network[0].weight.grad.clone()
    exchange.send_rest()
    exchange.finish()
    assert torch.equal(network[0].weight.grad, before)
