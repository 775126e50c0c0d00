"""Search for the scenes in a folder that is to be translated."""

from collections.abc import Collection, Sequence
from pathlib import Path

from i2ibench.data.datasets.cityscapes import LABEL_ENDING, scene_files
from i2ibench.data.datasets.paired_folder import pair_by_name
from i2ibench.data.datasets.pix2pixhd_folder import find_official, pair_official
from i2ibench.data.file_search import short_names, walk_files
from i2ibench.data.kinds import in_order
from i2ibench.data.scenes import SceneFiles, is_input
from i2ibench.errors import UserError


def find_inputs(input_dir: Path, needs: Collection[str] = ("label",)) -> list[SceneFiles]:
    """Find the scenes of a folder that is to be translated, sorted by name.

    The first of four layouts that fits is taken. Files are not read. Whether the scenes have all
    needed kinds is not checked.

    1. The layout of the released pix2pixHD, see `find_official`, to translate labels or sources.
    2. Cityscapes' layout, to translate labels: `*_gtFine_labelIds.png` at any depth, with
       `*_instanceIds.png` beside. Photos are found if the label maps are below a folder `gtFine`.
    3. A subfolder for each kind of data, such as `label`, `source`, `instance` and `image`, with
       files of equal names. Instance maps and photos that are not needed are optional. Other kinds
       that are not needed are left out.
    4. The inputs alone.

    Args:
        input_dir: the folder.
        needs: the kinds of data that a scene must have. The first kind that is an input (see
            `is_input`) is translated. Without one, photos are translated if needed, else label
            maps.

    Raises:
        UserError: the folder is missing or empty, or files have no partner.
    """
    if not input_dir.is_dir():
        raise UserError(f"The folder {input_dir} does not exist.")
    kind = _input_kind(needs)
    folders = find_official(input_dir, kind) if kind in ("label", "source") else None
    if folders is not None:
        return pair_official(folders)
    if kind == "label":
        labels = [path for path in walk_files(input_dir) if path.name.endswith(LABEL_ENDING)]
        names = short_names(labels, input_dir, LABEL_ENDING)
        if labels:
            scenes = (_cityscapes_scene(p, name) for p, name in zip(labels, names, strict=True))
            return sorted(scenes, key=lambda scene: scene.name)
    given = {kind: input_dir}
    if (input_dir / kind).is_dir():
        beside = {other: input_dir / other for other in (kind, "instance", "image", *needs)}
        given = {other: folder for other, folder in beside.items() if folder.is_dir()}
    if kind == "image":  # photos are the input
        given["source"] = given["image"]
    return pair_by_name(given)


def _input_kind(needs: Collection[str]) -> str:
    first = next((kind.name for kind in in_order(needs) if is_input(kind.name)), None)
    if first is not None:
        return first
    return "image" if "image" in needs else "label"  # instance maps alone belong to label maps


def is_cityscapes(files: Sequence[SceneFiles]) -> bool:
    """Return whether one of the scenes has a label map named as in Cityscapes' layout.

    The folders of that layout hold other files too.
    """
    return any(f.label is not None and f.label.name.endswith(LABEL_ENDING) for f in files)


def _cityscapes_scene(label: Path, name: str) -> SceneFiles:
    """Return the scene of a label map in Cityscapes' layout, with those of its files that exist.

    The photo is looked for below `leftImg8bit` if the label map is below a folder `gtFine`.
    """
    folders, images = label.parts, None
    if "gtFine" in folders:
        at = len(folders) - 1 - folders[::-1].index("gtFine")
        images = Path(*folders[:at], "leftImg8bit", *folders[at + 1 : -1])
    paths = scene_files(label, name, images).paths
    return SceneFiles(name, {kind: path for kind, path in paths.items() if path.is_file()})
