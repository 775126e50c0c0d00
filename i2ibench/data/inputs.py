"""The scenes of a folder that is to be translated."""

from collections.abc import Collection, Sequence
from pathlib import Path

from i2ibench.data.datasets.paired_folder import pair_by_name
from i2ibench.data.datasets.pix2pixhd_folder import find_official, pair_official
from i2ibench.data.file_search import short_names, walk_files
from i2ibench.data.kinds import in_order
from i2ibench.data.scenes import SceneFiles, is_input
from i2ibench.errors import UserError

_CITYSCAPES_LABEL = "_gtFine_labelIds.png"


def find_inputs(input_dir: Path, needs: Collection[str] = ("label",)) -> list[SceneFiles]:
    """The scenes of a folder in one of four layouts, sorted by name.

    The released pix2pixHD's (see `find_official`); Cityscapes' (`*_gtFine_labelIds.png` with
    `*_instanceIds.png` beside them, at any depth); a subfolder for each kind of data, such as
    `label`, `source`, `instance` and `image`, with files of equal names (instance maps and photos
    that are not needed are optional, other kinds unused); or the inputs alone.

    Args:
        input_dir: the folder.
        needs: the kinds of data that a scene has to have. What is translated is the first of
            these in the table of kinds, see `is_input`, or the photo where only that is needed.

    Raises:
        UserError: the folder is missing or empty, or files have no partner.
    """
    if not input_dir.is_dir():
        raise UserError(f"The folder {input_dir} does not exist.")
    kind = _translated(needs)
    folders = find_official(input_dir, kind) if kind in ("label", "source") else None
    if folders is not None:
        return pair_official(folders)
    if kind == "label":
        official = [p for p in walk_files(input_dir) if p.name.endswith(_CITYSCAPES_LABEL)]
        names = short_names(official, input_dir, _CITYSCAPES_LABEL)
        if official:
            scenes = (_official_scene(p, n) for p, n in zip(official, names, strict=True))
            return sorted(scenes, key=lambda scene: scene.name)
    given = {kind: input_dir}
    if (input_dir / kind).is_dir():
        beside = {kind, "instance", "image", *needs}
        given = {other: input_dir / other for other in beside}
        given = {other: folder for other, folder in given.items() if folder.is_dir()}
    if kind == "image":  # the photo is what is translated
        given["source"] = given["image"]
    return pair_by_name(given)


def _translated(needs: Collection[str]) -> str:
    """Return the kind of what is translated where these kinds are needed."""
    first = next((kind.name for kind in in_order(needs) if is_input(kind.name)), None)
    if first is not None:
        return first
    return "image" if "image" in needs else "label"  # instances lie on label maps


def is_cityscapes(files: Sequence[SceneFiles]) -> bool:
    """Return whether scenes have Cityscapes' layout, whose folders hold other files too."""
    return any(f.label is not None and f.label.name.endswith(_CITYSCAPES_LABEL) for f in files)


def _official_scene(label: Path, name: str) -> SceneFiles:
    """Return the scene of a Cityscapes label map, with the files that are there."""
    stem = label.name.removesuffix(_CITYSCAPES_LABEL)
    instance = label.with_name(f"{stem}_gtFine_instanceIds.png")
    folders = label.parts
    paths = {"label": label, "instance": instance}
    if "gtFine" in folders:
        at = len(folders) - 1 - folders[::-1].index("gtFine")
        photo = (
            Path(*folders[:at], "leftImg8bit", *folders[at + 1 : -1]) / f"{stem}_leftImg8bit.png"
        )
        paths["image"] = photo
    return SceneFiles(name, {kind: path for kind, path in paths.items() if path.is_file()})
