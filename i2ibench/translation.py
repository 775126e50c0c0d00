"""Translating folders of label maps with a checkpoint."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.utils.data import default_collate

from i2ibench.checkpoints import OpenedCheckpoint
from i2ibench.datasets.classes import ClassTable, SemanticClass
from i2ibench.datasets.paired_folder import files_by_name, pair_by_name
from i2ibench.datasets.scenes import SceneFiles, Scenes
from i2ibench.errors import UserError
from i2ibench.files import write_picture, write_text
from i2ibench.progress import track
from i2ibench.provenance import sha256

_CITYSCAPES_LABEL = "_gtFine_labelIds.png"


def translate(
    opened: OpenedCheckpoint,
    input_dir: Path,
    output_dir: Path,
    size: tuple[int, int] | None = None,
) -> list[Path]:
    """Translate every label map of a folder; gives the pictures, each of its label map's size.

    Pictures that an earlier, interrupted call made with the same checkpoint and settings stay.

    Args:
        opened: the checkpoint.
        input_dir: see `find_inputs`.
        output_dir: gets one PNG per scene.
        size: (width, height) that label and instance maps are resized to first; None keeps theirs.

    Raises:
        UserError: nothing to translate, a file is unusable, or the output folder holds pictures
            of another checkpoint.
    """
    files = find_inputs(input_dir)
    needs = _need_of_instances(opened)
    if needs and any(scene.instance is None for scene in files):
        raise UserError(
            f"{opened.path} needs an instance map for every label map ({needs}), and "
            f"{input_dir} has none for {next(s.label for s in files if s.instance is None)}. Put "
            "label maps into label/ and instance maps of the same names into instance/."
        )
    transforms = [{"type": "Resize", "width": size[0], "height": size[1]}] if size else []
    scenes = Scenes(files, _class_table(opened.metainfo), transforms)
    _claim(output_dir, opened, size)
    paths = [output_dir / f"{scene.name}.png" for scene in files]
    todo = [index for index, path in enumerate(paths) if not path.exists()]
    for index in track(todo, "translating"):
        data = default_collate([scenes.read(index)])
        fake = opened.translator.predict(data)[0]["fake"]
        write_picture(paths[index], fake.permute(1, 2, 0).cpu().numpy())
    return paths


def find_inputs(input_dir: Path) -> list[SceneFiles]:
    """The scenes of a folder in one of three layouts, sorted by name.

    Cityscapes' (`*_gtFine_labelIds.png` with `*_instanceIds.png` beside them, at any depth); the
    subfolders `label`, `instance` and `image` with files of equal names (the last two optional);
    or label maps alone.

    Raises:
        UserError: the folder is missing or empty, or files have no partner.
    """
    if not input_dir.is_dir():
        raise UserError(f"The folder {input_dir} does not exist.")
    official = sorted(input_dir.rglob(f"*{_CITYSCAPES_LABEL}"))
    if official:
        return [_official_scene(path) for path in official]
    if (input_dir / "label").is_dir():
        others = [input_dir / kind for kind in ("instance", "image")]
        instance, image = (folder if folder.is_dir() else None for folder in others)
        return pair_by_name(input_dir / "label", instance, image)
    return [SceneFiles(name, path) for name, path in sorted(files_by_name(input_dir).items())]


def _official_scene(label: Path) -> SceneFiles:
    """The scene of a Cityscapes label map, with the files that are there."""
    stem = label.name.removesuffix(_CITYSCAPES_LABEL)
    instance = label.with_name(f"{stem}_gtFine_instanceIds.png")
    folders = label.parts
    image = None
    if "gtFine" in folders:
        at = len(folders) - 1 - folders[::-1].index("gtFine")
        photo = (
            Path(*folders[:at], "leftImg8bit", *folders[at + 1 : -1]) / f"{stem}_leftImg8bit.png"
        )
        image = photo if photo.is_file() else None
    return SceneFiles(stem, label, instance if instance.is_file() else None, image)


def _need_of_instances(opened: OpenedCheckpoint) -> str:
    if opened.translator.encoder is not None:
        return "for the styles of the instances"
    return "for the boundary map" if opened.translator.data_preprocessor.boundaries else ""


def _class_table(metainfo: Mapping[str, Any]) -> ClassTable:
    rows = zip(metainfo["classes"], metainfo["ids"], metainfo["palette"], strict=True)
    return ClassTable(tuple(SemanticClass(name, i, tuple(rgb)) for name, i, rgb in rows))


def _claim(output_dir: Path, opened: OpenedCheckpoint, size: tuple[int, int] | None) -> None:
    """Note in the output folder what its pictures are made with."""
    bank = opened.translator.style_bank
    settings = {
        "checkpoint": sha256(opened.path),
        "size": list(size) if size else None,
        "encode_photo": opened.translator.encode_photo,
        "style_seed": bank.seed if bank is not None else None,
    }
    note = output_dir / "translation.json"
    try:
        if note.is_file() and json.loads(note.read_text()) != settings:
            raise UserError(
                f"{output_dir} holds pictures of another checkpoint or other settings; choose "
                "another output folder."
            )
        write_text(note, json.dumps(settings))
    except OSError as error:
        raise UserError(f"The output folder {output_dir} cannot be written: {error}") from None
