"""The recordings of the released pix2pixHD code that the parity tests compare with.

They are numbers measured by running the official program (NVIDIA/pix2pixHD, 2024-09-30) on narrow
random networks. I2IBENCH_PARITY_DIR names another folder with files of the same names.
"""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

FOLDER = Path(
    os.environ.get("I2IBENCH_PARITY_DIR") or Path(__file__).parents[1] / "data" / "parity"
)

OUTPUT = {"atol": 2e-5, "rtol": 0}
GRADIENT = {"atol": 2e-3, "rtol": 0}


class Recording:
    """One file: tensors by key, and the hyper-parameters it was recorded with."""

    def __init__(self, name: str) -> None:
        with np.load(FOLDER / f"{name}.npz") as archive:
            self.arrays = {key: archive[key] for key in archive.files}
        self.config: dict[str, Any] = json.loads(str(self.arrays["meta/config"].item()))

    def __getitem__(self, key: str) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(self.arrays[key]))

    def weights(self, prefix: str = "w/") -> dict[str, torch.Tensor]:
        return {k.removeprefix(prefix): self[k] for k in self.keys(prefix)}

    def keys(self, prefix: str) -> list[str]:
        return [key for key in self.arrays if key.startswith(prefix)]


@cache
def recording(name: str) -> Recording:
    return Recording(name)
