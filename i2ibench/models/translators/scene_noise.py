"""Random numbers seeded by a scene's name, so that images do not depend on their batch."""

import random
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from i2ibench.errors import UserError
from i2ibench.structures import Batch


@contextmanager
def drawing_for(name: str, device: torch.device) -> Iterator[None]:
    """Seed torch's random numbers by a scene's name for a `with` block, and restore them after it.

    Args:
        name: the scene's name.
        device: the device that the block computes on.
    """
    # fork_rng does not save the state of MPS.
    mps_state = torch.mps.get_rng_state() if device.type == "mps" else None
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(zlib.crc32(name.encode()))
        try:
            yield
        finally:
            if mps_state is not None:
                torch.mps.set_rng_state(mps_state)


@contextmanager
def draws_nothing(method: str, device: torch.device) -> Iterator[None]:
    """Check that a `with` block draws no random numbers from torch's global generators.

    Args:
        method: the name of the translator's class, for the message.
        device: the device that the method computes on.

    Raises:
        UserError: random numbers were drawn, so that images would depend on earlier images.
    """
    before = _states(device)
    yield
    if not all(torch.equal(*pair) for pair in zip(before, _states(device), strict=True)):
        raise UserError(
            f"{method} draws from torch's own generator in synthesise although it has batched = "
            "True: an image would depend on the images made before it. Draw with scene_noise, or "
            "leave batched out."
        )


def _states(device: torch.device) -> list[Tensor]:
    """Return the states of torch's random generators for the CPU and for a CUDA device in use.

    The list is empty for the meta device.
    """
    own = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return [] if device.type == "meta" else [torch.get_rng_state(), *own]


def scene_noise(batch: Batch, channels: int, size: Sequence[int], draw: str = "") -> Tensor:
    """Return normal noise float32 B`channels`HW on the batch's device, seeded by the scenes' names.

    A method that translates several scenes at once (`Translator.batched`) must draw only with this
    function. A scene's noise then does not depend on the other scenes of its batch. Two calls
    return the same noise unless `draw` differs. On the meta device the result has no values.

    Args:
        batch: preprocessed scenes; several samples of a scene have different names.
        channels: the number of channels of the noise.
        size: the (height, width) of the noise.
        draw: a name for this draw, for methods that draw several times for a scene, such as once in
            each step of a sampler.
    """
    device = batch["condition"].device
    if _GIVEN:
        return _given(_GIVEN[-1], channels, draw)
    if device.type == "meta":
        return torch.empty(len(batch["names"]), channels, *size, device=device)
    drawn = []
    for name in batch["names"]:
        generator = torch.Generator(device).manual_seed(zlib.crc32(f"{name}{draw}".encode()))
        drawn.append(torch.randn(channels, *size, generator=generator, device=device))
    return torch.stack(drawn)


@contextmanager
def given_noise(noise: Tensor | None) -> Iterator[None]:
    """Let `scene_noise` return given noise in a `with` block, so that an export has it as input.

    Args:
        noise: BCHW; None changes nothing.
    """
    if noise is None:
        yield
        return
    _GIVEN.append(noise)
    try:
        yield
    finally:
        _GIVEN.pop()


_GIVEN: list[Tensor] = []


def _given(noise: Tensor, channels: int, draw: str) -> Tensor:
    if draw or noise.shape[1] != channels:
        raise UserError(
            "This method draws noise several times for an image, or other noise than an image's: "
            "it cannot be exported with one input of noise."
        )
    return noise


def new_draw() -> str:
    """Return a new random name for a draw of `scene_noise`, for use in training.

    The name comes from Python's random numbers, which are equal in all processes. Several processes
    therefore draw the same noise for a scene as one would. A resumed run continues the sequence.
    """
    return f"#{random.getrandbits(64):016x}"
