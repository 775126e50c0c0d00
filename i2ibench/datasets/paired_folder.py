"""Anyone's own scenes: folders of label maps or other pictures, and photos, paired by name."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from i2ibench.datasets.classes import ClassTable, class_table
from i2ibench.datasets.foreign_annotations import advising
from i2ibench.datasets.scenes import SceneFiles, Scenes
from i2ibench.errors import UserError
from i2ibench.registry import DATASETS
from i2ibench.structures import Sample

PREPARATION = "preparation.json"
"""In data that `prepare_data` wrote: which data set it is, and what it was made from."""

PARTIAL = ".partial"
"""What the folder's name ends in until all of the data is in it."""

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff")


@DATASETS.register_module()
class PairedFolder(Dataset):
    """Scenes from folders whose files have equal names up to the extension.

    What `prepare_data` wrote is called by the name of the data set, anything else `PairedFolder`.

    Args:
        root: where the folders are.
        split: put in place of `{split}` in the folder names.
        label_dir, image_dir, instance_dir, source_dir: folders below the root; None where there
            are none of that kind. Sources are edges or other pictures that are translated in the
            place of label maps.
        classes: list of names, or of dicts (name, id, colour, scored); None reads such a list
            from `classes.json` in the root; data without label maps has none.
        transforms: configs of registered transforms.
        seed: for random transforms.

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
    ) -> None:
        _check_root(Path(root))
        folders = [
            None if folder is None else Path(root) / folder.replace("{split}", split)
            for folder in (label_dir, instance_dir, image_dir, source_dir)
        ]
        with advising(Path(root)):
            if classes is None and label_dir is not None:
                table = read_classes(Path(root))
            else:
                table = class_table(classes or ())
            files = pair_by_name(*folders)
        self.scenes = Scenes(files, table, transforms, seed)
        self.metainfo = table.metainfo(_name(Path(root)))

    def __len__(self) -> int:
        return len(self.scenes)

    def __getitem__(self, key: int | tuple[int, int]) -> Sample:
        """Scene `index`, or (index, epoch)."""
        return self.scenes.read(key)


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
        f"`tools/prepare_data.py NAME SOURCE {root}` (NAME alone says what to "
        "download); for data in another place pass --cfg-options data_root=PATH."
    )


def _name(root: Path) -> str:
    try:
        facts = json.loads((root / PREPARATION).read_text(encoding="utf-8"))
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
        entries = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise UserError(
            f"{path} does not exist. It lists the classes, such as "
            '["sky", "road"] or [{"name": "sky", "id": 23, "colour": [70, 130, 180]}, ...].'
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as JSON: {error}") from None
    if not isinstance(entries, list):
        raise UserError(f"{path} must hold a list of classes, got {type(entries).__name__}.")
    return class_table(entries)


def pair_by_name(
    label_dir: Path | None = None,
    instance_dir: Path | None = None,
    image_dir: Path | None = None,
    source_dir: Path | None = None,
) -> list[SceneFiles]:
    """The scenes of the folders, sorted by name; any kind's folder may be None but not all inputs.

    Raises:
        UserError: a folder is missing or empty, or files have no partner (they are named).
    """
    first = label_dir or source_dir
    if first is None:
        raise UserError("Scenes have a label_dir or a source_dir; both are None.")
    kinds = {"label": label_dir, "instance": instance_dir, "image": image_dir, "source": source_dir}
    found = {kind: files_by_name(folder) for kind, folder in kinds.items() if folder is not None}
    names = files_by_name(first)
    for kind, files in found.items():
        folder = kinds[kind]
        assert folder is not None
        _check_partners(first, names, folder, files)
    return [
        SceneFiles(name, **{kind: files[name] for kind, files in found.items()})
        for name in sorted(names)
    ]


def files_by_name(folder: Path) -> dict[str, Path]:
    """The pictures below `folder` by their relative path without extension.

    Raises:
        UserError: the folder is missing or holds no picture, or two files share a name.
    """
    if not folder.is_dir():
        raise UserError(f"The folder {folder} does not exist.")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        hidden = path.name.startswith(".")  # macOS leaves such files beside the real ones
        if path.suffix.lower() in EXTENSIONS and path.is_file() and not hidden:
            name = path.relative_to(folder).with_suffix("").as_posix()
            if name in found:
                raise UserError(f"{found[name]} and {path} would be the same scene; remove one.")
            found[name] = path
    if not found:
        raise UserError(f"The folder {folder} holds no picture ({', '.join(EXTENSIONS)}).")
    return found


def _check_partners(
    label_dir: Path, labels: Mapping[str, Path], folder: Path, partners: Mapping[str, Path]
) -> None:
    for have, lacking, place in ((labels, partners, folder), (partners, labels, label_dir)):
        alone = sorted(have.keys() - lacking.keys())
        if alone:
            more = f" and {len(alone) - 3} more" if len(alone) > 3 else ""
            listing = ", ".join(str(have[name]) for name in alone[:3])
            raise UserError(f"No file of the same name in {place} for {listing}{more}.")
