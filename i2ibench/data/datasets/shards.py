"""Scenes in tars as WebDataset has them, read in any order.

A shard is an uncompressed tar with, for each scene, its files as they were (`KEY.label.png`,
`KEY.instance.png`, `KEY.image.jpg`, `KEY.source.png`) and its name (`KEY.json`): the library
`webdataset` reads it. Beside the shards of a split stands an index of where every file lies. With
it the data set is read at random as folders are, so that the order is a true shuffle given by the
seed, ranks and workers share it without loss or repetition, and a run goes on within an epoch.
"""

import io
import json
import shlex
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from i2ibench.data.classes import ClassTable, class_table
from i2ibench.data.codings import coding_suffix, stated_coding
from i2ibench.data.kinds import KINDS
from i2ibench.data.pixel_formats import PixelFormat, check_format
from i2ibench.data.scenes import SceneFiles, Scenes, is_input
from i2ibench.data.tar_members import member_path, read_bytes
from i2ibench.errors import UserError
from i2ibench.io.checksums import add_checksum, verify_checksum
from i2ibench.io.files import read_json, write_file, write_text
from i2ibench.io.safe_names import safe_name
from i2ibench.registry import DATASETS
from i2ibench.registry.contracts import Dataset

FORMAT = "i2ibench shards 4"

BLOCK = 512
"""Bytes to whose multiples a tar fills its files up."""


@DATASETS.register_module()
class Shards(Dataset):
    """Scenes from WebDataset shards that `i2ibench shards` wrote, in any order.

    Args:
        root: the folder of the shards, on anything that is mounted as a file system.
        split: train or val.
        transforms: configs of registered transforms.
        seed: for random transforms.

    Raises:
        UserError: there are no such shards, or some are missing.
    """

    def __init__(
        self,
        root: str,
        split: str = "train",
        transforms: Sequence[Mapping[str, Any]] = (),
        seed: int = 0,
    ) -> None:
        index = read_index(Path(root), split)
        table = class_table(index["classes"])
        self.scenes = Scenes(_files(Path(root), index), table, transforms, seed)
        self.scenes.counts_objects = bool(index["counts_objects"])
        self.scenes.formats = {
            kind: PixelFormat(channels, bits, str(index_path(Path(root), split)))
            for kind, (channels, bits) in index["formats"].items()
        }
        self.metainfo = table.metainfo(index["data"], self.scenes.formats)
        self.metainfo["instance_ids"] = "numbers" if self.scenes.counts_objects else "classes"


def index_path(root: Path, split: str) -> Path:
    """Return the path of the index of a split's shards."""
    return root / f"{split}.index.json"


def read_index(root: Path, split: str) -> dict[str, Any]:
    """The index of a split.

    Raises:
        UserError: it is missing, broken or hostile, or a shard is missing or cut off.
    """
    path = index_path(root, split)
    try:
        index = read_json(path)
    except FileNotFoundError:
        raise UserError(
            f"{path} does not exist: there are no whole shards of {split!r}. "
            f"`i2ibench shards CONFIG {shlex.quote(str(root))}` writes those of a config's data "
            "sets."
        ) from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is no index of shards: {error}") from None
    check_index(index, path)
    try:
        verify_checksum(index)
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}): copy or write the shards anew.") from None
    for name, size in index["shards"].items():
        found = (root / name).stat().st_size if (root / name).is_file() else None
        if found != size:
            state = "is missing" if found is None else f"has {found} bytes, not {size}"
            raise UserError(f"The shard {root / name} {state}: copy or write it anew.")
    return index


def check_index(index: Any, path: Path) -> None:
    """Refuse an index that is none, or whose names would lead out of the folder.

    Args:
        index: what the file holds.
        path: of the file, for the messages.

    Raises:
        UserError: names the entry that is missing or wrong.
    """
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise UserError(
            f"{path} is no index of shards that this version reads ({FORMAT}): write them anew."
        )
    kinds = {
        "data": str,
        "shards": dict,
        "classes": list,
        "scenes": list,
        "counts_objects": bool,
        "formats": dict,
    }
    for key, kind in kinds.items():
        if not isinstance(index.get(key), kind):
            raise UserError(f"{path} is no index of shards: {key!r} is missing or wrong.")
    for kind, found in index["formats"].items():
        check_format(kind, found, f"{path}: the format of {kind!r}")
    for name in index["shards"]:
        safe_name(name, f"{path}: a shard", folders=False)
    names = [_checked_scene(scene, index["shards"], path) for scene in index["scenes"]]
    if len(set(names)) < len(names) or not names:
        raise UserError(f"{path} is no index of shards: its scenes are none, or share names.")


def _checked_scene(scene: Any, shards: Mapping[str, Any], path: Path) -> str:
    """Return the name of a scene in an index.

    Raises:
        UserError: see `check_index`.
    """
    entry = scene if isinstance(scene, dict) else {}
    name = safe_name(entry.get("name"), f"{path}: a scene")
    places = entry.get("files")
    places = places if isinstance(places, dict) else {}
    known = places.keys() <= KINDS.keys() and any(is_input(kind) for kind in places)
    if not known or entry.get("shard") not in list(shards):
        raise UserError(f"{path}: the scene {name!r} lacks its files or its shard.")
    for place in places.values():
        if not isinstance(place, list) or len(place) != 4:
            raise UserError(
                f"{path}: a file of the scene {name!r} is no [offset, size, name, CRC-32]."
            )
        if not all(type(n) is int and n >= 0 for n in (place[0], place[1], place[3])):
            raise UserError(f"{path}: a file of the scene {name!r} has no offset, size or CRC-32.")
        safe_name(place[2], f"{path}: a file of the scene {name!r}", folders=False)
    return name


def _files(root: Path, index: Mapping[str, Any]) -> list[SceneFiles]:
    return [
        SceneFiles(
            scene["name"],
            {
                kind: member_path(root / scene["shard"], *place)
                for kind, place in scene["files"].items()
            },
        )
        for scene in index["scenes"]
    ]


def write_shards(
    dataset: Dataset,
    root: Path,
    split: str,
    shard_bytes: int,
    on_scene: Callable[[], None] | None = None,
) -> list[Path]:
    """Write a data set's files, as they are, into shards; gives their paths.

    The index comes last: a split with an index is whole. A call that was stopped is repeated.

    Args:
        dataset: whose scenes are written; its transforms are left to who reads.
        root: the folder to write into.
        split: what the shards are called.
        shard_bytes: a shard that has as many is closed.
        on_scene: called after each scene.

    Raises:
        UserError: the folder has shards of the split already, or a scene's name could not be read
            back.
    """
    if index_path(root, split).exists():
        raise UserError(
            f"{root} has shards of {split!r} already; choose another folder, or remove "
            f"{index_path(root, split)}."
        )
    classes = dataset.scenes.classes
    for scene in dataset.scenes.files:
        safe_name(scene.name, "A scene")  # or the index could not be read
    shards: dict[str, int] = {}
    places: list[dict[str, Any]] = []
    remaining = iter(enumerate(dataset.scenes.files))
    while len(places) < len(dataset.scenes.files):
        path = root / f"{split}-{len(shards):06d}.tar"
        own: list[dict[str, Any]] = []
        write_file(path, partial(_fill, own, remaining, classes, shard_bytes, on_scene))
        shards[path.name] = path.stat().st_size
        places += [{"shard": path.name, **scene} for scene in own]
    index = {"format": FORMAT, "data": dataset.metainfo["dataset"], "shards": shards,
             "classes": [c.entry() for c in classes.classes],
             "counts_objects": dataset.scenes.counts_objects,
             "formats": {k: [f.channels, f.bits] for k, f in dataset.scenes.formats.items()},
             "scenes": places}  # fmt: skip
    write_text(index_path(root, split), json.dumps(add_checksum(index)))
    return [root / name for name in shards]


def _fill(
    places: list[dict[str, Any]],
    remaining: Iterator[tuple[int, SceneFiles]],
    classes: ClassTable,
    shard_bytes: int,
    on_scene: Callable[[], None] | None,
    path: Path,
) -> None:
    """Write scenes that remain until the shard is full; `places` gets where their files are."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for key, scene in remaining:
            places.append({"name": scene.name, "files": _add(tar, key, scene, classes)})
            if on_scene is not None:
                on_scene()
            if tar.offset >= shard_bytes:
                break


def _add(
    tar: tarfile.TarFile, key: int, scene: SceneFiles, classes: ClassTable
) -> dict[str, tuple[int, int, str, int]]:
    """Add a scene; by kind the offset, size, name and CRC-32 of its files."""
    places = {}
    for kind, name, contents in _members(key, scene, classes):
        member = tarfile.TarInfo(name)
        member.size = len(contents)
        tar.addfile(member, io.BytesIO(contents))
        offset = tar.offset - -(-len(contents) // BLOCK) * BLOCK
        if kind in KINDS:
            places[kind] = (offset, len(contents), name, zlib.crc32(contents))
    return places


def _members(key: int, scene: SceneFiles, classes: ClassTable) -> Iterator[tuple[str, str, bytes]]:
    """Kind, name and contents; a key without dots, as the scene's own name may have some."""
    yield "name", f"{key:08d}.json", json.dumps({"name": scene.name}).encode()
    for kind, path in scene.paths.items():
        stated = stated_coding(path, classes) if kind == "label" else None
        mark = coding_suffix(path) if stated is not None else ""
        yield kind, f"{key:08d}.{kind}{mark}{path.suffix.lower()}", read_bytes(path)
