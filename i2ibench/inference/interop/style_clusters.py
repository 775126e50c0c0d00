"""The released code's K-means file, a .npy with a pickled dict of the centres of each class."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from i2ibench.errors import UserError
from i2ibench.inference.interop.pickled_arrays import load_arrays
from i2ibench.io.files import write_file

Centres = dict[int, NDArray[np.float32]]


def read_clusters(path: Path) -> Centres:
    """Return the K-means centres of each class in a .npy file, float32 [k,C] by class.

    Code in a hostile file is not executed.

    Raises:
        UserError: the file is missing, broken, or no dict of arrays.
    """
    try:
        with path.open("rb") as file:
            content = _read_object(file)
        return {int(label): np.asarray(c, np.float32) for label, c in content.items()}
    except FileNotFoundError:
        raise UserError(f"There is no K-means file at {path}.") from None
    except Exception as error:  # a foreign file may make the unpickler raise any exception
        raise UserError(f"{path} cannot be read as K-means centres: {error}") from None


def write_clusters(centres: Mapping[int, NDArray[np.float32]], path: Path) -> None:
    """Write the K-means centres of each class as a .npy file in the released code's format.

    An existing file is replaced.

    Args:
        centres: float [k,C] by class.
        path: the file; its name should end in the number of clusters, which is not added.
    """
    holder = np.array(dict(centres), dtype=object)

    def write(unfinished: Path) -> None:
        with unfinished.open("wb") as file:  # np.save would append .npy to a path
            np.save(file, holder, allow_pickle=True)

    write_file(path, write)


def _read_object(file: BinaryIO) -> dict[Any, Any]:
    version = np.lib.format.read_magic(file)
    assert version in ((1, 0), (2, 0)), f"unknown .npy version {version}"
    if version == (1, 0):
        np.lib.format.read_array_header_1_0(file)
    else:
        np.lib.format.read_array_header_2_0(file)
    return load_arrays(file).item()
