"""Reading pickles of arrays from other sources without executing code in them."""

import pickle
from typing import IO, Any

import numpy as np

ALLOWED = {
    ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"),
    ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.multiarray", "scalar"), ("numpy._core.multiarray", "scalar"),
}  # fmt: skip
"""The functions that a pickle of containers of arrays needs; none can execute foreign code."""


def load_arrays(file: IO[bytes]) -> Any:
    """Return the arrays, numbers, texts, lists and dicts in the pickle at the file's position.

    Raises:
        UnpicklingError: the pickle asks for another function, which is not executed. A broken
            pickle may make the unpickler raise any exception.
    """
    return _ArraysOnly(file).load()


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Return a function or class that a pickle names, if arrays need it; refuse all others.

        Raises:
            UnpicklingError: the name is not in `ALLOWED`.
        """
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        core = "numpy._core" if hasattr(np, "_core") else "numpy.core"  # since numpy 2, before
        return super().find_class(module.replace("numpy.core", core), name)
