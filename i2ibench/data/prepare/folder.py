"""A user's own folders with a class list: colours become ids, connected regions instances."""

from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from i2ibench.data.class_colours import channels_of_colours, is_coloured
from i2ibench.data.classes import ClassTable
from i2ibench.data.datasets.paired_folder import pair_by_name, read_classes
from i2ibench.data.foreign_annotations import adding_annotation_advice
from i2ibench.data.image_reading import read_map_pixels, read_rgb
from i2ibench.data.maps import read_label
from i2ibench.data.prepare.dataset_readers import (
    Content,
    Contents,
    DatasetReader,
    SourceData,
    SourceScene,
    number_instances,
    require,
    scene_name,
    things_of,
)
from i2ibench.data.scenes import SceneFiles
from i2ibench.errors import UserError

OBTAIN = (
    "Your own data is a folder with classes.json, train/label, train/image, val/label and "
    "val/image, and by choice train/instance and so on, with files of equal names. classes.json "
    'lists the classes: [{"name": "sky", "id": 23, "colour": [70, 130, 180]}, ...]; "thing": true '
    "marks what has instances."
)
SPLITS = ("train", "val", "test")


def read_folder(source: Path, components: bool = False) -> SourceData:
    """Read label maps of class ids, which stay as they are, or of colours, which become ids.

    The data are a user's own folders of label maps and photos with equal names. Label maps are read
    when a scene is written. Data whose label maps hold ids need not be prepared: `PairedFolder`
    reads it. The splits are train/ and val/, and test/ if it exists. Existing instance maps are
    used.

    Args:
        source: the folder with classes.json.
        components: make instance maps in which every connected region of a thing is an object.
            Objects that touch become one.

    Raises:
        UserError: files are missing or have no partner; or `components` is set, but there are
            instance maps, or classes.json marks no class as a thing.
    """
    with adding_annotation_advice(source):
        return _read_folder(source, components)


def _read_folder(source: Path, components: bool) -> SourceData:
    require(source / "classes.json", OBTAIN)
    classes = read_classes(source)
    if components and not things_of(classes).any():
        raise UserError(f'{source / "classes.json"} marks no class with "thing": true. {OBTAIN}')
    splits = {}
    for split in SPLITS:
        if (source / split).is_dir():
            folders = {kind: source / split / kind for kind in ("label", "instance", "image")}
            if not folders["instance"].is_dir():
                del folders["instance"]
            elif components:
                raise UserError(
                    f"{folders['instance']} has instance maps; leave components=true out."
                )
            splits[split] = [
                SourceScene(scene_name(files.name), partial(_read, files, classes, components))
                for files in pair_by_name(folders)
            ]
    if not {"train", "val"} <= splits.keys():
        raise UserError(f"{source} lacks train/ or val/. {OBTAIN}")
    return SourceData(splits, classes)


def _read(files: SceneFiles, classes: ClassTable, components: bool) -> Contents:
    assert files.label is not None and files.image is not None
    contents: dict[str, Content] = {"label": files.label, "image": files.image}
    pixels = read_map_pixels(files.label)
    if is_coloured(pixels, classes):
        channels = channels_of_colours(read_rgb(files.label), classes, str(files.label))
        contents["label"] = classes.values()[channels]
    if components:
        label = contents["label"]
        if isinstance(label, Path):
            label = classes.values()[read_label(label, classes)]
        contents["instance"] = number_instances(label, _regions(label), things_of(classes))
    elif files.instance is not None:
        contents["instance"] = files.instance
    return contents


def _regions(label: NDArray[np.integer]) -> NDArray[Any]:
    """Return a number for the region of each pixel, int32 [H,W], from 1 on within each class.

    A region is an 8-connected area of one class. Regions of different classes share numbers.
    """
    numbers = np.zeros(label.shape, np.int32)
    for value in np.unique(label):
        here = (label == value).astype(np.uint8)
        numbers += cv2.connectedComponents(here, connectivity=8)[1]
    return numbers


FOLDER = DatasetReader(read_folder, OBTAIN)
