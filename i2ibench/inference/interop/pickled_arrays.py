"""Pickles of arrays that others wrote, opened without running what a hostile one may hold."""

import pickle
from typing import IO, Any

import numpy as np

ALLOWED = {
    ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"),
    ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar"),
}  # fmt: skip
"""What a pickle of plain containers of arrays needs; nothing in it can run foreign code."""


def load_arrays(file: IO[bytes]) -> Any:
    """The arrays, numbers, texts, lists and dicts in the pickle at the file's position.

    Raises:
        UnpicklingError: it asks for something else; nothing in it is run. A broken pickle makes
            the unpickler raise whatever it happens to trip over.
    """
    return _ArraysOnly(file).load()


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Refuse everything that is not part of an array."""
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module.replace("numpy.core", _numpy_core()), name)


def _numpy_core() -> str:
    """Where this numpy keeps what pickles of numpy 1 find in `numpy.core`."""
    return "numpy._core" if hasattr(np, "_core") else "numpy.core"
