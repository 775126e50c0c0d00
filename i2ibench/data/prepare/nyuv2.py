"""NYU Depth v2, indoor (Silberman et al. 2012), the 1,449 labelled scenes."""

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.classes import ClassTable, class_table
from i2ibench.data.prepare.matlab import HDF5File, read_v5
from i2ibench.data.prepare.raw import (
    Content,
    PublishedData,
    RawData,
    RawScene,
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
"""What the depth camera sees too, as the publisher's toolbox cuts it out: 561x427 of 640x480
(rows 45..471 and columns 41..601 in MATLAB's count). Outside is the white border."""


def read_nyuv2(source: Path, mapping: str = "classMapping40.mat", crop: bool = True) -> RawData:
    """The official 795 training and 654 test scenes with the 40 usual classes and instances.

    The 894 names of the labels are more than the 256 classes of a label map, so a mapping is
    needed: `mapClass`, the class of every name, and `className`. Unlabelled pixels (0) are void.
    Walls, floors and ceilings are stuff, everything else has instances.

    Args:
        source: the folder that holds the three files.
        mapping: a file in that folder, or elsewhere, such as one for 13 classes.
        crop: to the 561x427 pixels inside of the white border.

    Raises:
        UserError: a file is missing, broken or another, or h5py is missing.
    """
    path = require(source / "nyu_depth_v2_labeled.mat", OBTAIN)
    table, classes = read_mapping(require(source / mapping, OBTAIN))
    indices = read_splits(require(source / "splits.mat", OBTAIN))
    file = HDF5File(path)
    count = min(file.array(name, size).shape[0] for name, size in _ARRAYS.items())
    beyond = [i for chosen in indices.values() for i in chosen if not 1 <= i <= count]
    if beyond:
        raise UserError(f"splits.mat names the scene {beyond[0]}, but {path} has {count}. {OBTAIN}")
    window = WINDOW if crop else (slice(None), slice(None))
    read = partial(_read, file, table, things_of(classes), window)
    splits = {
        split: [RawScene(f"{i:04d}", partial(read, i - 1)) for i in chosen]
        for split, chosen in indices.items()
    }
    return RawData(splits, classes)


_ARRAYS = {"images": 4, "labels": 3, "instances": 3}


def read_mapping(path: Path) -> tuple[NDArray[np.uint8], ClassTable]:
    """By label 0..894 the class that it counts as, and the classes with void as 0.

    Raises:
        UserError: the file has no `mapClass` and `className`, or they do not go together.
    """
    variables = read_v5(path)
    if not {"mapClass", "className"} <= variables.keys():
        found = ", ".join(name for name in variables if not name.startswith("_"))
        raise UserError(f"{path} has no mapClass and className, but {found}. {OBTAIN}")
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


def read_splits(path: Path) -> dict[str, list[int]]:
    """The scenes of each split, counted from 1.

    Raises:
        UserError: the file has no `trainNdxs` and `testNdxs`.
    """
    variables = read_v5(path)
    if not set(SPLITS.values()) <= variables.keys():
        raise UserError(f"{path} has no trainNdxs and testNdxs. {OBTAIN}")
    return {
        split: np.atleast_1d(variables[name]).astype(int).tolist() for split, name in SPLITS.items()
    }


def _read(
    file: HDF5File,
    table: NDArray[np.uint8],
    things: NDArray[np.bool_],
    window: tuple[slice, slice],
    index: int,
) -> dict[str, Content]:
    image, names, numbers = (file.slice(name, n, index)[window] for name, n in _ARRAYS.items())
    if names.max(initial=0) >= len(table):
        raise UserError(
            f"{file.path} has the label {names.max()}, but the mapping ends at {len(table) - 1}."
        )
    label = table[names]
    # A chair and a rolling chair may both be number 1; the 40 classes make both chairs.
    objects = np.where(numbers > 0, names.astype(np.int64) * 2**16 + numbers, 0)
    return {"label": label, "instance": number_instances(label, objects, things), "image": image}


NYUV2 = PublishedData(read_nyuv2, OBTAIN, "configs/pix2pixhd_nyuv2.py")
