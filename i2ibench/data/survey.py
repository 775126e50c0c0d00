"""What the files of a data set hold: sizes, classes, instances, and what cannot be used."""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from i2ibench.data.codings import require_class_ids
from i2ibench.data.kinds import KINDS
from i2ibench.data.maps import UnknownIdError, read_ids, read_label_map
from i2ibench.data.pixel_formats import RGB, PixelFormat, read_image
from i2ibench.data.scenes import SceneFiles, Scenes, check_sizes
from i2ibench.data.tar_members import read_bytes
from i2ibench.errors import UserError
from i2ibench.io.threads import map_in_threads


@dataclass(frozen=True)
class Fault:
    """Why something of a scene cannot be used.

    Attributes:
        message: what is wrong.
        error: the kind of error that said so, without what it holds on to.
        unknown_id: in a label map, a value that is no class's id.
    """

    message: str
    error: type[UserError]
    unknown_id: int | None = None


@dataclass
class SceneSurvey:
    """The contents of one scene's files.

    Attributes:
        files: the scene.
        faults: by kind of file or "sizes", why it cannot be used.
        size: (width, height) of the input; None where it cannot be read.
        pixels: of each class, int64 [N]; None without a readable label map.
        regions: int64 [R,3], rows of instance id, class, pixels; None without both maps.
        bits: of an instance id in its file.
        digest: of the photo's bytes, or of the input's where there is none.
        coding: how the label map's values stand for classes, see `LabelMap`.
        formats: of the data set's images, see `Scenes`.
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
    """The facts of every scene, in order.

    Every file is read as training reads it.

    Args:
        scenes: what to read.
        on_scene: called after each scene.
    """
    return map_in_threads(partial(examine, scenes=scenes), scenes.files, on_scene)


def examine(files: SceneFiles, scenes: Scenes) -> SceneSurvey:
    """Return the facts of one scene of a data set; what cannot be read is a fault, not an error."""
    facts, classes = SceneSurvey(files, formats=scenes.formats), scenes.classes
    sizes: dict[str, tuple[int, ...]] = {}
    label = ids = None
    with _noting(facts, "label"):
        if files.label is not None:
            found = read_label_map(files.label, classes)
            label, facts.coding = found.channels, found.coding
            sizes["label"] = label.shape
            facts.pixels = np.bincount(label.ravel(), minlength=len(classes))
    with _noting(facts, "instance"):
        if files.instance is not None:
            ids = read_ids(files.instance)
            sizes["instance"], facts.bits = ids.shape, 8 * ids.dtype.itemsize
            if label is not None and scenes.guesses_classes:
                require_class_ids(files.instance, label, ids, classes)
    for kind in files.paths:
        if kind not in ("label", "instance"):
            with _noting(facts, kind):
                sizes[kind] = _read(files, kind, scenes).shape[:2]
    with _noting(facts, "sizes"):
        check_sizes(files, sizes)
    if sizes:
        height, width = next(iter(sizes.values()))
        facts.size = width, height
    if label is not None and ids is not None and label.shape == ids.shape:
        facts.regions = regions_of(label, ids)
    with _noting(facts, "input"):
        facts.digest = _digest(files.image or files.input)
    return facts


def _read(files: SceneFiles, kind: str, scenes: Scenes) -> NDArray[Any]:
    read, path = KINDS[kind].read, files.paths[kind]
    if read is not None:
        return read(path, scenes.classes)
    return read_image(path, scenes.formats.get(kind, RGB))


@contextmanager
def _noting(facts: SceneSurvey, kind: str) -> Iterator[None]:
    try:
        yield
    except UserError as error:
        unknown_id = error.value if isinstance(error, UnknownIdError) else None
        facts.faults[kind] = Fault(str(error), type(error), unknown_id)
    except FileNotFoundError:
        pass  # which reading it has noted


def regions_of(label: NDArray[np.uint8], ids: NDArray[np.integer]) -> NDArray[np.int64]:
    """Every pair of instance id and class with its pixels, int64 [R,3], sorted.

    Runs of equal pixels are counted, which are far fewer than pixels.

    Args:
        label: channels [H,W].
        ids: [H,W].
    """
    narrow = np.uint32 if ids.dtype.itemsize <= 2 else np.int64  # half the memory to go through
    wide: NDArray[Any] = ids.astype(narrow)
    joined = (wide * 256 + label).ravel()
    if not joined.size:
        return np.zeros((0, 3), np.int64)
    starts = np.concatenate([[0], np.flatnonzero(joined[1:] != joined[:-1]) + 1])
    lengths = np.diff(starts, append=joined.size)
    pairs, place = np.unique(joined[starts], return_inverse=True)
    pixels = np.bincount(place.ravel(), lengths, len(pairs)).astype(np.int64)
    return np.stack([pairs.astype(np.int64) >> 8, pairs & 255, pixels], 1)


def _digest(path: Path) -> str:
    return hashlib.blake2b(read_bytes(path), digest_size=16).hexdigest()


@dataclass
class ClassCounts:
    """Counts of the classes in a split.

    Attributes:
        pixels: of each class, int64 [N].
        scenes: that have the class, int64 [N].
        instances: of each class, int64 [N], where there are instance maps.
    """

    pixels: NDArray[np.int64]
    scenes: NDArray[np.int64]
    instances: NDArray[np.int64]


def count_classes(facts: Sequence[SceneSurvey], count: int) -> ClassCounts:
    """The sums over the scenes whose maps could be read.

    Args:
        facts: of the scenes.
        count: classes.
    """
    use = ClassCounts(*(np.zeros(count, np.int64) for _ in range(3)))
    for scene in facts:
        if scene.pixels is not None:
            use.pixels += scene.pixels
            use.scenes += scene.pixels > 0
        if scene.regions is not None:
            use.instances += np.bincount(scene.regions[:, 1], minlength=count)
    return use
