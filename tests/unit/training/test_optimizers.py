"""Optimisers by the networks' names, and clipping."""

import pytest
import torch
from torch import nn

from i2ibench.errors import UserError
from i2ibench.training.optimizers import build_optimizers

SGD = {"type": "SGD", "lr": 1.0}
CLIPPED = {**SGD, "clip_grad": {"max_norm": 0.5}}


def parameter(*values):
    return nn.Parameter(torch.tensor(values))


def networks():
    """A method with names of its own; its critic is frozen."""
    return {"denoiser": {"d": parameter(1.0)}, "router": {"r": parameter(1.0)}, "critic": {}}


def test_every_network_with_parameters_has_the_optimizer_of_its_name():
    optimizers = build_optimizers(networks(), {"denoiser": SGD, "router": SGD, "critic": SGD})
    assert list(optimizers.keys()) == ["denoiser", "router"]
    assert optimizers["router"].names == ["r"]


@pytest.mark.parametrize(
    ("cfg", "said"),
    [
        ({"denoiser": SGD, "ruter": SGD},
         r"The optimizers of the config \(denoiser, ruter\).*\(denoiser, router\).*'ruter'. "
         r"Did you mean 'router'\? The router has no optimizer."),
        ({"denoiser": SGD, "router": SGD, "generator": SGD},
         r"\(denoiser, router, generator\).*\(denoiser, router\).*no network 'generator'"),
        ({}, r"\(none\).*The denoiser has no optimizer. The router has no optimizer."),
        ({"denoiser": SGD, "router": None}, "The router has no optimizer."),
        ({"denoiser": SGD, "router": "Adam"}, "optimizers.router must be a dict .* not 'Adam'"),
        ({"denoiser": {"type": "Adan"}, "router": SGD}, "Did you mean 'Adam'"),
        ({"denoiser": {"type": "Adam", "beta": 1}, "router": SGD}, "'beta'"),
        ({"denoiser": {**SGD, "clip_grad": 1.0}, "router": SGD},
         r"optimizers.denoiser.clip_grad is a dict such as dict\(max_norm=1.0\), not 1.0"),
        ({"denoiser": {**SGD, "clip_grad": {"max_nrom": 1}}, "router": SGD},
         "no option 'max_nrom'. Did you mean 'max_norm'"),
        ({"denoiser": {**SGD, "clip_grad": {}}, "router": SGD}, "needs the option 'max_norm'"),
        ({"denoiser": {**SGD, "clip_grad": {"max_norm": 0}}, "router": SGD},
         "max_norm must be a positive number, not 0"),
        ({"denoiser": {**SGD, "clip_grad": {"max_norm": 1, "norm_type": "inf"}}, "router": SGD},
         "norm_type must be a positive number, not 'inf'"),
    ],
)  # fmt: skip
def test_a_mistake_in_the_optimizers_names_both_sides_or_the_option(cfg, said):
    with pytest.raises(UserError, match=said):
        build_optimizers(networks(), cfg)


def test_nothing_to_train_is_said():
    with pytest.raises(UserError, match="Nothing is trained"):
        build_optimizers({"critic": {}}, {"critic": SGD})


def clipped_step(gradients, clip_grad, **changes):
    """The parameters, 0 before, after one step of rate 1 down the given gradients."""
    parameters = {f"p{i}": parameter(0.0) for i in range(len(gradients))}
    cfg = {"net": {**SGD, "clip_grad": clip_grad}}
    optimizer = build_optimizers({"net": parameters}, cfg)["net"]
    for name, value in changes.items():
        setattr(optimizer, name, value)
    loss = sum(p * g for p, g in zip(parameters.values(), gradients, strict=True))
    optimizer.update(loss.sum())
    return [p.item() for p in parameters.values()]


def test_gradients_are_clipped_by_their_common_norm():
    assert clipped_step([3.0, 4.0], {"max_norm": 1.0}) == pytest.approx([-0.6, -0.8])
    assert clipped_step([3.0, 4.0], {"max_norm": 5.1}) == [-3.0, -4.0]
    by_largest = {"max_norm": 1.0, "norm_type": float("inf")}
    assert clipped_step([3.0, 4.0], by_largest) == pytest.approx([-0.75, -1.0])


def test_a_loss_scale_is_taken_out_before_the_norm_is():
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    clipped = clipped_step([3.0, 4.0], {"max_norm": 1.0}, scaler=scaler)
    assert clipped == pytest.approx([-0.6, -0.8])


@pytest.mark.parametrize("scaler", [None, torch.amp.GradScaler("cpu", init_scale=2.0)])
def test_clipping_does_not_hide_gradients_that_are_not_finite(scaler):
    changes = {"skips": True} if scaler is None else {"scaler": scaler}
    assert clipped_step([3.0, float("inf")], {"max_norm": 1.0}, **changes) == [0.0, 0.0]
    assert clipped_step([3.0, float("nan")], {"max_norm": 1.0}, **changes) == [0.0, 0.0]
