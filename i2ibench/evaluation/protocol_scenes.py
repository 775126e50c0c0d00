"""The scenes of a protocol, on which every system is scored."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch.utils.data import default_collate

from i2ibench.data.loaders import build_dataset, prepare_dataset
from i2ibench.data.scenes import Scenes
from i2ibench.data.validation import require_valid_files
from i2ibench.errors import UserError
from i2ibench.evaluation.protocols.protocol import Protocol
from i2ibench.inference.image_cache import file_hashes, readers_of
from i2ibench.io.progress import Progress, say
from i2ibench.io.provenance import fingerprint
from i2ibench.io.thread_pools import map_in_threads
from i2ibench.registry.configuration import Config
from i2ibench.registry.contracts import Dataset
from i2ibench.structures import Appearance, Sample


@dataclass(frozen=True)
class ScoredScenes:
    """The scenes of a protocol's data set.

    Attributes:
        dataset: the data set.
        names: the names of the scenes, in order.
        hash: the SHA-256 of the hashes of all files, in order.
        description: the config and the class table of the data set, for the protocol's hash.
    """

    dataset: Dataset
    names: list[str]
    hash: str
    description: dict[str, Any]

    def __len__(self) -> int:
        return len(self.names)

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        """Read the scenes at these indices and collate them to a batch; they must have one size."""
        return default_collate([self.dataset[i] for i in indices])

    def sample(self, index: int) -> Sample:
        """Read the scene at an index and return it as a sample of the data set."""
        return self.dataset[index]

    def appearances(self, index: int) -> Mapping[int, Appearance] | None:
        """Return the recorded true appearance of a scene's objects by instance id, or None.

        None means that the data set has no such records. Only drawn data such as ToyStreet has
        them.
        """
        has_records = self.dataset.records_appearances
        return self.dataset.appearances(index) if has_records else None

    def at_size_of(self, transforms: Sequence[Mapping[str, Any]]) -> "ScoredScenes":
        """Return the same scenes, read with the configs `transforms` in place of their transforms.

        These scenes are left as they are. The hash of the files stays; the description has the new
        transforms.
        """
        changed = copy.copy(self.dataset)
        scenes = self.dataset.scenes
        changed.scenes = Scenes(scenes.files, scenes.classes, transforms, scenes.seed)
        changed.scenes.counts_objects = scenes.counts_objects
        changed.scenes.formats = scenes.formats
        description = {**self.description, "transforms": [dict(t) for t in transforms]}
        return replace(self, dataset=changed, description=description)

    @property
    def reading(self) -> list[Any]:
        """Return the data set, its transforms and its file readers.

        Images and measurements depend on the code of these objects.
        """
        scenes = self.dataset.scenes
        return [self.dataset, *scenes.transforms, *readers_of(scenes.files)]

    @property
    def has_photos(self) -> bool:
        """Return whether every scene of the data set has a real image."""
        return all(files.image is not None for files in self.dataset.scenes.files)


def open_scenes(protocol: Protocol, config: Config | None, root: str | None) -> ScoredScenes:
    """Open the scenes of a protocol, read every file once as a check, and print notes on them.

    Args:
        protocol: the protocol. Its data is used; if it has none, the config's validation data.
        config: the config of a training run, or None.
        root: the folder of the data. None for `data_root` of the config, or else the protocol's
            root.

    Raises:
        UserError: the data is missing or damaged, or neither protocol nor config has data.
    """
    if protocol.data is not None:
        options = dict(protocol.data)
    elif config is not None:
        options = config.val_dataloader.dataset.to_dict()
    else:
        raise UserError(
            f"The protocol {protocol.name!r} names no data of its own: evaluate a config, or give "
            "the protocol a 'data' option."
        )
    dataset = _build(options, root or _root(protocol, config))
    with Progress("checking files", len(dataset)) as progress:
        notes = require_valid_files(dataset.scenes, progress.advance)
    for note in notes:
        say(note)
    return _scored(dataset, options)


def prepare_scenes(
    protocol: Protocol, config: Config | None, root: str | None, foreign: bool = False
) -> None:
    """Write the files of those data sets of an evaluation that draw their own scenes.

    These may be the protocol's data, its reference and the config's validation data. Other data
    sets are left as they are. The config's validation data is used only if the protocol has no
    data. One process of a group calls this function while the others wait.

    Args:
        protocol: see `open_scenes`.
        config: see `open_scenes`.
        root: see `open_scenes`.
        foreign: True if a checkpoint names the protocol. Then no file is written for the protocol's
            data and reference.

    Raises:
        UserError: the files cannot be written, or a config of a data set is wrong.
    """
    named = [] if foreign else [protocol.data, protocol.reference]
    if protocol.data is None and config is not None:
        named.append(config.val_dataloader.dataset.to_dict())
    for options in named:
        if options is not None:
            prepare_dataset({"dataset": dict(options)}, root or _root(protocol, config))


def open_reference(protocol: Protocol, config: Config | None, root: str | None) -> ScoredScenes:
    """Open the data set whose real images FID, KID and other set metrics compare with.

    The protocol must have a `reference`. Unlike the scored scenes, the files are hashed but not
    checked.

    Raises:
        UserError: the data is missing or its config is wrong.
    """
    assert protocol.reference is not None
    options = dict(protocol.reference)
    dataset = _build(options, root or _root(protocol, config))
    return _scored(dataset, options)


def _scored(dataset: Dataset, options: dict[str, Any]) -> ScoredScenes:
    """Hash all files of a data set and return its scenes.

    The description has the options and the metainfo of the data set, because labels depend on its
    class table.
    """
    files = dataset.scenes.files
    description = {**options, "metainfo": dataset.metainfo}
    digest = fingerprint(map_in_threads(file_hashes, files))
    return ScoredScenes(dataset, [f.name for f in files], digest, description)


def _root(protocol: Protocol, config: Config | None) -> str | None:
    return (config.get("data_root") if config is not None else None) or protocol.root


def _build(options: dict[str, Any], root: str | None) -> Dataset:
    return build_dataset({"dataset": options}, root)
