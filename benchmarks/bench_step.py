"""The training step beside the released code's, and Adam: CPU time, and convolutions counted.

    make bench

VGG19 has random weights here: only its cost counts.
"""

import pytest
import torch
from plain.step import PlainStep
from side_by_side import in_turns, note
from systems import ADAM, BOTH_FUSED, batch, empty_batch, translator
from torch.utils.flop_counter import FlopCounterMode

from i2ibench.models.translators.updates import simultaneous_update
from i2ibench.training.optimizers import build_optimizers

SMALL = {"base_channels": 16}
LOCAL = {"base_channels": 16, "num_enhancers": 1}
PAPER_LOCAL = {"base_channels": 32, "num_enhancers": 1}
FROZEN = {"frozen": ["generator.coarse"]}

STEPS = {
    "step fp32, 256x128 B4, 3 scales, encoder, no VGG": (
        (SMALL, {"encoder": True}), (256, 128, 4), (1.2, 1.4), None, 4,
    ),
    "step fp32, 256x128 B1, paper widths, encoder, VGG": (
        ({}, {"num_scales": 2, "encoder": True, "vgg": True}), (256, 128, 1), (1.15, 1.35), None, 2,
    ),
    "step fp32, 256x128 B2, G1 frozen, 3 scales, no VGG": (
        (LOCAL, FROZEN), (256, 128, 2), (1.45, 1.7), None, 4,
    ),
    "step bf16 over fp32, 256x128 B4, 3 scales, encoder, no VGG": (
        (SMALL, {"encoder": True}), (256, 128, 4), (1.65, 2.1), "bf16", 4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", STEPS)
def test_training_step(benchmark, tmp_path, row):
    (generator, options), size, bars, precision, rounds = STEPS[row]
    model = translator(generator, **options)
    prepared = batch(tmp_path, *size)
    assert_equal_losses(model, prepared, precision)
    optimizers = build_optimizers(model.networks(), BOTH_FUSED, precision)
    plain = PlainStep(model, ADAM)
    in_turns(
        benchmark,
        lambda: model.train_step(prepared, optimizers),
        lambda: plain(prepared),
        row, *bars, rounds,
    )  # fmt: skip


def assert_equal_losses(model, prepared, precision):
    """The sums of losses are those of the plain way, to 1e-4 or, in bf16, to 2 %."""
    close = {"rtol": 0.02 if precision else 1e-4, "atol": 1e-4}
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        step = model.forward_step(prepared)
        ours = (
            *model.generator_losses(step).totals.values(),
            *model.discriminator_losses(step).totals.values(),
        )
    with torch.no_grad():
        plain = PlainStep(model).losses(prepared)
    torch.testing.assert_close(ours, plain, check_dtype=False, **close)


@pytest.mark.parametrize("options", [{"encoder": True}, {"vgg": True, **FROZEN}])
def test_both_ways_give_the_same_gradients(tmp_path, options):
    """In float64, to 1e-10."""
    model = translator({"base_channels": 8, "num_enhancers": 1}, **options).double()
    prepared = batch(tmp_path, 128, 64, size=2)
    for name in ("condition", "real"):
        prepared[name] = prepared[name].double()
    PlainStep(model)(prepared)
    expected = {name: p.grad.clone() for name, p in trained(model)}
    simultaneous_update(model, [prepared], build_optimizers(model.networks(), BOTH_FUSED))
    for name, parameter in trained(model):
        torch.testing.assert_close(parameter.grad, expected[name], atol=1e-10, rtol=1e-10)


def trained(model):
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]


COUNTS = {
    "convolution FLOP, 2048x1024, VGG": ({"vgg": True}, 0.94, 0.93),
    "convolution FLOP, 2048x1024, G1 frozen, VGG": ({"vgg": True, **FROZEN}, 0.8, 0.77),
    "convolution FLOP, 2048x1024, G1 frozen, no VGG": (FROZEN, 0.66, 0.62),
}


@pytest.mark.parametrize("row", COUNTS)
def test_convolutions_of_a_step(benchmark, row):
    """A share of the plain way's, counted at the paper's size without computing anything."""
    options, bar, goal = COUNTS[row]
    with torch.device("meta"):
        model = translator(PAPER_LOCAL, **options)
    prepared = empty_batch(2048, 1024, device="meta")
    flop = {}
    for name, step in (("plain", PlainStep(model)), ("ours", gradients_of(model))):
        with FlopCounterMode(display=False) as counter:
            step(prepared)
        flop[name] = counter.get_total_flops()
    note(benchmark, row, flop["ours"] / flop["plain"], bar, goal)
    benchmark.extra_info["TFLOP"] = {name: round(n / 1e12, 2) for name, n in flop.items()}
    print(f"\n{row}: {benchmark.extra_info}")
    benchmark.pedantic(lambda: None)


def gradients_of(model):
    """A step of ours without the update."""
    optimizers = build_optimizers(model.networks(), BOTH_FUSED)
    for optimizer in optimizers.values():
        optimizer.apply = lambda: None
    return lambda prepared: simultaneous_update(model, [prepared], optimizers)


def test_adam(benchmark):
    """On as many weights as G1 has, in one tensor for each layer."""
    with torch.device("meta"):
        shapes = [p.shape for p in translator({}).generator.parameters()]
    weights = [torch.nn.Parameter(torch.full(shape, 0.1)) for shape in shapes]
    for weight in weights:
        weight.grad = torch.full_like(weight, 0.01)
    first, *_ = build_optimizers({"generator": named(weights)}, {"generator": BOTH_FUSED[
        "generator"]}).values()  # fmt: skip
    plain = torch.optim.Adam(weights, foreach=False, fused=False, **ADAM)
    row = f"Adam on {sum(w.numel() for w in weights) / 1e6:.1f} M parameters"
    in_turns(benchmark, first.step, plain.step, row, 3, 9, rounds=3)


def named(weights):
    return {str(i): weight for i, weight in enumerate(weights)}


def test_fused_adam_gives_the_same_weights():
    weights = []
    for fused in (False, True):
        torch.manual_seed(0)
        weight = torch.nn.Parameter(torch.randn(1000))
        optimizer = torch.optim.Adam([weight], fused=fused, **ADAM)
        for _ in range(5):
            weight.grad = torch.randn(1000)
            optimizer.step()
        weights.append(weight.detach())
    torch.testing.assert_close(weights[1], weights[0], atol=1e-6, rtol=1e-6)
