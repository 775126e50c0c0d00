"""MATLAB's files: version 5 through SciPy, version 7.3 (which is HDF5) through h5py."""

from pathlib import Path
from typing import Any

import numpy as np
import scipy.io

from i2ibench.errors import UserError


def read_v5(path: Path) -> dict[str, Any]:
    """The variables of a file up to version 7, singleton dimensions squeezed away.

    Raises:
        UserError: the file is broken, or of version 7.3.
    """
    try:
        return scipy.io.loadmat(path, squeeze_me=True)
    except Exception as error:  # whatever a broken file makes the parser raise
        raise UserError(f"{path} is no MATLAB file up to version 7: {error}") from None


class HDF5File:
    """A file of version 7.3: arrays by name, with MATLAB's order of dimensions reversed.

    Raises:
        UserError: h5py is missing, or the file is broken or of an older version.
    """

    def __init__(self, path: Path) -> None:
        try:
            import h5py
        except ImportError:
            raise UserError(
                f'{path} is HDF5, which h5py reads: pip install "i2ibench[data]".'
            ) from None
        self.path = path
        try:
            self._file = h5py.File(path, "r")
        except OSError as error:
            raise UserError(
                f"{path} is no MATLAB file of version 7.3, or was not downloaded to its end: "
                f"{error}"
            ) from None

    def array(self, name: str, dimensions: int) -> Any:
        """The array, read where it is indexed.

        Raises:
            UserError: the file has none of that name or number of dimensions.
        """
        found = self._file.get(name)
        if found is None or len(getattr(found, "shape", ())) != dimensions:
            holds = ", ".join(f"{key} {getattr(v, 'shape', '')}" for key, v in self._file.items())
            raise UserError(
                f"{self.path} has no {dimensions}-dimensional {name!r}; it has {holds}."
            )
        return found

    def slice(self, name: str, dimensions: int, index: int) -> np.ndarray:
        """Entry `index` of MATLAB's last dimension, the others in MATLAB's order."""
        return np.asarray(self.array(name, dimensions)[index]).T
