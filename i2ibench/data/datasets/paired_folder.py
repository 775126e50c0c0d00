"""Anyone's own scenes: folders of label maps or other images, and photos, paired by name."""

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
"""In data that `prepare_data` wrote: which data set it is, and what it was made from."""

INSTANCE_IDS = ("auto", "classes", "numbers")

SCENES_LOOKED_AT = 16
"""Scenes spread over a data set whose maps say what its instance ids are."""

PARTIAL = ".partial"
"""What the folder's name ends in until all of the data is in it."""


@DATASETS.register_module()
class PairedFolder(Dataset):
    """Scenes from folders whose files have equal names up to the extension.

    What `prepare_data` wrote is called by the name of the data set, anything else `PairedFolder`.

    Args:
        root: where the folders are.
        split: put in place of `{split}` in the folder names.
        label_dir, image_dir, instance_dir, source_dir: folders below the root; None where there
            are none of that kind. Sources are edges or other images that are translated in the
            place of label maps.
        other_dirs: by name of any other kind of data its folder below the root, as in
            dict(thermal="{split}/thermal"); see `i2ibench.data.kinds.register_kind`.
        classes: list of names, or of dicts (name, id, colour, scored); None reads such a list
            from `classes.json` in the root; data without label maps has none.
        transforms: configs of registered transforms.
        seed: for random transforms.
        instance_ids: "classes" if the id of a pixel without an object of its own is its class's,
            as Cityscapes has it; "numbers" if ids only number objects, so that any id is one;
            "auto" looks at some maps: "numbers" where a thing has an id below 256 that is not its
            class's.
        image_channels: of the photos, and so of what a generator makes: 1 for grey ones, 3 for
            colour, any other number for RGBA or channels of other meaning; None looks how some
            photos are stored.
        image_depth: 8 or 16 bits in each channel of the photos; None looks at some.

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
            files = pair_by_name(folders)
        self.scenes = Scenes(files, table, transforms, seed)
        self.scenes.folders = list(folders.values())
        self.scenes.counts_objects = counts_objects(instance_ids, files, table)
        self.scenes.guessed_ids = instance_ids == "auto"
        self.scenes.formats = find_formats(files, image_channels, image_depth)
        self.metainfo = table.metainfo(_name(Path(root)), self.scenes.formats)
        self.metainfo["instance_ids"] = "numbers" if self.scenes.counts_objects else "classes"


def find_formats(
    files: Sequence[SceneFiles], image_channels: int | None = None, image_depth: int | None = None
) -> dict[str, PixelFormat]:
    """Return the format of each kind of image that the scenes have.

    Args:
        files: of the scenes, of which some are looked at.
        image_channels, image_depth: of the photos, as the config states them; None to find them.

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


def _some_of(files: Sequence[SceneFiles]) -> Sequence[SceneFiles]:
    """Return scenes spread over a data set."""
    return files[:: max(len(files) // SCENES_LOOKED_AT, 1)]


def counts_objects(instance_ids: str, files: Sequence[SceneFiles], classes: ClassTable) -> bool:
    """Return whether instance ids only number objects, by option or by looking at some maps."""
    if instance_ids not in INSTANCE_IDS:
        raise UserError(f"instance_ids is one of {', '.join(INSTANCE_IDS)}, not {instance_ids!r}.")
    if instance_ids != "auto" or not any(c.thing for c in classes.classes):
        return instance_ids == "numbers"
    return any(_shows_numbers(scene, classes) for scene in _some_of(files))


def _shows_numbers(scene: SceneFiles, classes: ClassTable) -> bool:
    if scene.label is None or scene.instance is None:
        return False
    try:
        label, ids = read_label(scene.label, classes), read_instance(scene.instance)
    except UserError:  # which checking the files tells in full
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
        "download); for data in another place pass --cfg-options data_root=PATH."
    )


def _name(root: Path) -> str:
    try:
        facts = read_json(root / PREPARATION)
        return str(facts["data"])
    except (OSError, ValueError, LookupError, TypeError):
        return "PairedFolder"


def read_classes(root: Path) -> ClassTable:
    """The class table in `root/classes.json`.

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
    """Return the scenes of the folders, sorted by name.

    Args:
        folders: by kind of data; at least one of a kind that can be translated by itself.

    Raises:
        UserError: a folder is missing or empty, or files have no partner (they are named).
    """
    first = next((kind.name for kind in in_order(folders) if is_input(kind.name)), None)
    if first is None:
        raise UserError("Scenes have a label_dir or a source_dir; both are None.")
    found = {kind: files_by_name(folder) for kind, folder in folders.items()}
    return scenes_of(found, folders, first)


def scenes_of(
    found: Mapping[str, Mapping[str, Path]],
    folders: Mapping[str, Path],
    first: str,
    paired: str = "",
) -> list[SceneFiles]:
    """Return the scenes of files that were found, sorted by name.

    Args:
        found: by kind of file and name the file.
        folders: by kind where it was looked for.
        first: the kind of what is translated.
        paired: how files are paired, for the message, where equal names are not all.

    Raises:
        UserError: files have no partner (they are named).
    """
    for kind in found:
        for have, lacking in ((first, kind), (kind, first)):
            alone = sorted(found[have].keys() - found[lacking].keys())
            if alone:
                more = f" and {len(alone) - 3} more" if len(alone) > 3 else ""
                listing = ", ".join(str(found[have][name]) for name in alone[:3])
                place = folders[lacking]
                ignored = ignored_note(place, find_images(place).ignored)
                raise UserError(
                    f"No file of the same name in {place} for {listing}{more}.{paired}{ignored}"
                )
    return [
        SceneFiles(name, {kind: files[name] for kind, files in found.items()})
        for name in sorted(found[first])
    ]
