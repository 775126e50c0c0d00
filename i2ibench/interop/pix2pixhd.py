"""Official pix2pixHD networks (github.com/NVIDIA/pix2pixHD): state dicts in and out.

The architecture is read off the names and shapes; a state dict that does not fit to the last
tensor is refused.
"""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from torch import Tensor, nn

from i2ibench.discriminators.multi_scale import MultiScaleDiscriminator
from i2ibench.encoders.instance import InstanceEncoder
from i2ibench.errors import UserError
from i2ibench.generators.coarse_to_fine import CoarseToFineGenerator

State = Mapping[str, Tensor]
Network = TypeVar("Network", bound=nn.Module)


def generator_from_official(state: State) -> CoarseToFineGenerator:
    """The generator of a `latest_net_G.pth`: global, or with any number of local enhancers.

    Raises:
        UserError: the names or shapes are not those of such a generator.
    """
    state = _without_wrapper(state)
    try:
        num_enhancers = max((int(m[1]) for m in _matches(r"model(\d+)_1\.", state)), default=0)
        blocks = {int(m[1]) for m in _matches(r"model\.(\d+)\.conv_block", state)}
        enhancer_blocks = {m[1] for m in _matches(r"model1_2\.(\d+)\.conv_block", state)}
        stem = state["model.1.weight"]
        generator = CoarseToFineGenerator(
            in_channels=stem.shape[1],
            out_channels=state[_last_weight(state, num_enhancers)].shape[0],
            base_channels=stem.shape[0] >> num_enhancers,
            num_enhancers=num_enhancers,
            num_downsamplings=(min(blocks) - 4) // 3,
            num_blocks=len(blocks),
            num_enhancer_blocks=len(enhancer_blocks) or 3,
        )
    except (KeyError, ValueError, RuntimeError, ZeroDivisionError) as error:
        raise _not_official("generator", state) from error
    return _fill(generator, state, _generator_name(generator))


def generator_to_official(generator: CoarseToFineGenerator) -> dict[str, Tensor]:
    """The generator's weights under the official names."""
    return _rename(generator, _generator_name(generator))


def encoder_from_official(state: State) -> InstanceEncoder:
    """The encoder of a `latest_net_E.pth`.

    Raises:
        UserError: the names or shapes are not those of such an encoder.
    """
    state = _without_wrapper(state)
    try:
        last = max(int(m[1]) for m in _matches(r"model\.(\d+)\.weight", state))
        stem = state["model.1.weight"]
        encoder = InstanceEncoder(
            out_channels=state[f"model.{last}.weight"].shape[0],
            in_channels=stem.shape[1],
            base_channels=stem.shape[0],
            num_downsamplings=(last - 5) // 6,
        )
    except (KeyError, ValueError, RuntimeError) as error:
        raise _not_official("encoder", state) from error
    return _fill(encoder, state, _encoder_name)


def encoder_to_official(encoder: InstanceEncoder) -> dict[str, Tensor]:
    """The encoder's weights under the official names."""
    return _rename(encoder, _encoder_name)


def discriminator_from_official(state: State) -> MultiScaleDiscriminator:
    """The discriminators of a `latest_net_D.pth`, with or without exposed features.

    The official files number the scales from the coarsest; this project from the finest.

    Raises:
        UserError: the names or shapes are not those of such discriminators.
    """
    state = _without_wrapper(state)
    exposed = any(name.startswith("scale") for name in state)
    try:
        scales = {int(m[1]) for m in _matches(r"(?:scale|layer)(\d+)", state)}
        convolutions = [v for k, v in state.items() if re.match(r"(scale|layer)0.*weight$", k)]
        first = convolutions[0]
        discriminator = MultiScaleDiscriminator(
            in_channels=first.shape[1],
            num_scales=len(scales),
            base_channels=first.shape[0],
            num_layers=len(convolutions) - 2,
        )
    except (IndexError, RuntimeError) as error:
        raise _not_official("discriminator", state) from error
    return _fill(discriminator, state, _discriminator_name(len(scales), exposed))


def discriminator_to_official(
    discriminator: MultiScaleDiscriminator, exposed: bool = True
) -> dict[str, Tensor]:
    """The discriminators' weights under the official names.

    Args:
        discriminator: what to write.
        exposed: the names of a model with feature matching, or of one without.
    """
    return _rename(discriminator, _discriminator_name(len(discriminator.scales), exposed))


def _generator_name(generator: CoarseToFineGenerator) -> Callable[[str], str]:
    """From this project's names to the official ones."""
    num_enhancers = len(generator.enhancers)
    if num_enhancers:
        last = generator.enhancers[-1]
        assert isinstance(last.back, nn.Sequential)
        head = f"model{num_enhancers}_2.{len(last.back) + 1}"
    else:
        head = f"model.{len(generator.coarse) + 1}"

    def name(own: str) -> str:
        own = re.sub(r"^coarse\.", "model.", own)
        own = re.sub(r"^enhancers\.(\d+)\.front", lambda m: f"model{int(m[1]) + 1}_1", own)
        own = re.sub(r"^enhancers\.(\d+)\.back", lambda m: f"model{int(m[1]) + 1}_2", own)
        return re.sub(r"^head\.1", head, own).replace(".branch.", ".conv_block.")

    return name


def _encoder_name(own: str) -> str:
    return re.sub(r"^layers\.", "model.", own)


def _discriminator_name(num_scales: int, exposed: bool) -> Callable[[str], str]:
    def name(own: str) -> str:
        _, scale, _, layer, _, kind = own.split(".")
        official_scale = num_scales - 1 - int(scale)
        if exposed:
            return f"scale{official_scale}_layer{layer}.0.{kind}"
        # Without exposed features the layers stand in one chain: conv, leak, then conv, norm, leak.
        index = 0 if layer == "0" else 3 * int(layer) - 1
        return f"layer{official_scale}.{index}.{kind}"

    return name


def _last_weight(state: State, num_enhancers: int) -> str:
    prefix = f"model{num_enhancers}_2" if num_enhancers else "model"
    last = max(int(m[1]) for m in _matches(rf"{prefix}\.(\d+)\.weight", state))
    return f"{prefix}.{last}.weight"


def _matches(pattern: str, state: State) -> list[re.Match[str]]:
    return [m for m in (re.match(pattern, name) for name in state) if m]


def _without_wrapper(state: State) -> dict[str, Tensor]:
    """The state dict without the `module.` that DataParallel puts before every name."""
    return {name.removeprefix("module."): value for name, value in state.items()}


def _rename(network: nn.Module, name: Callable[[str], str]) -> dict[str, Tensor]:
    return {name(own): value for own, value in network.state_dict().items()}


def _fill(network: Network, state: State, name: Callable[[str], str]) -> Network:
    """Put the official weights into the network, every one of them.

    Raises:
        UserError: names or shapes differ; the first three are listed.
    """
    own = {name(key): key for key in network.state_dict()}
    differing = sorted(own.keys() ^ state.keys())
    shapes = {official: network.state_dict()[key].shape for official, key in own.items()}
    differing = differing or [n for n in own if shapes[n] != state[n].shape]
    if differing:
        raise UserError(
            f"The state dict does not fit {type(network).__name__} as its names and shapes "
            f"suggest; {len(differing)} tensors differ, first: {', '.join(differing[:3])}."
        )
    network.load_state_dict({own[official]: value for official, value in state.items()})
    return network


def _not_official(kind: str, state: State) -> UserError:
    first = ", ".join(list(state)[:3]) or "nothing"
    return UserError(f"This is no official pix2pixHD {kind}; it holds {first}, ...")
