"""Official pix2pix networks (junyanz/pytorch-CycleGAN-and-pix2pix): state dicts in and out.

Each level of the official U-Net is a submodule of the level outside, so that names grow with the
depth. The ResNet generator has the architecture and names of pix2pixHD's global generator.
"""

import re
from typing import Any

from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.inference.interop import pix2pixhd
from i2ibench.inference.interop.official_state_dict import (
    State,
    index_in_sequence,
    load_official,
    modernised,
    not_official,
)
from i2ibench.models.discriminators.patch import PatchDiscriminator
from i2ibench.models.generators.coarse_to_fine import CoarseToFineGenerator
from i2ibench.models.generators.unet import UNetGenerator


def generator_options(state: State) -> dict[str, Any]:
    """Return the config of the generator that a `latest_net_G.pth` holds, with its type.

    The type is "CoarseToFineGenerator" for a ResNet and "UNetGenerator" for a U-Net. A U-Net's
    dropout is not in the config, because the weights do not tell.

    Args:
        state: the official state dict.

    Raises:
        UserError: the names or shapes are neither the U-Net's nor the ResNet's, or the network was
            trained without norm.
    """
    state = modernised(state)
    if any(".conv_block." in name for name in state):
        return {"type": "CoarseToFineGenerator", **_resnet_options(state)}
    return {"type": "UNetGenerator", **_unet_options(state)}


def generator_from_official(state: State) -> UNetGenerator | CoarseToFineGenerator:
    """Build the generator of a `latest_net_G.pth`, a U-Net or a ResNet, with its weights loaded.

    Args:
        state: the official state dict.

    Raises:
        UserError: the names or shapes are neither the U-Net's nor the ResNet's.
    """
    options = generator_options(state)
    network = UNetGenerator if options.pop("type") == "UNetGenerator" else CoarseToFineGenerator
    return load_official(network(**options), state, generator_names)


def generator_names(own: State) -> dict[str, Tensor]:
    """Return the same tensors of a U-Net's or ResNet's state dict under the official names.

    Args:
        own: the state dict of the generator here.
    """
    if any(name.startswith("downs.") for name in own):
        return _unet_names(own)
    return pix2pixhd.generator_names(own)


def discriminator_options(state: State) -> dict[str, Any]:
    """Return the config of the PatchDiscriminator that a `latest_net_D.pth` holds, with its type.

    Args:
        state: the official state dict.

    Raises:
        UserError: the names or shapes are not those of such a discriminator.
    """
    state = modernised(state)
    weights = [v for v in state.values() if v.ndim == 4]
    if "model.0.weight" not in state or len(weights) < 3:
        raise not_official("pix2pix discriminator", state)
    batch = any(name.endswith("running_mean") for name in state)
    return {
        "type": "PatchDiscriminator",
        "in_channels": weights[0].shape[1],
        "base_channels": weights[0].shape[0],
        "num_layers": len(weights) - 2,
        "max_channels": 8 * weights[0].shape[0],
        "padding": 1,
        "norm_type": "batch" if batch else "instance",
        "bias_before_norm": "model.2.bias" in state,
    }


def discriminator_from_official(state: State) -> PatchDiscriminator:
    """Build the discriminator of a pix2pix `latest_net_D.pth`, with its weights loaded.

    Args:
        state: the official state dict.

    Raises:
        UserError: the names or shapes are not those of such a discriminator.
    """
    options = discriminator_options(state)
    options.pop("type")
    return load_official(PatchDiscriminator(**options), state, discriminator_names)


def discriminator_names(own: State) -> dict[str, Tensor]:
    """Return the same tensors of a PatchDiscriminator's state dict under the official names.

    Args:
        own: the state dict of the discriminator here.
    """

    def name(key: str) -> str:
        _, layer, place, kind = key.split(".")
        return f"model.{index_in_sequence(int(layer), int(place))}.{kind}"

    return {name(key): value for key, value in own.items()}


def _unet_options(state: State) -> dict[str, Any]:
    depth = max((name.count(".model") for name in state), default=0)
    first, last = state.get("model.model.0.weight"), state.get("model.model.3.weight")
    if first is None or last is None:
        raise not_official("pix2pix generator", state)
    normalised = any(name.endswith("running_mean") for name in state)
    if not normalised and depth > 2 and "model.model.1.model.1.bias" not in state:
        raise _without_norm()
    return {
        "in_channels": first.shape[1],
        "out_channels": last.shape[1],
        "num_levels": depth,
        "base_channels": first.shape[0],
        "norm_type": "batch" if normalised else "instance",
    }


def _unet_names(own: State) -> dict[str, Tensor]:
    innermost = max(int(re.match(r"downs\.(\d+)", key)[1]) for key in own if key[0] == "d")  # type: ignore[index]

    def name(key: str) -> str:
        side, level, layer, kind = key.split(".")
        return f"{_prefix(int(level))}.{_place(side, int(level), int(layer), innermost)}.{kind}"

    return {name(key): value for key, value in own.items()}


def _prefix(level: int) -> str:
    """Return the prefix, without a last dot, of the official names of a U-Net level's layers."""
    return "model.model" + (".1.model" if level else "") + ".3.model" * max(level - 1, 0)


def _place(side: str, level: int, layer: int, innermost: int) -> int:
    """Return the index of a U-Net's layer among the official modules of its level.

    The modules of a level are its down layers, the next inner level, and its up layers.
    """
    if side == "downs":
        return layer
    if level == 0:
        return layer + 2
    return layer + (2 if level == innermost else 4)


def _resnet_options(state: State) -> dict[str, Any]:
    """Return the options of the CoarseToFineGenerator of a pix2pix ResNet, without the type.

    They are those of pix2pixHD's global generator, with pix2pix's own bias and dropout.
    """
    options = pix2pixhd.generator_options(state)
    if "model.1.bias" not in state:
        if "norm_type" not in options:
            raise _without_norm()
        options["bias_before_norm"] = False
    # Dropout between the two convolutions of a block moves the second from index 5 to 6.
    if any(re.search(r"conv_block\.6\.weight$", k) and v.ndim == 4 for k, v in state.items()):
        options |= {"dropout": 0.5, "always_train": True}
    return options


def _without_norm() -> UserError:
    """Return, not raise, the error for a network that was trained with `--norm none`."""
    return UserError(
        "latest_net_G.pth has neither batch norm's weights nor the biases that pix2pix gives to "
        "convolutions before an instance norm: it was trained with --norm none, which no generator "
        "here has."
    )
