"""Official pix2pix generators (junyanz/pytorch-CycleGAN-and-pix2pix): state dicts in and out.

The U-Net's levels are nested in each other there, so that a name grows with the depth. The
ResNet generator with instance norm has pix2pixHD's global architecture and names.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.generators.coarse_to_fine import CoarseToFineGenerator
from i2ibench.generators.unet import UNetGenerator
from i2ibench.interop import pix2pixhd

State = Mapping[str, Tensor]


def generator_from_official(state: State) -> UNetGenerator | CoarseToFineGenerator:
    """The generator of a pix2pix `latest_net_G.pth`: U-Net, or ResNet with instance norm.

    Raises:
        UserError: the names or shapes are those of neither.
    """
    state = _without_leftovers(pix2pixhd.without_wrapper(state))
    if any(".conv_block." in name for name in state):
        return _resnet_from_official(state)
    return pix2pixhd.fill(UNetGenerator(**unet_options(state)), state, unet_names)


def _without_leftovers(state: State) -> dict[str, Tensor]:
    """The state dict as today's torch writes it.

    Old files lack batch norm's counters, or hold running statistics of instance norms, which have
    no use for them: those norms are told by their lack of weights.
    """
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    affine = any(name.endswith(".weight") and v.ndim == 1 for name, v in state.items())
    if not affine:
        return {k: v for k, v in state.items() if not k.endswith(statistics)}
    counters = {
        k.replace("running_mean", "num_batches_tracked"): torch.tensor(0)
        for k in state
        if k.endswith("running_mean")
    }
    return {**counters, **state}


def generator_to_official(generator: UNetGenerator) -> dict[str, Tensor]:
    """The U-Net's weights under the official names."""
    return unet_names(generator.state_dict())


def unet_options(state: State) -> dict[str, Any]:
    """The options of UNetGenerator that a state dict was made with.

    Raises:
        UserError: it is no U-Net's.
    """
    depth = max((name.count(".model") for name in state), default=0)
    first, last = state.get("model.model.0.weight"), state.get("model.model.3.weight")
    if first is None or last is None:
        names = ", ".join(list(state)[:3]) or "nothing"
        raise UserError(f"This is no official pix2pix generator; it holds {names}, ...")
    normalised = any(name.endswith("running_mean") for name in state)
    return {
        "in_channels": first.shape[1],
        "out_channels": last.shape[1],
        "num_levels": depth,
        "base_channels": first.shape[0],
        "norm_type": "batch" if normalised else "instance",
    }


def unet_names(own: State) -> dict[str, Tensor]:
    """A U-Net's state dict under the official names."""
    innermost = max(int(re.match(r"downs\.(\d+)", key)[1]) for key in own if key[0] == "d")  # type: ignore[index]

    def name(key: str) -> str:
        side, level, layer, kind = key.split(".")
        return f"{_prefix(int(level))}.{_place(side, int(level), int(layer), innermost)}.{kind}"

    return {name(key): value for key, value in own.items()}


def _prefix(level: int) -> str:
    """Where a level's layers stand: every level is the submodule of the one outside it."""
    return "model.model" + (".1.model" if level else "") + ".3.model" * max(level - 1, 0)


def _place(side: str, level: int, layer: int, innermost: int) -> int:
    """The index of a layer among its level's: down layers, the inner level, up layers."""
    if side == "downs":
        return layer
    if level == 0:
        return layer + 2
    return layer + (2 if level == innermost else 4)


def _resnet_from_official(state: State) -> CoarseToFineGenerator:
    if any(name.endswith("running_mean") for name in state):
        raise UserError(
            "This ResNet generator was trained with batch norm; only instance norm is supported."
        )
    return pix2pixhd.generator_from_official(state)
