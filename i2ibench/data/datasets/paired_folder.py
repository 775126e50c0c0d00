"""The data set PairedFolder: folders of label maps, photos or other images, paired by name."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from i2ibench.data.classes import ClassTable, class_table
from i2ibench.data.codings import numbers_objects
from i2ibench.data.file_search import files_by_name, find_images, ignored_note
from i2ibench.data.foreign_annotations import adding_annotation_advice
from i2ibench.data.kinds import images_among, in_order
from i2ibench.data.maps import read_instance, read_label
from i2ibench.data.pixel_formats import PixelFormat, StatedFormat, find_format
from i2ibench.data.scenes import SceneFiles, Scenes, is_input
from i2ibench.errors import UserError
from i2ibench.io.files import read_json
from i2ibench.registry import DATASETS
from i2ibench.registry.contracts import Dataset

PREPARATION = "preparation.json"
"""The file in which `prepare_data` records the data set's name and what it was made from."""

INSTANCE_IDS = ("auto", "classes", "numbers")

MAX_MAPS_READ = 16
"""The number of scenes, spread over a data set, whose maps are read to find `instance_ids`."""

PARTIAL = ".partial"
"""The end of a folder's name until `prepare_data` has written all of the data into the folder."""


@DATASETS.register_module()
class PairedFolder(Dataset):
    """A data set in folders whose files have equal names up to the file ending.

    The data set's name in reports is "PairedFolder", or the published data set's name if
    `prepare_data` wrote the folders.

    Args:
        root: the folder that holds the others.
        split: the text that replaces `{split}` in the folder names.
        label_dir, image_dir, instance_dir, source_dir: folders below the root, or None for a kind
            that the data lacks. Sources are edges or other images that are translated instead of
            label maps.
        other_dirs: the folder below the root of each other kind of data, as in
            dict(thermal="{split}/thermal"); see `i2ibench.data.kinds.register_kind`.
        classes: a list of names, or of dicts (name, id, colour, scored). None reads the list from
            `classes.json` in the root, or means no classes for data without label maps.
        transforms: configs of registered transforms.
        seed: the seed of random transforms.
        instance_ids: "classes" if pixels without a single object have their class's id, as in
            Cityscapes. "numbers" if ids only number objects, so that every id is an object. "auto"
            reads some maps and takes "numbers" if a thing has an id below 256 that is not its
            class's id.
        image_channels: channels of the photos and of the generator's images: 1 for grey, 3 for
            colour, another number for RGBA or channels of another meaning. None finds the number
            from the headers of some photos.
        image_depth: bits of each channel of the photos, 8 or 16. None finds it from the headers.

    Raises:
        UserError: a folder is missing or empty, files have no partner, or the class list is
            missing or malformed.
    """

    def __init__(  # noqa: PLR0913  one folder per kind of file
        self,
        root: str,
        split: str = "train",
        label_dir: str | None = "{split}/label",
        image_dir: str | None = "{split}/image",
        instance_dir: str | None = "{split}/instance",
        source_dir: str | None = None,
        classes: Sequence[str | Mapping[str, Any]] | None = None,
        transforms: Sequence[Mapping[str, Any]] = (),
        seed: int = 0,
        instance_ids: str = "auto",
        image_channels: int | None = None,
        image_depth: int | None = None,
        other_dirs: Mapping[str, str] | None = None,
    ) -> None:
        _check_root(Path(root))
        named = {"label": label_dir, "source": source_dir, "instance": instance_dir,
                 "image": image_dir, **(other_dirs or {})}  # fmt: skip
        folders = {
            kind: Path(root) / folder.replace("{split}", split)
            for kind, folder in named.items()
            if folder is not None
        }
        with adding_annotation_advice(Path(root)):
            if classes is None and label_dir is not None:
                table = read_classes(Path(root))
            else:
                table = class_table(classes or ())
            _check_instances(folders)
            files = pair_by_name(folders)
        self.scenes = Scenes(files, table, transforms, seed)
        self.metainfo = infer_metainfo(
            _name(Path(root)), self.scenes, folders, instance_ids, image_channels, image_depth
        )


def infer_metainfo(
    name: str,
    scenes: Scenes,
    folders: Mapping[str, Path],
    instance_ids: str = "auto",
    image_channels: int | None = None,
    image_depth: int | None = None,
) -> dict[str, Any]:
    """Set what the files of scenes hold in `scenes`, and return the metainfo of their data set.

    Args:
        name: the name of the data set.
        scenes: the scenes, whose folders, instance ids and formats are set.
        folders: the folder of each kind of data.
        instance_ids, image_channels, image_depth: see `PairedFolder`.
    """
    scenes.folders = list(folders.values())
    scenes.counts_objects = counts_objects(instance_ids, scenes.files, scenes.classes)
    scenes.guessed_ids = instance_ids == "auto"
    scenes.formats = find_formats(scenes.files, image_channels, image_depth)
    metainfo = scenes.classes.metainfo(name, scenes.formats)
    return metainfo | {"instance_ids": "numbers" if scenes.counts_objects else "classes"}


def _check_instances(folders: Mapping[str, Path]) -> None:
    """Refuse data of which only the instance maps' folder is missing, and name the way out."""
    missing = [kind for kind, folder in folders.items() if not folder.is_dir()]
    if missing == ["instance"]:
        raise UserError(
            f"The folder {folders['instance']} does not exist. For data without instance maps "
            "write instance_dir=None in both data sets, and boundaries=False in data_preprocessor."
        )


def find_formats(
    files: Sequence[SceneFiles], image_channels: int | None = None, image_depth: int | None = None
) -> dict[str, PixelFormat]:
    """Return the format of each kind of image in the scenes, such as "image" and "source".

    A source that is 8-bit grey counts as RGB.

    Args:
        files: the files of each scene, which all have the same kinds; the headers of some are read.
        image_channels, image_depth: the format of the photos in the config; None to find it.

    Raises:
        UserError: see `find_format`.
    """
    stated = StatedFormat(image_channels, image_depth)
    return {
        kind: find_format(
            [scene.paths[kind] for scene in files],
            stated if kind == "image" else StatedFormat(),
            grey_is_rgb=kind == "source",
        )
        for kind in images_among(files[0].paths if files else ())
    }


def counts_objects(instance_ids: str, files: Sequence[SceneFiles], classes: ClassTable) -> bool:
    """Return whether instance ids only number objects, from the option or from some maps.

    For "auto", 16 to 31 scenes spread over the data set are read (of fewer scenes, all). The result
    is True if one of them numbers objects, see `numbers_objects`. Scenes whose maps are missing or
    cannot be read do not count. Without a class of things the result is False.

    Args:
        instance_ids: "auto", "classes" (False) or "numbers" (True), see `PairedFolder`.
        files: the files of each scene; maps are read for "auto" only.
        classes: the class table.

    Raises:
        UserError: the option has another value.
    """
    if instance_ids not in INSTANCE_IDS:
        raise UserError(f"instance_ids is one of {', '.join(INSTANCE_IDS)}, not {instance_ids!r}.")
    if instance_ids != "auto" or not any(c.thing for c in classes.classes):
        return instance_ids == "numbers"
    some = files[:: max(len(files) // MAX_MAPS_READ, 1)]
    return any(_shows_numbers(scene, classes) for scene in some)


def _shows_numbers(scene: SceneFiles, classes: ClassTable) -> bool:
    if scene.label is None or scene.instance is None:
        return False
    try:
        label, ids = read_label(scene.label, classes), read_instance(scene.instance)
    except UserError:  # the check of all files reports it in full
        return False
    return label.shape == ids.shape and numbers_objects(label, ids, classes)


def _check_root(root: Path) -> None:
    if root.is_dir():
        return
    partial = root.with_name(root.name + PARTIAL)
    if partial.is_dir():
        raise UserError(
            f"{partial} was left by a preparation that did not end. Give the same prepare_data "
            "command again: it goes on."
        )
    raise UserError(
        f"The folder {root} does not exist. Published data sets are brought into it by "
        f"`i2ibench prepare_data NAME SOURCE {shlex.quote(str(root))}` (NAME alone says what to "
        "download); for data in another place pass --cfg-options data_root=PATH, or --data-root "
        "PATH to eval without a config."
    )


def _name(root: Path) -> str:
    try:
        return str(read_json(root / PREPARATION)["data"])
    except (OSError, ValueError, LookupError, TypeError):
        return "PairedFolder"


def read_classes(root: Path) -> ClassTable:
    """Return the class table in the file `classes.json` of a data set's root; see `class_table`.

    Raises:
        UserError: the file is missing or malformed.
    """
    path = root / "classes.json"
    try:
        entries = read_json(path)
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"{path} does not exist. It lists the classes, such as "
            '["sky", "road"] or [{"name": "sky", "id": 23, "colour": [70, 130, 180]}, ...].'
        ) from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error}") from None
    if not isinstance(entries, list):
        raise UserError(f"{path} must hold a list of classes, got {type(entries).__name__}.")
    return class_table(entries)


def pair_by_name(folders: Mapping[str, Path]) -> list[SceneFiles]:
    """Return the scenes of folders whose files have equal names, sorted by name; no file is read.

    A file's name is its path below the folder without the ending. Every scene has a file in each
    folder.

    Args:
        folders: the folder of each kind of data, among them at least one input, see `is_input`.

    Raises:
        UserError: a folder is missing or empty, there is no input, or files have no partner (three
            are named).
    """
    first = next((kind.name for kind in in_order(folders) if is_input(kind.name)), None)
    if first is None:
        raise UserError("Scenes have a label_dir or a source_dir; both are None.")
    files = {kind: files_by_name(folder) for kind, folder in folders.items()}
    return scenes_of(files, folders, first)


def scenes_of(
    files: Mapping[str, Mapping[str, Path]],
    folders: Mapping[str, Path],
    first: str,
    paired: str = "",
) -> list[SceneFiles]:
    """Return the scenes whose files have equal names in all kinds of data, sorted by name.

    Args:
        files: the files of each kind of data, by scene name.
        folders: the folder of each kind, for the error message.
        first: the kind that is translated; the files of each other kind are compared with its
            files.
        paired: a sentence for the error message that says how files are paired, or "".

    Raises:
        UserError: files have no partner (three are named).
    """
    for kind in files:
        for have, lacking in ((first, kind), (kind, first)):
            alone = sorted(files[have].keys() - files[lacking].keys())
            if alone:
                more = f" and {len(alone) - 3} more" if len(alone) > 3 else ""
                listing = ", ".join(str(files[have][name]) for name in alone[:3])
                place = folders[lacking]
                ignored = ignored_note(place, find_images(place).ignored)
                raise UserError(
                    f"No file of the same name in {place} for {listing}{more}.{paired}{ignored}"
                )
    return [
        SceneFiles(name, {kind: by_name[name] for kind, by_name in files.items()})
        for name in sorted(files[first])
    ]
