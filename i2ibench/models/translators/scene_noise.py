"""Random numbers that a scene's name decides, so that no image depends on its neighbours."""

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
    """Let torch draw the numbers that a scene's name decides; afterwards it goes on as before."""
    apples = torch.mps.get_rng_state() if device.type == "mps" else None  # fork_rng lacks it
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(_seed_of(name))
        try:
            yield
        finally:
            if apples is not None:
                torch.mps.set_rng_state(apples)


@contextmanager
def draws_nothing(method: str, device: torch.device) -> Iterator[None]:
    """Refuse to draw torch's own random numbers in this block.

    Args:
        method: the name of the class that promises not to.
        device: where it computes.

    Raises:
        UserError: numbers were drawn: images would depend on what else was made before.
    """
    before = _states(device)
    yield
    if not all(torch.equal(*pair) for pair in zip(before, _states(device), strict=True)):
        raise UserError(
            f"{method} draws from torch's own generator in synthesise although it has batched = "
            "True: an image would depend on what was made before it. Draw by scene_noise, or leave "
            "batched out."
        )


def _states(device: torch.device) -> list[Tensor]:
    """The states of torch's random numbers on the CPU and on a GPU in use."""
    own = [torch.cuda.get_rng_state(device)] if device.type == "cuda" else []
    return [] if device.type == "meta" else [torch.get_rng_state(), *own]


def scene_noise(batch: Batch, channels: int, size: Sequence[int], draw: str = "") -> Tensor:
    """Return normal noise B`channels`HW on the batch's device that the scenes' names decide.

    A method that makes several scenes at once (`Translator.batched`) draws with this alone: every
    scene then gets the noise that it would get by itself. Two calls give the same noise unless
    their `draw` differs: a sampler that adds noise at each step names the step.

    Args:
        batch: preprocessed scenes; several samples of a scene have different names.
        channels: of the noise.
        size: (height, width).
        draw: a name for this draw, where a method draws several times for a scene.
    """
    device = batch["condition"].device
    if device.type == "meta":
        return torch.empty(len(batch["names"]), channels, *size, device=device)
    drawn = []
    for name in batch["names"]:
        generator = torch.Generator(device).manual_seed(_seed_of(f"{name}{draw}"))
        drawn.append(torch.randn(channels, *size, generator=generator, device=device))
    return torch.stack(drawn)


def new_draw() -> str:
    """Return another name for a draw of `scene_noise` each time, for use in training.

    The name comes from Python's random numbers. They are alike in all processes, so that several
    processes draw for their scenes what one would, and a resumed run goes on with them.
    """
    return f"#{random.getrandbits(64):016x}"


def _seed_of(name: str) -> int:
    return zlib.crc32(name.encode())
