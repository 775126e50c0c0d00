"""The contracts of data sets, their transforms, and the preprocessors of what they yield."""

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
    """Scenes that a constructor finds on the disk and never makes.

    The constructor takes the option `seed`, for random transforms, and mostly `root`, `split` and
    `transforms`. A checkpoint names a data set and its options, whoever wrote it, so constructors
    only look for files. A data set that makes its own files makes them in `prepare`.

    Attributes:
        scenes: an `i2ibench.data.scenes.Scenes`, set by the constructor: the files of each
            scene (`scenes.files`), and their reading.
        metainfo: the class table in plain JSON, `ClassTable.metainfo(name)`, set by the
            constructor.
        records_appearances: have `appearances`.
    """

    scenes: "Scenes"
    metainfo: dict[str, Any]
    records_appearances: bool = False

    @classmethod
    def prepare(cls, options: Mapping[str, Any]) -> Path | None:
        """Make the files that the constructor will look for; a data set as published makes none.

        Commands that run on a user's own config call this before they construct the data set, in
        the first of several processes while the others wait. It is never called for a config that
        a checkpoint holds.

        Args:
            options: the constructor's options; defaults may be left out.

        Returns:
            The folder that has the files, or None for a data set that makes none.

        Raises:
            UserError: the files cannot be made with these options.
        """
        return None

    @classmethod
    def static_info(cls, options: Mapping[str, Any]) -> "tuple[ClassTable, tuple[int, int]] | None":
        """Return the classes and the (width, height) of the images without looking at files.

        Memory is estimated by these where the data is not there; None where they are not known.

        Args:
            options: the constructor's options; defaults may be left out.
        """
        return None

    def appearances(self, index: int) -> Mapping[int, Appearance]:
        """Return how each instance of a scene truly looks, by id; see `records_appearances`."""
        raise NotImplementedError(f"{type(self).__name__} records no appearances.")

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        """Return scene `index`, or (index, epoch): each epoch draws new random transforms."""
        return self.scenes.read(key)


class ImageShape(NamedTuple):
    """The size of an image in pixels, its channels and the bits of each of its samples."""

    height: int
    width: int
    channels: int
    bits: int


class Reader(ABC):
    """A reader of the image files whose names end in one of its `suffixes`.

    It serves data sets, checks, `translate`, `eval --images` and preparation alike. The constructor
    takes no options.

    Attributes:
        suffixes: endings in small letters with their dot, such as ".dcm"; none that Pillow reads.
    """

    suffixes: tuple[str, ...]

    @abstractmethod
    def read(self, data: bytes | mmap.mmap, place: str) -> NDArray[Any]:
        """Return the samples of a file's contents, uint8 or uint16 [H,W] or [H,W,C].

        Args:
            data: the contents, which anybody may have written.
            place: the file's name, for messages.

        Raises:
            UserError: the contents cannot be used; any other error is told as one of the file.
        """

    def describe(self, data: bytes | mmap.mmap, place: str) -> ImageShape:
        """Return the shape of the samples that `read` would return.

        Override it where files have a header: every start asks for the shape of every file.
        """
        samples = self.read(data, place)
        channels = samples.shape[2] if samples.ndim == 3 else 1
        return ImageShape(samples.shape[0], samples.shape[1], channels, 8 * samples.dtype.itemsize)


class Transform(ABC):
    """A change of all images of a scene alike: resizing, cropping, flipping.

    Attributes:
        deterministic: draw no random numbers, so that results may be kept in a cache.
    """

    deterministic: bool = False

    @abstractmethod
    def transform(self, arrays: Arrays) -> Arrays:
        """Return the changed arrays.

        Args:
            arrays: by kind of data maps as integers [H,W], such as `label` uint8 and `instance`
                int32, and images uint8 or uint16 [H,W,C], such as `image` and `source`, each
                where the scene has it; and `rng`, the numpy generator that random transforms draw
                from.
        """

    def __call__(self, arrays: Arrays) -> Arrays:
        """Return what `transform` returns."""
        return self.transform(arrays)


class Preprocessor(nn.Module, metaclass=ABCMeta):
    """A module that makes a batch with its condition, on the device, from collated samples.

    Attributes:
        condition_channels: channels of the condition without the encoder's features.
        num_classes: classes of the data's label maps; 0 without label maps.
        needs: keys of a sample that the condition is made of.
        one_hot_channels: how many channels the condition begins with that are one-hot labels.
        takes_features: declare that an encoder's features are appended to the condition.
        channels_by_kind: channels of each kind of picture that is not RGB.
        kinds: the parts of the condition in order, such as ("labels", "instances"), by which
            `start_from` matches the channels of two conditions; () if they have no names.
        channels: the channels of each of them.
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
        """The device that the module was moved to, to which it brings every batch."""
        return next(self.buffers()).device

    def on_device(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """Return collated samples with their tensors on this module's device.

        Args:
            data: by kind a tensor, which may still be on its way when this returns, or another
                value, which is passed on.
        """
        return {
            key: value.to(self.device, non_blocking=True) if isinstance(value, Tensor) else value
            for key, value in data.items()
        }

    @abstractmethod
    def forward(self, data: dict[str, Any], training: bool = False) -> Batch:
        """Return the batch on this module's device.

        Raises:
            UserError: the data lacks a kind of image that the condition is made of.
        """
