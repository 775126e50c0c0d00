"""Processors: which one torch computes on here, and what each can do."""

import torch


def best_device() -> str:
    """Return "cuda" if there is a GPU of NVIDIA's or AMD's, "mps" on Apple's, else "cpu"."""
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def most_precise_dtype(device: torch.device) -> torch.dtype:
    """Return the most exact floating-point type of a device: float64, but float32 on Apple's."""
    return torch.float32 if device.type == "mps" else torch.float64
