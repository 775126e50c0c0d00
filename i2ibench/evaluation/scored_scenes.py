"""The scenes of a protocol: what every system is scored on, read once for all of them."""

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
from i2ibench.io.threads import map_in_threads
from i2ibench.registry.configuration import Config
from i2ibench.registry.contracts import Dataset
from i2ibench.structures import Appearance, Sample


@dataclass(frozen=True)
class ScoredScenes:
    """The data set of a protocol.

    Attributes:
        dataset: as the protocol describes it.
        names: of the scenes, in order.
        hash: SHA-256 of every file's hash, in order.
        facts: the data set's config and class table, for the protocol's hash.
    """

    dataset: Dataset
    names: list[str]
    hash: str
    facts: dict[str, Any]

    def __len__(self) -> int:
        return len(self.names)

    def batch(self, indices: Sequence[int]) -> dict[str, Any]:
        """The scenes collated; they are of one size."""
        return default_collate([self.dataset[i] for i in indices])

    def sample(self, index: int) -> Sample:
        """One scene."""
        return self.dataset[index]

    def appearances(self, index: int) -> Mapping[int, Appearance] | None:
        """Return by id how instances truly look; None where the data does not say."""
        known = self.dataset.records_appearances
        return self.dataset.appearances(index) if known else None

    def at_size_of(self, transforms: Sequence[Mapping[str, Any]]) -> "ScoredScenes":
        """The same scenes brought to another size by other transforms."""
        changed = copy.copy(self.dataset)
        scenes = self.dataset.scenes
        changed.scenes = Scenes(scenes.files, scenes.classes, transforms, scenes.seed)
        changed.scenes.counts_objects = scenes.counts_objects
        changed.scenes.formats = scenes.formats
        facts = {**self.facts, "transforms": [dict(transform) for transform in transforms]}
        return replace(self, dataset=changed, facts=facts)

    @property
    def reading(self) -> list[Any]:
        """Return what reads the scenes: images and measurements depend on its code."""
        scenes = self.dataset.scenes
        return [self.dataset, *scenes.transforms, *readers_of(scenes.files)]

    @property
    def has_photos(self) -> bool:
        """Return whether the scenes have photos to compare with."""
        return all(files.image is not None for files in self.dataset.scenes.files)


def open_scenes(protocol: Protocol, config: Config | None, root: str | None) -> ScoredScenes:
    """The protocol's scenes, every file checked.

    Args:
        protocol: names the data, or leaves it to the config.
        config: of a training run; without one the protocol must name its data.
        root: the data's folder; None for the config's or the protocol's own.

    Raises:
        UserError: the data is not there, broken, or not named.
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
    """Let the data sets that will be scored make their files, if they make any.

    One of several processes calls this while the others wait.

    Args:
        protocol: names the data, or leaves it to the config.
        config: of a training run, the user's own.
        root: see `open_scenes`.
        foreign: the protocol is a checkpoint's, and nothing is made because of it.

    Raises:
        UserError: the files cannot be made.
    """
    named = [] if foreign else [protocol.data, protocol.reference]
    if protocol.data is None and config is not None:
        named.append(config.val_dataloader.dataset.to_dict())
    for options in named:
        if options is not None:
            prepare_dataset({"dataset": dict(options)}, root or _root(protocol, config))


def open_reference(protocol: Protocol, config: Config | None, root: str | None) -> ScoredScenes:
    """The scenes whose photos the distribution distances refer to, if the protocol names any.

    Raises:
        UserError: see `open_scenes`.
    """
    assert protocol.reference is not None
    options = dict(protocol.reference)
    dataset = _build(options, root or _root(protocol, config))
    return _scored(dataset, options)


def _scored(dataset: Dataset, options: dict[str, Any]) -> ScoredScenes:
    """The class table belongs to the facts: it decides what the same files mean."""
    files = dataset.scenes.files
    facts = {**options, "metainfo": dataset.metainfo}
    digest = fingerprint(map_in_threads(file_hashes, files))
    return ScoredScenes(dataset, [f.name for f in files], digest, facts)


def _root(protocol: Protocol, config: Config | None) -> str | None:
    return (config.get("data_root") if config is not None else None) or protocol.root


def _build(options: dict[str, Any], root: str | None) -> Dataset:
    return build_dataset({"dataset": options}, root)
