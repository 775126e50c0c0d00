"""Survey of a data set's files: sizes, classes, instances, and files that cannot be used."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.codings import require_class_ids
from i2ibench.data.maps import UnknownIdError, read_ids, read_label_map
from i2ibench.data.pixel_formats import PixelFormat
from i2ibench.data.scenes import SceneFiles, Scenes, check_sizes, read_file
from i2ibench.data.tar_members import read_bytes
from i2ibench.errors import UserError
from i2ibench.io.thread_pools import map_in_threads


@dataclass(frozen=True)
class Fault:
    """An error that a file of a scene raised.

    Attributes:
        message: the message of the error.
        error: the class of the error. The error itself would keep large arrays in memory.
        unknown_id: a value in a label map that is not the id of a class, or None.
    """

    message: str
    error: type[UserError]
    unknown_id: int | None = None


@dataclass
class SceneSurvey:
    """The measurements of one scene's files.

    Attributes:
        files: the files of the scene.
        faults: the fault of each kind of file, and the fault "sizes" if sizes differ.
        size: (width, height) of the input; None if no file can be read.
        pixels: pixels of each class, int64 [N]; None without a readable label map.
        regions: rows of instance id, class and number of pixels, int64 [R,3]; None if one of both
            maps is missing or cannot be read.
        bits: bits of an instance id in its file; None without an instance map.
        digest: hash of the photo's bytes, or of the input's bytes without a photo.
        coding: the coding of the label map, see `LabelMap`.
        formats: the formats of the data set's images, see `Scenes`.
    """

    files: SceneFiles
    faults: dict[str, Fault] = field(default_factory=dict)
    size: tuple[int, int] | None = None
    pixels: NDArray[np.int64] | None = None
    regions: NDArray[np.int64] | None = None
    bits: int | None = None
    digest: str = ""
    coding: str = ""
    formats: Mapping[str, PixelFormat] = field(default_factory=dict)


def survey(scenes: Scenes, on_scene: Callable[[], None] | None = None) -> list[SceneSurvey]:
    """Read every file of a data set, in threads, and return the survey of each scene in order.

    Files that cannot be used are faults in the surveys, not errors. Neither transforms nor the
    cache are used.

    Args:
        scenes: the scenes of the data set.
        on_scene: called after each scene, in several threads at once.
    """
    return map_in_threads(partial(survey_scene, scenes=scenes), scenes.files, on_scene)


def survey_scene(files: SceneFiles, scenes: Scenes) -> SceneSurvey:
    """Read the files of one scene and return its survey; unusable files are faults, not errors.

    Args:
        files: the files of the scene.
        scenes: the data set, for its class table and formats.
    """
    result, classes = SceneSurvey(files, formats=scenes.formats), scenes.classes
    sizes: dict[str, tuple[int, ...]] = {}
    label = ids = None
    with _recording_fault(result, "label"):
        if files.label is not None:
            label_map = read_label_map(files.label, classes)
            label, result.coding = label_map.channels, label_map.coding
            sizes["label"] = label.shape
            result.pixels = np.bincount(label.ravel(), minlength=len(classes))
    with _recording_fault(result, "instance"):
        if files.instance is not None:
            ids = read_ids(files.instance)
            sizes["instance"], result.bits = ids.shape, 8 * ids.dtype.itemsize
            if label is not None and scenes.guesses_classes:
                require_class_ids(files.instance, label, ids, classes)
    for kind in files.paths:
        if kind not in ("label", "instance"):
            with _recording_fault(result, kind):
                sizes[kind] = read_file(files, kind, classes, scenes.formats).shape[:2]
    with _recording_fault(result, "sizes"):
        check_sizes(files, sizes)
    if sizes:
        height, width = next(iter(sizes.values()))
        result.size = width, height
    if label is not None and ids is not None and label.shape == ids.shape:
        result.regions = regions_of(label, ids)
    with _recording_fault(result, "input"):
        contents = read_bytes(files.image or files.input)
        result.digest = hashlib.blake2b(contents, digest_size=16).hexdigest()
    return result


@contextmanager
def _recording_fault(result: SceneSurvey, kind: str) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        unknown_id = error.value if isinstance(error, UnknownIdError) else None
        result.faults[kind] = Fault(str(error), type(error), unknown_id)
    except FileNotFoundError:
        pass  # reading the file as an image has recorded the fault


def regions_of(label: NDArray[np.uint8], ids: NDArray[np.integer]) -> NDArray[np.int64]:
    """Return the number of pixels of each pair of instance id and class that occurs in a scene.

    Args:
        label: class channels [H,W].
        ids: instance ids [H,W].

    Returns:
        Rows of instance id, class and number of pixels, int64 [R,3], sorted by id and then class.
    """
    narrow = np.uint32 if ids.dtype.itemsize <= 2 else np.int64  # uint32 needs half the memory
    wide: NDArray[Any] = ids.astype(narrow)
    joined = (wide * 256 + label).ravel()
    if not joined.size:
        return np.zeros((0, 3), np.int64)
    # Runs of equal pixels are far fewer than pixels.
    starts = np.concatenate([[0], np.flatnonzero(joined[1:] != joined[:-1]) + 1])
    lengths = np.diff(starts, append=joined.size)
    pairs, place = np.unique(joined[starts], return_inverse=True)
    pixels = np.bincount(place.ravel(), lengths, len(pairs)).astype(np.int64)
    return np.stack([pairs.astype(np.int64) >> 8, pairs & 255, pixels], 1)


@dataclass
class ClassCounts:
    """The counts of each class in a split.

    Attributes:
        pixels: the number of pixels of each class, int64 [N].
        scenes: the number of scenes with each class, int64 [N].
        instances: the number of instances of each class, int64 [N]; 0 without instance maps.
    """

    pixels: NDArray[np.int64]
    scenes: NDArray[np.int64]
    instances: NDArray[np.int64]


def count_classes(surveys: Sequence[SceneSurvey], count: int) -> ClassCounts:
    """Return the pixels, scenes and instances of each class, summed over surveys of scenes.

    Maps that could not be read are left out. Each instance id that a class has in a scene counts as
    an instance, also an id that stands for no single object.

    Args:
        surveys: the survey of each scene.
        count: the number of classes.
    """
    counts = ClassCounts(*(np.zeros(count, np.int64) for _ in range(3)))
    for scene in surveys:
        if scene.pixels is not None:
            counts.pixels += scene.pixels
            counts.scenes += scene.pixels > 0
        if scene.regions is not None:
            counts.instances += np.bincount(scene.regions[:, 1], minlength=count)
    return counts
