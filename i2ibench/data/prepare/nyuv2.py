"""The 1,449 labelled indoor scenes of NYU Depth v2 (Silberman et al. 2012), in MATLAB's files."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
from numpy.typing import NDArray

from i2ibench.data.classes import ClassTable, class_table
from i2ibench.data.prepare.dataset_readers import (
    Contents,
    DatasetReader,
    SourceData,
    SourceScene,
    number_instances,
    require,
    things_of,
)
from i2ibench.errors import UserError

OBTAIN = (
    "NYU Depth v2 is nyu_depth_v2_labeled.mat (2.8 GB) in "
    "http://horatio.cs.nyu.edu/mit/silberman/nyu_depth_v2/; beside it belong splits.mat of "
    "http://horatio.cs.nyu.edu/mit/silberman/indoor_seg_sup/ and classMapping40.mat of "
    "https://github.com/ankurhanda/nyuv2-meta-data."
)
SPLITS = {"train": "trainNdxs", "test": "testNdxs"}
STUFF = {"wall", "floor", "ceiling"}
WINDOW = slice(44, 471), slice(40, 601)
"""The 561x427 of 640x480 pixels that the depth camera sees too, as the publisher's toolbox crops
(rows 45..471 and columns 41..601 counted from 1). Outside is the white border."""

_ARRAYS = {"images": 4, "labels": 3, "instances": 3}
"""The arrays of the file that are read, with their number of dimensions."""


def read_nyuv2(source: Path, mapping: str = "classMapping40.mat", crop: bool = True) -> SourceData:
    """Read the official 795 training and 654 test scenes, with 40 classes and instances.

    The scenes of NYU Depth v2 are in the splits "train" and "test"; there is no "val". Their images
    are read when a scene is written. The labels have 894 names, more than the 256 classes of a
    label map. A mapping file assigns each name a class (`mapClass`) and names the classes
    (`className`). Unlabelled pixels (0) are void. Walls, floors and ceilings are stuff, everything
    else has instances.

    Args:
        source: the folder that holds the three files.
        mapping: a file in that folder, or an absolute path, such as one for 13 classes.
        crop: crop to the 561x427 pixels inside of the white border.

    Raises:
        UserError: a file is missing, broken or of another format, or h5py is missing.
    """
    path = require(source / "nyu_depth_v2_labeled.mat", OBTAIN)
    class_of_label, classes = _read_mapping(require(source / mapping, OBTAIN))
    indices = _read_splits(require(source / "splits.mat", OBTAIN))
    file = HDF5File(path)
    count = min(file.array(name, size).shape[0] for name, size in _ARRAYS.items())
    beyond = [i for chosen in indices.values() for i in chosen if not 1 <= i <= count]
    if beyond:
        raise UserError(f"splits.mat names the scene {beyond[0]}, but {path} has {count}. {OBTAIN}")
    window = WINDOW if crop else (slice(None), slice(None))
    read = partial(_read, file, class_of_label, things_of(classes), window)
    splits = {
        split: [SourceScene(f"{i:04d}", partial(read, i - 1)) for i in chosen]
        for split, chosen in indices.items()
    }
    return SourceData(splits, classes)


def _read_mapping(path: Path) -> tuple[NDArray[np.uint8], ClassTable]:
    """Return a lookup table, uint8, of the class id of each label, and the class table.

    Both come from the mapping file `path`. Label 0 is void. The classes are "unlabeled" with id 0,
    not scored, and those of `className` with the ids from 1.
    """
    variables = _read_matlab_5(path)
    if not {"mapClass", "className"} <= variables.keys():
        present = ", ".join(name for name in variables if not name.startswith("_"))
        raise UserError(f"{path} has no mapClass and className, but {present}. {OBTAIN}")
    names = [str(name) for name in np.atleast_1d(variables["className"])]
    numbers = np.atleast_1d(variables["mapClass"]).astype(np.int64)
    if not 1 <= len(names) <= 255 or numbers.min() < 0 or numbers.max() > len(names):
        raise UserError(
            f"{path} maps to the classes {numbers.min()}..{numbers.max()} and names {len(names)}; "
            "a label map holds at most 255 beside void."
        )
    void = {"name": "unlabeled", "id": 0, "colour": [0, 0, 0], "scored": False}
    entries = [{"name": name, "thing": name.lower() not in STUFF} for name in names]
    numbered = [{**entry, "id": i + 1} for i, entry in enumerate(entries)]
    return np.concatenate([[0], numbers]).astype(np.uint8), class_table([void, *numbered])


def _read_splits(path: Path) -> dict[str, list[int]]:
    """Return the numbers of the scenes of "train" and "test" in splits.mat, counted from 1."""
    variables = _read_matlab_5(path)
    if not set(SPLITS.values()) <= variables.keys():
        raise UserError(f"{path} has no trainNdxs and testNdxs. {OBTAIN}")
    return {
        split: np.atleast_1d(variables[name]).astype(int).tolist() for split, name in SPLITS.items()
    }


def _read_matlab_5(path: Path) -> dict[str, Any]:
    """Return the variables of a MATLAB file up to version 7, by name.

    Dimensions of length 1 are dropped.
    """
    try:
        return scipy.io.loadmat(path, squeeze_me=True)
    except Exception as error:  # a broken file may make the parser raise any exception
        raise UserError(f"{path} is no MATLAB file up to version 7: {error}") from None


class HDF5File:
    """A MATLAB file of version 7.3, which is HDF5; dimensions are in the reverse of MATLAB's order.

    Args:
        path: of the file.

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
        """Return an array of the MATLAB file; its values are read when the array is indexed.

        Args:
            name: of the array.
            dimensions: the expected number of dimensions.

        Raises:
            UserError: the file has no array of that name and number of dimensions.
        """
        array = self._file.get(name)
        if array is None or len(getattr(array, "shape", ())) != dimensions:
            holds = ", ".join(f"{key} {getattr(v, 'shape', '')}" for key, v in self._file.items())
            raise UserError(
                f"{self.path} has no {dimensions}-dimensional {name!r}; it has {holds}."
            )
        return array

    def slice(self, name: str, dimensions: int, index: int) -> np.ndarray:
        """Return one entry of an array's last dimension as an array of the other dimensions.

        Dimensions are in MATLAB's order, in the array and in the result.

        Args:
            name: of the array.
            dimensions: the expected number of dimensions of the whole array.
            index: of the entry, from 0.

        Raises:
            UserError: the file has no array of that name and number of dimensions.
        """
        return np.asarray(self.array(name, dimensions)[index]).T


def _read(
    file: HDF5File,
    class_of_label: NDArray[np.uint8],
    things: NDArray[np.bool_],
    window: tuple[slice, slice],
    index: int,
) -> Contents:
    image, names, numbers = (file.slice(name, n, index)[window] for name, n in _ARRAYS.items())
    last = len(class_of_label) - 1
    if names.max(initial=0) > last:
        raise UserError(f"{file.path} has the label {names.max()}, but the mapping ends at {last}.")
    label = class_of_label[names]
    # A chair and a rolling chair may both be number 1; both have the class chair.
    objects = np.where(numbers > 0, names.astype(np.int64) * 2**16 + numbers, 0)
    return {"label": label, "instance": number_instances(label, objects, things), "image": image}


NYUV2 = DatasetReader(read_nyuv2, OBTAIN, "configs/pix2pixhd_nyuv2.py")
