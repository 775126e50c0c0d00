"""The data set Shards: scenes in uncompressed tars (WebDataset), read in any order.

A shard holds the unchanged files of scenes (`KEY.label.png`, `KEY.instance.png`, `KEY.image.jpg`,
`KEY.source.png`) and their names (`KEY.json`). The library `webdataset` can read it. An index
beside the shards of a split holds the position of every file, so that scenes are read in random
order like files in folders. The order is therefore a full shuffle given by the seed, processes and
workers share it without loss or repetition, and a run can be resumed within an epoch.
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
from i2ibench.io.file_integrity import add_checksum, verify_checksum
from i2ibench.io.files import read_json, write_file, write_text
from i2ibench.io.safe_names import safe_name
from i2ibench.registry import DATASETS
from i2ibench.registry.contracts import Dataset

FORMAT = "i2ibench shards 4"

BLOCK = 512
"""The size in bytes to whose multiple each file in a tar is padded."""


@DATASETS.register_module()
class Shards(Dataset):
    """A data set in WebDataset shards that `i2ibench shards` wrote.

    Args:
        root: the folder of the shards, on any mounted file system.
        split: train or val.
        transforms: configs of registered transforms.
        seed: the seed of random transforms.

    Raises:
        UserError: there are no shards of the split, or some are missing or damaged.
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
    """Return the path of the index of a split's shards, `root/SPLIT.index.json`."""
    return root / f"{split}.index.json"


def read_index(root: Path, split: str) -> dict[str, Any]:
    """Return the index of a split's shards, a dict, after checking it and the sizes of the shards.

    The entries are those that `write_shards` writes. The shards' contents are not read.

    Raises:
        UserError: the index is missing, broken or hostile, or a shard is missing or has another
            size.
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
        actual = (root / name).stat().st_size if (root / name).is_file() else None
        if actual != size:
            state = "is missing" if actual is None else f"has {actual} bytes, not {size}"
            raise UserError(f"The shard {root / name} {state}: copy or write it anew.")
    return index


def check_index(index: Any, path: Path) -> None:
    """Check that an index of shards has all entries, and no name that leads out of its folder.

    The index's checksum and the shards themselves are not checked.

    Args:
        index: the content of the file.
        path: the path of the file, for error messages.

    Raises:
        UserError: an entry is missing or wrong (the message names it), there are no scenes, or two
            scenes share a name.
    """
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        raise UserError(
            f"{path} is no index of shards that this version reads ({FORMAT}): write them anew."
        )
    types = {"data": str, "shards": dict, "classes": list, "scenes": list, "counts_objects": bool,
             "formats": dict}  # fmt: skip
    for key, expected in types.items():
        if not isinstance(index.get(key), expected):
            raise UserError(f"{path} is no index of shards: {key!r} is missing or wrong.")
    for kind, entry in index["formats"].items():
        check_format(kind, entry, f"{path}: the format of {kind!r}")
    for name in index["shards"]:
        safe_name(name, f"{path}: a shard", folders=False)
    names = [_checked_scene(scene, index["shards"], path) for scene in index["scenes"]]
    if len(set(names)) < len(names) or not names:
        raise UserError(f"{path} is no index of shards: its scenes are none, or share names.")


def _checked_scene(scene: Any, shards: Mapping[str, Any], path: Path) -> str:
    """Check the entry of a scene in an index of shards and return the scene's name."""
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
    """Write the unchanged files of a data set into shards and return the paths of the shards.

    Files of appearances are left out. The index is written last, so a split with an index is
    complete. After an interruption, call this again: it begins anew.

    Args:
        dataset: the data set; its transforms are not applied.
        root: the folder to write into.
        split: the first part of the shards' names.
        shard_bytes: the size at which a shard is closed, after a whole scene, and the next is
            begun.
        on_scene: called after each scene.

    Raises:
        UserError: the folder already has shards of the split, or a scene's name is not safe.
    """
    if index_path(root, split).exists():
        raise UserError(
            f"{root} has shards of {split!r} already; choose another folder, or remove "
            f"{index_path(root, split)}."
        )
    classes = dataset.scenes.classes
    for scene in dataset.scenes.files:
        safe_name(scene.name, "A scene")  # otherwise the index could not be read
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
    """Write scenes into one shard until it is full or none remain."""
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
    """Add a scene to an open tar and return (offset, size, name, CRC-32) of its files by kind."""
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
    """Yield kind, member name and contents of each file in a scene's part of a shard.

    The first is a JSON file with the scene's name, of the kind "name". Member names begin with the
    scene's key, because scene names may have dots. A label map's member name keeps the coding that
    the path states.
    """
    yield "name", f"{key:08d}.json", json.dumps({"name": scene.name}).encode()
    for kind, path in scene.paths.items():
        stated = stated_coding(path, classes) if kind == "label" else None
        coding = coding_suffix(path) if stated is not None else ""
        yield kind, f"{key:08d}.{kind}{coding}{path.suffix.lower()}", read_bytes(path)
