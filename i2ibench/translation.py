"""Translating folders of label maps or other pictures with a checkpoint."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch.utils.data import default_collate

from i2ibench.checkpoints import OpenedCheckpoint
from i2ibench.configuration import prepare_work_dir
from i2ibench.datasets.classes import ClassTable, SemanticClass
from i2ibench.datasets.paired_folder import pair_by_name
from i2ibench.datasets.picture_files import picture_size
from i2ibench.datasets.scenes import SceneFiles, Scenes
from i2ibench.datasets.validate import require_faultless
from i2ibench.errors import UserError
from i2ibench.files import write_picture, write_text
from i2ibench.preflight import try_translation
from i2ibench.progress import Progress, track
from i2ibench.provenance import sha256

_CITYSCAPES_LABEL = "_gtFine_labelIds.png"


def translate(
    opened: OpenedCheckpoint,
    input_dir: Path,
    output_dir: Path,
    size: tuple[int, int] | None = None,
    encode_photo: bool = False,
) -> list[Path]:
    """Translate every scene of a folder; gives the pictures, each of its label map's size.

    Pictures that an earlier, interrupted call made from the same files with the same checkpoint
    and settings stay.

    Args:
        opened: the checkpoint.
        input_dir: see `find_inputs`.
        output_dir: gets one PNG per scene.
        size: (width, height) that scenes are resized to first; None keeps theirs.
        encode_photo: take styles from the photos.

    Raises:
        UserError: nothing to translate, a file is unusable, or the output folder holds other
            pictures. Nothing has been written then.
    """
    needs = opened.translator.data_preprocessor.needs
    files = find_inputs(input_dir, "source" if "source" in needs else "label")
    _check_needs(opened, files, encode_photo)
    transforms = [{"type": "Resize", "width": size[0], "height": size[1]}] if size else []
    scenes = Scenes(files, _class_table(opened.metainfo), transforms)
    with Progress("checking files", len(files)) as progress:
        require_faultless(scenes, progress.advance)
    for height, width in {picture_size(scene.input) for scene in files}:
        columns, rows = size or (width, height)
        try_translation(opened.translator, rows, columns)
    bank = opened.translator.style_bank
    settings = {
        "checkpoint": sha256(opened.path),
        "size": list(size) if size else None,
        "encode_photo": encode_photo,
        "style_seed": bank.seed if bank is not None else None,
    }
    claim_output(output_dir, input_dir, settings, files)
    paths = [output_dir / f"{scene.name}.png" for scene in files]
    todo = [index for index, path in enumerate(paths) if not path.exists()]
    for index in track(todo, "translating"):
        data = default_collate([scenes.read(index)])
        fake = opened.translator.predict(data, encode_photo)[0]["fake"]
        write_picture(paths[index], fake.permute(1, 2, 0).cpu().numpy())
    return paths


def find_inputs(input_dir: Path, kind: str = "label") -> list[SceneFiles]:
    """The scenes of a folder in one of three layouts, sorted by name.

    Cityscapes' (`*_gtFine_labelIds.png` with `*_instanceIds.png` beside them, at any depth); the
    subfolders `label` (or `source`), `instance` and `image` with files of equal names (the last
    two optional); or the inputs alone.

    Args:
        input_dir: the folder.
        kind: "label" for label maps, "source" for other pictures.

    Raises:
        UserError: the folder is missing or empty, or files have no partner.
    """
    if not input_dir.is_dir():
        raise UserError(f"The folder {input_dir} does not exist.")
    official = sorted(input_dir.rglob(f"*{_CITYSCAPES_LABEL}"))
    if official and kind == "label":
        return [_official_scene(path) for path in official]
    inputs = input_dir
    others: dict[str, Path] = {}
    if (input_dir / kind).is_dir():
        inputs = input_dir / kind
        folders = {f"{other}_dir": input_dir / other for other in ("instance", "image")}
        others = {name: folder for name, folder in folders.items() if folder.is_dir()}
    return pair_by_name(**{f"{kind}_dir": inputs}, **others)


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


def _check_needs(opened: OpenedCheckpoint, files: Sequence[SceneFiles], encode_photo: bool) -> None:
    """Refuse inputs that lack what the checkpoint needs."""
    translator = opened.translator
    needs = "for the boundary map" if "instance" in translator.data_preprocessor.needs else ""
    needs = "for the styles of the instances" if translator.encoder is not None else needs
    layout = "the same names into the folders label/, instance/ and image/ of the input folder"
    for scene in files:
        if needs and scene.instance is None:
            raise UserError(
                f"{opened.path} needs an instance map for every label map ({needs}), and there is "
                f"none for {scene.input}. Put files of {layout}."
            )
        if encode_photo and scene.image is None:
            raise UserError(f"There is no photo for {scene.input}. Put files of {layout}.")


def _class_table(metainfo: Mapping[str, Any]) -> ClassTable:
    rows = zip(metainfo["classes"], metainfo["ids"], metainfo["palette"], strict=True)
    return ClassTable(tuple(SemanticClass(name, i, tuple(rgb)) for name, i, rgb in rows))


def claim_output(
    output_dir: Path, input_dir: Path, settings: dict[str, Any], files: Sequence[SceneFiles]
) -> None:
    """Note in the output folder what its pictures are made with and from.

    Pictures whose label or instance map has changed since are removed, to be made again.

    Raises:
        UserError: the folder holds other pictures, lies in the input folder, or cannot be written.
    """
    if output_dir.resolve().is_relative_to(input_dir.resolve()):
        raise UserError(f"The output folder {output_dir} lies in the input folder; choose another.")
    prepare_work_dir(output_dir)
    note = output_dir / "translation.json"
    before: dict[str, Any] = {"settings": settings, "scenes": {}}
    if note.is_file():
        before = _read_note(note)
    elif any(output_dir.iterdir()):
        raise UserError(f"The output folder {output_dir} holds other files; choose an empty one.")
    if before["settings"] != settings:
        raise UserError(
            f"{output_dir} holds pictures of another checkpoint or other settings; choose another "
            "output folder."
        )
    now = {scene.name: _fingerprint(scene) for scene in files}
    for name in now:
        if before["scenes"].get(name) != now[name]:
            (output_dir / f"{name}.png").unlink(missing_ok=True)
    write_text(note, json.dumps({"settings": settings, "scenes": {**before["scenes"], **now}}))


def _read_note(note: Path) -> dict[str, Any]:
    try:
        content = json.loads(note.read_text())
        return {"settings": content["settings"], "scenes": dict(content["scenes"])}
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{note} is no note of a translation: {error}") from None


def _fingerprint(scene: SceneFiles) -> list[str]:
    paths = (scene.label, scene.source, scene.instance, scene.image)
    return [sha256(path) for path in paths if path is not None]
