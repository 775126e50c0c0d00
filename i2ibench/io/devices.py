"""Choice of the torch device and of the most precise dtype that it supports."""

import torch


def best_device() -> str:
    """Return "cuda" with an NVIDIA or AMD GPU, "mps" with an Apple GPU, else "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def most_precise_dtype(device: torch.device) -> torch.dtype:
    """Return float64, or float32 on Apple GPUs ("mps"), which have no float64."""
    return torch.float32 if device.type == "mps" else torch.float64
