"""Scenes on disk: the files that belong together, and reading and transforming them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import takewhile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from i2ibench.data.cache import SceneCache, open_cache, source_of
from i2ibench.data.classes import ClassTable
from i2ibench.data.codings import separate_objects
from i2ibench.data.image_reading import image_size
from i2ibench.data.kinds import KINDS, in_order
from i2ibench.data.pixel_formats import RGB, PixelFormat, read_image
from i2ibench.errors import UserError
from i2ibench.registry import TRANSFORMS
from i2ibench.structures import Sample


@dataclass(frozen=True)
class SceneFiles:
    """The files of one scene.

    Attributes:
        name: the name of the scene.
        paths: the file of each kind of data that the scene has, in the order of `KINDS`.
        attributes: a JSON file with the true appearance of the instances, or None.
    """

    name: str
    paths: Mapping[str, Path] = field(default_factory=dict)
    attributes: Path | None = None

    def __post_init__(self) -> None:
        ordered = {kind.name: self.paths[kind.name] for kind in in_order(self.paths)}
        object.__setattr__(self, "paths", ordered)

    @property
    def label(self) -> Path | None:
        """Return the path of the scene's label map, or None if the scene has none."""
        return self.paths.get("label")

    @property
    def instance(self) -> Path | None:
        """Return the path of the scene's instance map, or None if the scene has none."""
        return self.paths.get("instance")

    @property
    def image(self) -> Path | None:
        """Return the path of the scene's photo, which training aims at, or None."""
        return self.paths.get("image")

    @property
    def input(self) -> Path:
        """Return the path of the scene's file to translate.

        This is the first file, in the order of `KINDS`, that is neither instance map nor photo.
        """
        return next(path for kind, path in self.paths.items() if is_input(kind))


def is_input(kind: str) -> bool:
    """Return whether a kind of data can be translated alone: all but "instance" and "image"."""
    return kind not in ("instance", "image")


class Scenes:
    """The scenes of a data set, which are read and transformed; every data-set class holds one.

    Args:
        files: the files of each scene, in order.
        classes: the class table, which maps the values of label files to channels.
        transforms: configs of registered transforms, applied in order.
        seed: the seed of random transforms. They depend on (seed, epoch, index) only, in whatever
            process a scene is read.

    Attributes:
        folders: the folders that were searched for the files by file ending.
        counts_objects: whether instance ids only number objects. Then an object of a thing with its
            class's own id gets another id, see `separate_objects`.
        guessed_ids: whether `counts_objects` was found from some maps, not stated by an option.
        formats: the channels and bits of each kind of image; kinds that are missing are 8-bit RGB.
            Reading a file in another format raises a `UserError`.
        cache_folder: the folder in which `open_cache` keeps the scenes; None to read the files
            every time.
    """

    def __init__(
        self,
        files: Sequence[SceneFiles],
        classes: ClassTable,
        transforms: Sequence[Mapping[str, Any]] = (),
        seed: int = 0,
    ) -> None:
        self.files = list(files)
        self.classes = classes
        self.transforms = [TRANSFORMS.build(cfg) for cfg in transforms]
        self.transform_configs = [dict(cfg) for cfg in transforms]
        self.seed = seed
        self.folders: list[Path] = []
        self.counts_objects = False
        self.guessed_ids = False
        self.formats: dict[str, PixelFormat] = {}
        self.cache_folder: Path | None = None
        self._cache: SceneCache | None = None
        self._cached: list[Any] = []  # the transforms that were applied before caching

    def __len__(self) -> int:
        return len(self.files)

    def read(self, key: int | tuple[int, int]) -> Sample:
        """Return a scene after all transforms, a dict of its `name` and a tensor for each kind.

        Maps are [1,H,W], uint8 or, for `wide` kinds such as instance maps, int32. Images are
        [C,H,W], uint8, or int32 for 16 bits. The scene is read from the cache if `open_cache` was
        called.

        Args:
            key: the index of the scene, or (index, epoch): a new epoch draws new random transforms.
                An index alone means epoch 0.

        Raises:
            IndexError: there is no scene with that index.
            UserError: a file is broken, is not a valid label map, has another format than the data
                set, or differs in size.
        """
        index, epoch = key if isinstance(key, tuple) else (key, 0)
        if not 0 <= index < len(self.files):
            raise IndexError(index)
        arrays, done = None, len(self._cached)
        if self._cache is not None and self.transforms[:done] == self._cached:
            arrays = self._cache.arrays(index)
        if arrays is None:  # there is no cache, or it is damaged at this scene
            arrays, done = self._read_files(index), 0
        arrays["rng"] = np.random.default_rng((self.seed, epoch, index))
        for transform in self.transforms[done:]:
            arrays = transform(arrays)
        return to_sample(self.files[index].name, arrays)

    def _read_files(self, index: int) -> dict[str, Any]:
        arrays = read_arrays(self.files[index], self.classes, self.formats)
        if self.counts_objects and {"label", "instance"} <= arrays.keys():
            ids = separate_objects(arrays["label"], arrays["instance"], self.classes)
            arrays["instance"] = ids
        return arrays

    @property
    def guesses_classes(self) -> bool:
        """Return whether instance ids are taken for Cityscapes' coding only because of some maps.

        No option states the coding then, and the maps that were looked at did not number objects.
        """
        return self.guessed_ids and not self.counts_objects

    @property
    def is_cached(self) -> bool:
        """Return whether the scenes are read from a cache, which `open_cache` has opened."""
        return self._cache is not None

    def one_of_each_size(self) -> list[int]:
        """Return the index of the first scene of every image size in the data set, in order.

        The size is that of the input's file, before the transforms. The headers of all inputs are
        read.

        Raises:
            UserError: an input is missing or not an image.
        """
        first: dict[tuple[int, int], int] = {}
        for index, files in enumerate(self.files):
            first.setdefault(image_size(files.input), index)
        return list(first.values())

    def open_cache(self) -> None:
        """Read scenes from a cache in `cache_folder` from now on; make the cache if it is missing.

        Nothing happens without `cache_folder`, or if a cache is open. The cache holds the scenes
        after all transforms before the first that is not `deterministic`. Samples are the same with
        and without a cache.

        Raises:
            UserError: the cache cannot be made, or a scene is broken.
        """
        if self.cache_folder is None or self._cache is not None:
            return
        done = list(takewhile(lambda t: t.deterministic, self.transforms))
        configs = self.transform_configs[: len(done)]
        inputs = {
            "files": [[f.name, {k: str(v) for k, v in f.paths.items()}] for f in self.files],
            "ids": [c.id for c in self.classes.classes],
            "transforms": [[cfg, source_of(t)] for cfg, t in zip(configs, done, strict=True)],
            "counts_objects": self.counts_objects,
            "formats": {kind: str(one) for kind, one in self.formats.items()},
        }
        paths = [path for f in self.files for path in f.paths.values()]

        def transformed(index: int) -> dict[str, Any]:
            return reduce(lambda arrays, change: change(arrays), done, self._read_files(index))

        self._cache = open_cache(self.cache_folder, inputs, paths, len(self), transformed)
        self._cached = done


def read_arrays(
    files: SceneFiles, classes: ClassTable, formats: Mapping[str, PixelFormat]
) -> dict[str, Any]:
    """Read the files of a scene as arrays by kind of data: maps [H,W] and images [H,W,C].

    No transforms are applied. Label maps hold class channels.

    Args:
        files: the files of the scene.
        classes: the class table.
        formats: the format of each kind of image; kinds that are missing are 8-bit RGB.

    Raises:
        UserError: a file is broken, is not a valid label map, has another format than the data
            set, or differs in size from the other files.
    """
    arrays = {kind: read_file(files, kind, classes, formats) for kind in files.paths}
    check_sizes(files, {kind: array.shape[:2] for kind, array in arrays.items()})
    return arrays


def read_file(
    files: SceneFiles, kind: str, classes: ClassTable, formats: Mapping[str, PixelFormat]
) -> NDArray[Any]:
    """Read one file of a scene, a map [H,W] or an image [H,W,C]; no transforms are applied.

    Args:
        files: the files of the scene.
        kind: the kind of the file, which the scene must have.
        classes: the class table.
        formats: the format of each kind of image; kinds that are missing are 8-bit RGB.

    Raises:
        UserError: the file is broken, is not a valid map, or has another format than the data set.
    """
    read, path = KINDS[kind].read, files.paths[kind]
    return read_image(path, formats.get(kind, RGB)) if read is None else read(path, classes)


def check_sizes(files: SceneFiles, sizes: Mapping[str, tuple[int, ...]]) -> None:
    """Check that all files of a scene have the same size.

    Args:
        files: the scene, for its name in the error message.
        sizes: the (height, width) of each file by kind.

    Raises:
        UserError: sizes differ; the message names the scene and the sizes.
    """
    if len(set(sizes.values())) > 1:
        listing = ", ".join(f"{kind} {w}x{h}" for kind, (h, w) in sizes.items())
        raise UserError(f"The files of scene {files.name!r} differ in size: {listing}.")


def to_sample(name: str, arrays: Mapping[str, NDArray[Any]]) -> Sample:
    """Return the sample of a scene's arrays; see `Scenes.read` for its tensors.

    Args:
        name: the name of the scene.
        arrays: the arrays by kind of data, maps [H,W] and images [H,W,C]. A key "rng" is left out.
    """
    sample: Any = {"name": name}
    for kind in in_order(arrays.keys() - {"rng"}):
        array = arrays[kind.name]
        sample[kind.name] = _tensor(array)[None] if kind.is_map else _tensor(_planes(array))
    return sample


def _planes(image: NDArray[Any]) -> NDArray[Any]:
    """Return an image [H,W,C] as [C,H,W], and uint16 as int32, because torch lacks uint16."""
    if image.dtype == np.uint16:
        return image.transpose(2, 0, 1).astype(np.int32)
    if image.flags.c_contiguous and image.shape[2] == 3:
        return np.stack(cv2.split(image))  # several times faster than NumPy's transposition
    return image.transpose(2, 0, 1)


def _tensor(array: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))
