"""Gradients and weights of two processes."""

import gc
import weakref

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.utils.checkpoint import checkpoint

from i2ibench.errors import UserError
from i2ibench.training.gradient_averaging import (
    broadcast_weights,
    gradient_averaging,
    synchronise_batch_norms,
    synchronises_batch_norms,
)
from i2ibench.training.optimizers import NetworkOptimizer, build_optimizers
from tests.unit.models.translators.processes import TwoProcesses
from tests.unit.models.translators.test_paired import data, translator
from tests.unit.models.translators.test_updates import pieces

GENERATOR = dict(type="CoarseToFineGenerator", base_channels=4, num_downsamplings=2, num_blocks=1)
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


def optimizer_of(network):
    parameters = dict(network.named_parameters())
    return NetworkOptimizer(torch.optim.SGD(network.parameters(), lr=0.1), list(parameters))


class Sent:
    """Counts the buckets that an optimiser sends."""

    def __init__(self, optimizer):
        self.sizes = []
        optimizer.ddp.register_comm_hook(None, self.send)

    def send(self, state, bucket):
        self.sizes.append(bucket.buffer().numel())
        return allreduce_hook(None, bucket)


def averaged(rank, recomputed, batches):
    """Own means, and those of the second implementation."""
    network = perceptron()
    optimizer = optimizer_of(network)
    torch.manual_seed(rank)
    x = torch.randn(16, 4)
    network(x).square().mean().backward()
    expected = average_gradients(list(network.parameters()))
    network.zero_grad()
    for number, part in enumerate(x.chunk(batches), start=1):
        out = checkpoint(network, part, use_reentrant=False) if recomputed else network(part)
        optimizer.add_gradient(out.square().mean() / batches, last=number == batches)
    return [p.grad.clone() for p in network.parameters()], expected


@pytest.mark.parametrize("recomputed", [False, True])
@pytest.mark.parametrize("batches", [1, 2])
def test_the_means_are_those_of_one_message_afterwards(two, recomputed, batches):
    for own, expected in two.call(averaged, recomputed, batches):
        for mean, reference in zip(own, expected, strict=True):
            if batches == 1:
                assert torch.equal(mean, reference)
            else:
                torch.testing.assert_close(mean, reference, atol=1e-6, rtol=0)


def partly(rank, missing_in):
    """The third layer's gradients are missing in some processes; a step of two optimisers."""
    layers = nn.ModuleList(nn.Linear(2, 2) for _ in range(3))
    for p in layers.parameters():
        nn.init.ones_(p)
    other = nn.Linear(2, 1)
    nn.init.ones_(other.weight)
    x = torch.full((1, 2), float(rank + 1))
    used = layers[:2] if rank in missing_in else layers
    optimizers = [optimizer_of(network) for network in (layers, other)]
    for _ in range(2):  # the second time the gradients' memory has been used before
        for optimizer in optimizers:
            optimizer.zero_grad()
        optimizers[0].add_gradient(sum(layer(x).sum() for layer in used))
        optimizers[1].add_gradient(other(x).sum())
    grads = [p.grad for p in (layers[0].weight, layers[2].weight, other.weight)]
    return [None if g is None else g.flatten()[0].item() for g in grads]


def test_a_gradient_that_no_process_has_stays_none(two):
    assert two.call(partly, (0, 1)) == [[1.5, None, 1.5]] * 2


@pytest.mark.parametrize(("missing_in", "mean"), [((0,), 1.0), ((1,), 0.5)])
def test_a_gradient_that_one_process_lacks_counts_as_zeros(two, missing_in, mean):
    assert two.call(partly, missing_in) == [[1.5, mean, 1.5]] * 2


def only_in(rank, batch):
    """Of two added batches of process 0, one alone reaches the second layer."""
    layers = nn.ModuleList(nn.Linear(1, 1, bias=False) for _ in range(2))
    for p in layers.parameters():
        nn.init.ones_(p)
    optimizer = optimizer_of(layers)
    for number in range(2):
        total = layers[0](torch.ones(1, 1)).sum()
        if rank == 0 and number == batch:
            total = total + layers[1](torch.ones(1, 1)).sum()
        optimizer.add_gradient(total, last=number == 1)
    return [p.grad.item() for p in layers.parameters()]


@pytest.mark.parametrize("batch", [0, 1])
def test_a_gradient_of_one_added_batch_is_not_lost(two, batch):
    assert two.call(only_in, batch) == [[2.0, 0.5]] * 2


def untouched(rank):
    """In process 1 the loss reaches no parameter of the network at all."""
    network, x = nn.Linear(1, 1, bias=False), torch.ones(1, 1, requires_grad=True)
    optimizer = optimizer_of(network)
    means = []
    for _ in range(2):
        optimizer.zero_grad()
        optimizer.add_gradient((network(x) if rank == 0 else x).sum())
        means.append(network.weight.grad.item())
    return means


def test_a_process_whose_loss_reaches_no_parameter_counts_as_zeros(two):
    """As a network for faces does in a batch without a face."""
    assert two.call(untouched) == [[0.5, 0.5]] * 2


KINDS = {
    "plain": {},
    "recomputed": {"generator": {**GENERATOR, "checkpointed": ["coarse"]}},
    "compiled": {"compiled": {"generator": {"backend": "aot_eager"}}},
    "frozen": {"frozen": ["generator.coarse"]},
}


def small(first, kind="plain"):
    model = translator(discriminator_first=first, **KINDS[kind])
    return model, build_optimizers(model.networks(), {"generator": SLOW, "discriminator": SLOW})


def updated(rank, first, parts, kind):
    """The weights after two updates by this process's half of four scenes, and the messages."""
    model, optimizers = small(first, kind)
    sent = [Sent(optimizer) for optimizer in optimizers.values()]
    for seed in (1, 2):
        torch.manual_seed(seed)
        own = pieces(data(batch=4), 2)[rank]
        model.train_step(pieces(own, 2 // parts), optimizers)
    return model.state_dict(), [len(one.sizes) for one in sent]


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
def test_updates_equal_one_process_with_all_batches_and_send_once(two, first, parts, kind):
    """To the last bit where one process adds up in the same order; one message a network."""
    model, optimizers = small(first, kind)
    for seed in (1, 2):
        torch.manual_seed(seed)
        model.train_step(pieces(data(batch=4), 2 // parts), optimizers)
    tolerance = {"atol": 0, "rtol": 0} if parts == 1 else {"atol": 1e-6, "rtol": 1e-4}
    for state, counts in two.call(updated, first, parts, kind):
        assert counts == [2, 2] and state.keys() == model.state_dict().keys()
        for name, value in model.state_dict().items():
            torch.testing.assert_close(state[name], value, equal_nan=True, **tolerance)


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
    sent = Sent(optimizers["generator"])
    model.train_step(data(), optimizers)
    trained = sum(p.numel() for p in optimizers["generator"].parameters)
    return sent.sizes == [trained + 1], [p.grad is None for p in model.discriminator.parameters()]


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
    optimizer = optimizer_of(network)
    optimizer.update(network(torch.ones(1, 4)).sum())
    seen = weakref.ref(network[0].weight)
    del network, optimizer
    gc.collect()
    return seen() is None


def test_nothing_keeps_the_networks_of_an_earlier_stage_alive(two):
    assert two.call(forgotten) == [True, True]


def test_one_process_needs_no_ddp():
    network = perceptron()
    assert gradient_averaging(list(network.parameters())) is None
    optimizer = optimizer_of(network)
    optimizer.update(network(torch.ones(1, 4)).sum())
    assert optimizer.ddp is None


def test_synchronised_batch_norms_have_the_same_parameters_and_names():
    unet = dict(type="UNetGenerator", num_levels=5, base_channels=4, norm_type="batch")
    model = translator(generator=unet, encoder=None)
    before = dict(model.named_parameters()), list(model.state_dict())
    synchronise_batch_norms(model)
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert norms and all(isinstance(m, nn.SyncBatchNorm) for m in norms)
    assert all(p is before[0][name] for name, p in model.named_parameters())
    assert list(model.state_dict()) == before[1]


def chosen(rank):
    with pytest.raises(UserError, match="needs GPUs"):
        synchronises_batch_norms(True, "cpu")
    return synchronises_batch_norms(True, "cuda"), synchronises_batch_norms(False, "cuda")


def test_batch_norms_are_synchronised_where_several_gpus_are_asked_to(two):
    assert two.call(chosen) == [(True, False)] * 2
    assert not synchronises_batch_norms(True, "cpu")  # in one process there is nothing to do
    with pytest.raises(UserError, match="True or False, not 'yes'"):
        synchronises_batch_norms("yes", "cpu")
