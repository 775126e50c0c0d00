"""The contracts of data sets, readers, transforms and preprocessors."""

import mmap
from abc import ABC, ABCMeta, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import torch.utils.data
from numpy.typing import NDArray
from torch import Tensor, nn

from i2ibench.registry.contracts.promises import Positive
from i2ibench.structures import Appearance, Batch, Sample

if TYPE_CHECKING:
    from i2ibench.data.classes import ClassTable
    from i2ibench.data.scenes import Scenes

Arrays = dict[str, Any]


class Dataset(torch.utils.data.Dataset, metaclass=ABCMeta):
    """A data set of scenes whose files are on the disk.

    The constructor takes the option `seed`, for random transforms, and mostly `root`, `split` and
    `transforms`. It only looks for files and never writes any, because a checkpoint that anybody
    may have written names a data set and its options. A data set that makes its own files makes
    them in `prepare`.

    Attributes:
        scenes: an `i2ibench.data.scenes.Scenes`, set by the constructor. It holds the files of each
            scene (`scenes.files`) and reads them.
        metainfo: the class table in plain JSON, `ClassTable.metainfo(name)`, set by the
            constructor.
        records_appearances: implement `appearances`.
    """

    scenes: "Scenes"
    metainfo: dict[str, Any]
    records_appearances: bool = False

    @classmethod
    def prepare(cls, options: Mapping[str, Any]) -> Path | None:
        """Write the files that the constructor looks for. Published data sets write none.

        Commands call this method before they construct the data set of a user's own config. With
        several processes, the first one calls it and the others wait. It is never called for the
        config in a checkpoint. By default it writes nothing and returns None.

        Args:
            options: the constructor's options; defaults may be left out.

        Returns:
            The folder that has the files, or None for a data set that writes none.

        Raises:
            UserError: the files cannot be written with these options.
        """
        return None

    @classmethod
    def static_info(cls, options: Mapping[str, Any]) -> "tuple[ClassTable, tuple[int, int]] | None":
        """Return the classes and the (width, height) of the images without reading files.

        Memory is estimated from them if the data does not exist. None, the default, means that they
        are unknown.

        Args:
            options: the constructor's options; defaults may be left out.
        """
        return None

    def appearances(self, index: int) -> Mapping[int, Appearance]:
        """Return the true appearance of each instance of a scene by instance id.

        Args:
            index: the index of the scene.

        Raises:
            NotImplementedError: the data set does not set `records_appearances`.
        """
        raise NotImplementedError(f"{type(self).__name__} records no appearances.")

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        """Read a scene's files, and return its tensors after the transforms of the data set.

        Args:
            key: the index of the scene, or (index, epoch) for the random transforms of that epoch.
                An index alone is epoch 0.

        Raises:
            IndexError: there is no such scene.
            UserError: a file is broken.
        """
        return self.scenes.read(key)


class ImageShape(NamedTuple):
    """The height and width of an image in pixels, its channels and the bits of each sample."""

    height: int
    width: int
    channels: int
    bits: int


class Reader(ABC):
    """A reader of the image files whose names end in one of its `suffixes`.

    Data sets, checks, `prepare_data`, `translate` and `eval --images` use it. The constructor takes
    no options.

    Attributes:
        suffixes: endings in lower case with their dot, such as ".dcm". Endings of formats that
            Pillow reads are not allowed.
    """

    suffixes: tuple[str, ...]

    @abstractmethod
    def read(self, data: bytes | mmap.mmap, place: str) -> NDArray[Any]:
        """Return the samples of a file, uint8 or uint16 [H,W] or [H,W,C].

        Args:
            data: the contents of the file. They are not trusted.
            place: the name of the file, for error messages.

        Raises:
            UserError: the contents cannot be used. Any other exception is reported as a broken
                file.
        """

    def describe(self, data: bytes | mmap.mmap, place: str) -> ImageShape:
        """Return the shape of the samples that `read` would return.

        It is called for every file at every start. By default it reads the whole file. Override it
        to read the header only.

        Args:
            data: the contents of the file, as for `read`.
            place: the name of the file, for error messages.
        """
        samples = self.read(data, place)
        channels = samples.shape[2] if samples.ndim == 3 else 1
        return ImageShape(samples.shape[0], samples.shape[1], channels, 8 * samples.dtype.itemsize)


class Transform(ABC):
    """A transform of all images of a scene at once, such as resizing, cropping or flipping.

    Attributes:
        deterministic: draw no random numbers, so that results may be cached.
    """

    deterministic: bool = False

    @abstractmethod
    def transform(self, arrays: Arrays) -> Arrays:
        """Return the transformed arrays of a scene.

        Args:
            arrays: the arrays that the scene has, by kind. Maps are integers [H,W], such as `label`
                uint8 and `instance` int32. Images are uint8 or uint16 [H,W,C], such as `image` and
                `source`. `rng` is the numpy generator for random transforms, which the result
                keeps.
        """

    def __call__(self, arrays: Arrays) -> Arrays:
        """Return the arrays of a scene after `transform`."""
        return self.transform(arrays)


class Preprocessor(nn.Module, metaclass=ABCMeta):
    """A module that moves collated samples to its device and computes the condition from them.

    Attributes:
        condition_channels: channels of the condition without the encoder's features.
        num_classes: classes of the data's label maps; 0 without label maps.
        needs: keys of a sample that the condition is computed from.
        one_hot_channels: the number of one-hot label channels at the beginning of the condition.
        takes_features: declare that an encoder's features are appended to the condition.
        channels_by_kind: by kind of image that is not RGB, the number of its channels.
        kinds: the parts of the condition in order, such as ("labels", "instances"). `start_from`
            matches the channels of two conditions by these names. () if they have no names.
        channels: the number of channels of each part in `kinds`.
    """

    condition_channels: Positive
    kinds: tuple[str, ...] = ()
    channels: Sequence[int] = ()
    num_classes: int = 0
    needs: tuple[str, ...] = ()
    one_hot_channels: int = 0
    takes_features: bool = False
    channels_by_kind: Mapping[str, int] = MappingProxyType({})

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("_place", torch.empty(0), persistent=False)

    @property
    def device(self) -> torch.device:
        """Return the device of this module, to which it moves every batch."""
        return next(self.buffers()).device

    def on_device(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return collated samples with their tensors on this module's device.

        Args:
            data: by kind a tensor, whose copy is asynchronous, or another value, which is returned
                unchanged.
        """
        return {
            key: value.to(self.device, non_blocking=True) if isinstance(value, Tensor) else value
            for key, value in data.items()
        }

    @abstractmethod
    def forward(self, data: dict[str, Any], training: bool = False) -> Batch:
        """Return the batch on this module's device: condition, maps and real image.

        Args:
            data: collated samples by kind, with integer tensors B1HW or BCHW, and `name`, a list.
            training: whether the batch is for training; the preprocessors of the core ignore it.

        Raises:
            UserError: the data lacks a kind of image that the condition is computed from.
        """
