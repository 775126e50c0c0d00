"""Checks of every file of a data set before the files are needed."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from i2ibench.data.codings import require_class_ids
from i2ibench.data.file_search import ignored_notes
from i2ibench.data.kinds import KINDS
from i2ibench.data.maps import read_label_map
from i2ibench.data.pixel_formats import RGB, PixelFormat, verify_image
from i2ibench.data.scenes import SceneFiles, Scenes, check_sizes
from i2ibench.errors import UserError
from i2ibench.io.thread_pools import map_in_threads


@dataclass(frozen=True)
class ValidationResult:
    """The result of checking every file of a data set.

    Attributes:
        faults: one message for each scene that cannot be used, in the order of the scenes.
        notes: sentences about files in unusual formats, and about files that are not read.
    """

    faults: list[str]
    notes: list[str]


def validate_files(scenes: Scenes, on_scene: Callable[[], None] | None = None) -> ValidationResult:
    """Check every file of a data set, in threads; faults are returned, not raised.

    Maps and images that are not 8-bit RGB are decoded. For RGB images the size, depth, checksums
    and end of the file are checked, see `verify_image`.

    Args:
        scenes: the scenes of the data set.
        on_scene: called after each scene, in several threads at once.

    Raises:
        UserError: a folder cannot be read.
    """

    def check(files: SceneFiles) -> tuple[str, str]:
        try:
            return "", _check(files, scenes)
        except UserError as error:
            return str(error), ""

    outcomes = map_in_threads(check, scenes.files, on_scene)
    codings = [coding for _, coding in outcomes]
    return ValidationResult(
        [fault for fault, _ in outcomes if fault], format_notes(scenes, codings)
    )


def format_notes(scenes: Scenes, codings: Sequence[str]) -> list[str]:
    """Return sentences about unusual codings and formats in a data set, and about ignored files.

    There is a sentence for each coding other than plain class ids, for photos that are not 8-bit
    RGB, for instance ids that only number objects, and for each folder with files that are not
    read.

    Args:
        scenes: the scenes of the data set.
        codings: the coding of each label map, see `LabelMap`; "" is left out.

    Raises:
        UserError: a folder cannot be read.
    """
    notes = [
        f"{count} label {'map is' if count == 1 else 'maps are'} of another coding: {coding}."
        for coding, count in Counter(filter(None, codings)).items()
    ]
    image = scenes.formats.get("image", RGB)
    if image == PixelFormat(1, 8):
        notes.append("The photos are grey: a generator makes one channel.")
    elif not image.is_rgb:
        notes.append(f"The photos have {image}: a generator makes the same.")
    if scenes.counts_objects:
        notes.append(
            "Instance ids number objects here: also one that equals its class's own id is an "
            'object (instance_ids="classes" takes it for a pixel that belongs to no object).'
        )
    return notes + ignored_notes(scenes.folders)


def require_valid_files(scenes: Scenes, on_scene: Callable[[], None] | None = None) -> list[str]:
    """Check every file of a data set and return the notes of `ValidationResult`.

    Args:
        scenes: the scenes of the data set.
        on_scene: called after each scene, in several threads at once.

    Raises:
        UserError: some scenes cannot be used (the first five are listed), or a folder cannot be
            read.
    """
    result = validate_files(scenes, on_scene)
    raise_faults(result.faults)
    return result.notes


def raise_faults(faults: Sequence[str]) -> None:
    """Raise an error if the list of faults, one message for each unusable scene, is not empty.

    Raises:
        UserError: there are faults; the message lists the first five.
    """
    if faults:
        more = f"\n... and {len(faults) - 5} more scenes." if len(faults) > 5 else ""
        raise UserError("\n".join(faults[:5]) + more)


def _check(files: SceneFiles, scenes: Scenes) -> str:
    """Check the files of one scene; return the coding of its label map, "" without a label map."""
    sizes: dict[str, tuple[int, ...]] = {}
    label = None
    for kind, path in files.paths.items():  # the label map comes first
        read = KINDS[kind].read
        if kind == "label":
            label = read_label_map(path, scenes.classes)
            sizes[kind] = label.channels.shape
        elif read is None:
            sizes[kind] = verify_image(path, scenes.formats.get(kind, RGB))
        else:
            ids = read(path, scenes.classes)
            sizes[kind] = ids.shape
            if kind == "instance" and label is not None and scenes.guesses_classes:
                require_class_ids(path, label.channels, ids, scenes.classes)
    check_sizes(files, sizes)
    return "" if label is None else label.coding
