"""Choice of the torch device and of the most precise dtype that it supports."""

import torch

from i2ibench.errors import UserError


def best_device() -> str:
    """Return "cuda" with an NVIDIA or AMD GPU, "mps" with an Apple GPU, else "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def most_precise_dtype(device: torch.device) -> torch.dtype:
    """Return float64, or float32 on Apple GPUs ("mps"), which have no float64."""
    return torch.float32 if device.type == "mps" else torch.float64


def checked_device(name: str, argument: str = "--device") -> str:
    """Return the name of a device unchanged, if torch can make a tensor on that device.

    Args:
        name: the name, such as "cuda:1".
        argument: the option or argument that names the device, for the message.

    Raises:
        UserError: torch cannot use the device.
    """
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{argument} {name} cannot be used: {reason}") from None
    return name
