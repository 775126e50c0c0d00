"""Official pix2pixHD networks (github.com/NVIDIA/pix2pixHD): state dicts in and out.

The options of a network are inferred from the names and shapes of its tensors. A state dict with
a missing, additional or differently shaped tensor is refused.
"""

import re
from functools import partial
from typing import Any

from torch import Tensor

from i2ibench.inference.interop.official_state_dict import (
    State,
    index_in_sequence,
    load_official,
    modernised,
    not_official,
)
from i2ibench.models.discriminators.multi_scale import MultiScaleDiscriminator
from i2ibench.models.encoders.instance import InstanceEncoder
from i2ibench.models.generators.coarse_to_fine import CoarseToFineGenerator


def generator_options(state: State) -> dict[str, Any]:
    """Return the options of the CoarseToFineGenerator that a `latest_net_G.pth` holds.

    The type is not among them. An instance norm, the default, is left out.

    Args:
        state: the official state dict.

    Raises:
        UserError: the names or shapes are not those of such a generator.
    """
    state = modernised(state)
    try:
        num_enhancers = max((int(m[1]) for m in _matches(r"model(\d+)_1\.", state)), default=0)
        blocks = {int(m[1]) for m in _matches(r"model\.(\d+)\.conv_block", state)}
        enhancer_blocks = {m[1] for m in _matches(r"model1_2\.(\d+)\.conv_block", state)}
        outermost = f"model{num_enhancers}_2" if num_enhancers else "model"
        stem, head = state["model.1.weight"], state[_last_weight(state, outermost)]
        options = {
            "in_channels": stem.shape[1],
            "out_channels": head.shape[0],
            "base_channels": stem.shape[0] >> num_enhancers,
            "num_enhancers": num_enhancers,
            "num_downsamplings": (min(blocks) - 4) // 3,
            "num_blocks": len(blocks),
            **_norm_options(state),
        }
        if "norm_type" in options:  # the released code never leaves training mode
            options["always_train"] = True
        return options | ({"num_enhancer_blocks": len(enhancer_blocks)} if num_enhancers else {})
    except (KeyError, ValueError, IndexError) as error:
        raise not_official("pix2pixHD generator", state) from error


def generator_from_official(state: State) -> CoarseToFineGenerator:
    """Build the generator of a pix2pixHD `latest_net_G.pth`, with its weights loaded.

    The generator is the global one, or has any number of local enhancers.

    Args:
        state: the official state dict.

    Raises:
        UserError: the names or shapes are not those of such a generator.
    """
    return load_official(CoarseToFineGenerator(**generator_options(state)), state, generator_names)


def generator_to_official(generator: CoarseToFineGenerator) -> dict[str, Tensor]:
    """Return the generator's state dict under the official names; the tensors are not copied."""
    return generator_names(generator.state_dict())


def encoder_options(state: State) -> dict[str, Any]:
    """Return the options of the InstanceEncoder that a `latest_net_E.pth` holds, without the type.

    Args:
        state: the official state dict.

    Raises:
        UserError: the names or shapes are not those of such an encoder.
    """
    state = modernised(state)
    try:
        head = _last_weight(state, "model")
        stem = state["model.1.weight"]
        return {
            "out_channels": state[head].shape[0],
            "in_channels": stem.shape[1],
            "base_channels": stem.shape[0],
            "num_downsamplings": (int(head.split(".")[1]) - 5) // 6,
            **_norm_options(state),
        }
    except (KeyError, ValueError, IndexError) as error:
        raise not_official("pix2pixHD encoder", state) from error


def encoder_from_official(state: State) -> InstanceEncoder:
    """Build the encoder of a `latest_net_E.pth`, with its weights loaded.

    Args:
        state: the official state dict.

    Raises:
        UserError: the names or shapes are not those of such an encoder.
    """
    return load_official(InstanceEncoder(**encoder_options(state)), state, encoder_names)


def encoder_to_official(encoder: InstanceEncoder) -> dict[str, Tensor]:
    """Return the encoder's state dict under the official names; the tensors are not copied."""
    return encoder_names(encoder.state_dict())


def discriminator_options(state: State) -> dict[str, Any]:
    """Return the options of the MultiScaleDiscriminator that a `latest_net_D.pth` holds.

    The type is not among them.

    Args:
        state: the official state dict.

    Raises:
        UserError: the names or shapes are not those of such discriminators.
    """
    state = modernised(state)
    weights = [v for k, v in _convolutions(state).items() if re.match(r"(scale|layer)0", k)]
    if len(weights) < 3:
        raise not_official("pix2pixHD discriminator", state)
    return {
        "in_channels": weights[0].shape[1],
        "num_scales": len({m[1] for m in _matches(r"(?:scale|layer)(\d+)", state)}),
        "base_channels": weights[0].shape[0],
        "num_layers": len(weights) - 2,
        **_norm_options(state),
    }


def discriminator_from_official(state: State) -> MultiScaleDiscriminator:
    """Build the multi-scale discriminator of a `latest_net_D.pth`, with its weights loaded.

    The official files number the scales from the coarsest, this project from the finest.

    Args:
        state: the official state dict, of a model trained with feature matching or without.

    Raises:
        UserError: the names or shapes are not those of such discriminators.
    """
    exposed = any(name.startswith("scale") for name in modernised(state))
    discriminator = MultiScaleDiscriminator(**discriminator_options(state))
    return load_official(discriminator, state, partial(discriminator_names, exposed=exposed))


def discriminator_to_official(
    discriminator: MultiScaleDiscriminator, exposed: bool = True
) -> dict[str, Tensor]:
    """Return the multi-scale discriminator's state dict under the official names.

    Args:
        discriminator: the discriminators of all scales.
        exposed: use the names of a model with feature matching, else of a model without.
    """
    return discriminator_names(discriminator.state_dict(), exposed)


def generator_names(own: State) -> dict[str, Tensor]:
    """Return the same tensors of a CoarseToFineGenerator's state dict under the official names.

    Args:
        own: the state dict of the generator here.
    """
    num_enhancers = len({m[1] for m in _matches(r"enhancers\.(\d+)", own)})
    outermost = rf"enhancers\.{num_enhancers - 1}\.back" if num_enhancers else "coarse"
    # After the last convolution come norm, activation and padding.
    head = max(int(m[1]) for m in _matches(rf"{outermost}\.(\d+)\.weight", _convolutions(own))) + 4
    place = f"model{num_enhancers}_2" if num_enhancers else "model"

    def name(key: str) -> str:
        key = re.sub(r"^coarse\.", "model.", key)
        key = re.sub(r"^enhancers\.(\d+)\.front", lambda m: f"model{int(m[1]) + 1}_1", key)
        key = re.sub(r"^enhancers\.(\d+)\.back", lambda m: f"model{int(m[1]) + 1}_2", key)
        return re.sub(r"^head\.1", f"{place}.{head}", key).replace(".branch.", ".conv_block.")

    return {name(key): value for key, value in own.items()}


def encoder_names(own: State) -> dict[str, Tensor]:
    """Return the same tensors of an InstanceEncoder's state dict under the official names.

    Args:
        own: the state dict of the encoder here.
    """
    return {re.sub(r"^layers\.", "model.", key): value for key, value in own.items()}


def discriminator_names(own: State, exposed: bool = True) -> dict[str, Tensor]:
    """Return the same tensors of a multi-scale discriminator's state dict under the official names.

    Args:
        own: the state dict of the discriminators here.
        exposed: use the names of a model with feature matching, else of a model without.
    """
    num_scales = len({m[1] for m in _matches(r"scales\.(\d+)", own)})

    def name(key: str) -> str:
        _, scale, _, layer, place, kind = key.split(".")
        official_scale = num_scales - 1 - int(scale)
        if exposed:
            return f"scale{official_scale}_layer{layer}.{place}.{kind}"
        return f"layer{official_scale}.{index_in_sequence(int(layer), int(place))}.{kind}"

    return {name(key): value for key, value in own.items()}


def _norm_options(state: State) -> dict[str, str]:
    """Return {"norm_type": "batch"} if a state dict has running statistics, else {}.

    An instance norm, the default here, has no tensors.
    """
    return {"norm_type": "batch"} if any(k.endswith("running_mean") for k in state) else {}


def _convolutions(state: State) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if value.ndim == 4}


def _last_weight(state: State, sequence: str) -> str:
    last = max(int(m[1]) for m in _matches(rf"{sequence}\.(\d+)\.weight", _convolutions(state)))
    return f"{sequence}.{last}.weight"


def _matches(pattern: str, state: State) -> list[re.Match[str]]:
    return [m for m in (re.match(pattern, name) for name in state) if m]
