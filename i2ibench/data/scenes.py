"""Scenes on disk: which files belong together, and reading them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
from i2ibench.data.image_files import image_size
from i2ibench.data.kinds import KINDS, in_order
from i2ibench.data.pixel_formats import RGB, PixelFormat, read_image
from i2ibench.errors import UserError
from i2ibench.registry import TRANSFORMS
from i2ibench.structures import Sample


@dataclass(frozen=True)
class SceneFiles:
    """The files of one scene.

    Attributes:
        name: of the scene, the same for all of its files.
        paths: its files by kind of data, in the order of `KINDS`; kinds that it lacks are left out.
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
        """The label map."""
        return self.paths.get("label")

    @property
    def instance(self) -> Path | None:
        """The instance map."""
        return self.paths.get("instance")

    @property
    def image(self) -> Path | None:
        """The photo, which is what is learnt."""
        return self.paths.get("image")

    @property
    def source(self) -> Path | None:
        """The image that is translated in the place of a label map."""
        return self.paths.get("source")

    @property
    def input(self) -> Path:
        """The file that is translated: the first that is neither instance map nor photo."""
        return next(path for kind, path in self.paths.items() if is_input(kind))


def is_input(kind: str) -> bool:
    """Return whether files of a kind can be translated by themselves."""
    return kind not in ("instance", "image")


class Scenes:
    """The scenes of a data set, read and transformed; every data-set class holds one.

    Args:
        files: the scenes, in order.
        classes: the class table; label files are mapped from file values to channels.
        transforms: configs of registered transforms, applied in order.
        seed: random transforms draw from (seed, epoch, index), whatever process reads.

    Attributes:
        folders: in which the files were looked for by their endings.
        counts_objects: whether instance ids only number objects; then an object of a thing with its
            class's own id gets another one, see `separate_objects`.
        guessed_ids: whether that was not said but is what some maps look like.
        formats: by kind of image its channels and bits, where they are known; a file that has
            others is refused. Kinds that are not named are RGB.
        cache_folder: where `open_cache` keeps the scenes; None to read the files every time.
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
        self._cached: list[Any] = []  # the transforms that the cache has in it

    def __len__(self) -> int:
        return len(self.files)

    def read(self, key: int | tuple[int, int]) -> Sample:
        """Scene `index`, or (index, epoch): a new epoch draws new random transforms.

        Raises:
            UserError: a file is broken, is no label map, or its size differs from the others'.
        """
        index, epoch = key if isinstance(key, tuple) else (key, 0)
        if not 0 <= index < len(self.files):
            raise IndexError(index)
        cached = self._cache is not None and self.transforms[: len(self._cached)] == self._cached
        if self._cache is not None and cached:
            arrays, done = self._cache.arrays(index), len(self._cached)
        else:
            arrays, done = None, 0
        if arrays is None:  # no cache, or damaged there
            arrays, done = self._read_files(index), 0
        arrays["rng"] = np.random.default_rng((self.seed, epoch, index))
        for transform in self.transforms[done:]:
            arrays = transform(arrays)
        return _to_sample(self.files[index].name, arrays)

    def _read_files(self, index: int) -> dict[str, Any]:
        arrays = read_arrays(self.files[index], self.classes, self.formats)
        if self.counts_objects and {"label", "instance"} <= arrays.keys():
            ids = separate_objects(arrays["label"], arrays["instance"], self.classes)
            arrays["instance"] = ids
        return arrays

    @property
    def guesses_classes(self) -> bool:
        """Return whether only other maps' looks make instance ids count as Cityscapes'."""
        return self.guessed_ids and not self.counts_objects

    @property
    def is_cached(self) -> bool:
        """Return whether scenes are read from a cache."""
        return self._cache is not None

    def one_of_each_size(self) -> list[int]:
        """Return the index of the first scene of every size in the data set."""
        first: dict[tuple[int, int], int] = {}
        for index, files in enumerate(self.files):
            first.setdefault(image_size(files.input), index)
        return list(first.values())

    def open_cache(self) -> None:
        """From now on read from a cache in `cache_folder`, which is made if it is not there.

        It holds the scenes as they are before the first transform that is not
        `deterministic`. Samples are the same as without.

        Raises:
            UserError: the cache cannot be made.
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
        given = [path for f in self.files for path in f.paths.values()]

        def transformed(index: int) -> dict[str, Any]:
            arrays = self._read_files(index)
            for transform in done:
                arrays = transform(arrays)
            return arrays

        self._cache = open_cache(self.cache_folder, inputs, given, len(self), transformed)
        self._cached = done


def read_arrays(
    files: SceneFiles, classes: ClassTable, formats: Mapping[str, PixelFormat]
) -> dict[str, Any]:
    """Return the maps [H,W] and the images [H,W,C] of a scene by kind.

    Args:
        files: of the scene.
        classes: the class table.
        formats: see `Scenes`.

    Raises:
        UserError: a file is broken, is no label map, has other channels or bits than the data
            set's, or its size differs from the others'.
    """
    arrays: dict[str, Any] = {}
    for kind, path in files.paths.items():
        read = KINDS[kind].read
        wanted = formats.get(kind, RGB)
        arrays[kind] = read_image(path, wanted) if read is None else read(path, classes)
    check_sizes(files, {kind: array.shape[:2] for kind, array in arrays.items()})
    return arrays


def check_sizes(files: SceneFiles, sizes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse images of one scene that differ in (height, width).

    Raises:
        UserError: names the scene and the sizes.
    """
    if len(set(sizes.values())) > 1:
        listing = ", ".join(f"{kind} {w}x{h}" for kind, (h, w) in sizes.items())
        raise UserError(f"The files of scene {files.name!r} differ in size: {listing}.")


def _to_sample(name: str, arrays: Mapping[str, NDArray[Any]]) -> Sample:
    sample: Any = {"name": name}
    for kind in in_order(arrays.keys() - {"rng"}):
        array = arrays[kind.name]
        sample[kind.name] = _tensor(array)[None] if kind.is_map else _tensor(_planes(array))
    return sample


def _planes(picture: NDArray[Any]) -> NDArray[Any]:
    """Return [C,H,W] of [H,W,C], 16 bits as int32, which torch calculates with.

    OpenCV takes interleaved channels apart several times sooner.
    """
    if picture.dtype == np.uint16:
        return picture.transpose(2, 0, 1).astype(np.int32)
    if picture.flags.c_contiguous and picture.shape[2] == 3:
        return np.stack(cv2.split(picture))
    return picture.transpose(2, 0, 1)


def _tensor(array: NDArray[Any]) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array))
