"""Validation: every file of a data set checked before it is needed."""

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
from i2ibench.io.threads import map_in_threads


@dataclass(frozen=True)
class ValidationResult:
    """The outcome of checking every file of a data set.

    Attributes:
        faults: one message per scene that cannot be used, in the scenes' order.
        notes: sentences on how files were taken that are not plain class ids, and on files that
            are not read.
    """

    faults: list[str]
    notes: list[str]


def validate_files(scenes: Scenes, on_scene: Callable[[], None] | None = None) -> ValidationResult:
    """Check every file of a data set.

    Maps are read in full, and images that are not RGB; of photos the size, depth, checksums and
    end are checked, see `verify_image`.

    Args:
        scenes: the data set's scenes.
        on_scene: called after each scene.

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
    """Return sentences on how a data set's files are taken where that is not plain.

    Args:
        scenes: the data set's scenes.
        codings: of its label maps, see `LabelMap`.

    Raises:
        UserError: a folder cannot be read.
    """
    named = Counter(coding for coding in codings if coding)
    notes = [
        f"{count} label {'map is' if count == 1 else 'maps are'} of another coding: {coding}."
        for coding, count in named.items()
    ]
    made = scenes.formats.get("image", RGB)
    if made == PixelFormat(1, 8):
        notes.append("The photos are grey: a generator makes one channel.")
    elif not made.is_rgb:
        notes.append(f"The photos have {made}: a generator makes the same.")
    if scenes.counts_objects:
        notes.append(
            "Instance ids number objects here: also one that equals its class's own id is an "
            'object (instance_ids="classes" takes it for a pixel that belongs to no object).'
        )
    return notes + ignored_notes(scenes.folders)


def require_valid_files(scenes: Scenes, on_scene: Callable[[], None] | None = None) -> list[str]:
    """Check every file of a data set and return the notes of `ValidationResult`.

    Raises:
        UserError: some cannot be used; the first five are named.
    """
    checked = validate_files(scenes, on_scene)
    raise_faults(checked.faults)
    return checked.notes


def raise_faults(faults: Sequence[str]) -> None:
    """Raise an error that lists the first five faults, if there are any.

    Raises:
        UserError: there are.
    """
    if faults:
        more = f"\n... and {len(faults) - 5} more scenes." if len(faults) > 5 else ""
        raise UserError("\n".join(faults[:5]) + more)


def _check(files: SceneFiles, scenes: Scenes) -> str:
    """Check one scene; gives its label map's coding."""
    sizes: dict[str, tuple[int, ...]] = {}
    label = None
    if files.label is not None:
        label = read_label_map(files.label, scenes.classes)
        sizes["label"] = label.channels.shape
    for kind, path in files.paths.items():
        if kind == "label":
            continue
        read = KINDS[kind].read
        if read is None:
            sizes[kind] = verify_image(path, scenes.formats.get(kind, RGB))
            continue
        ids = read(path, scenes.classes)
        sizes[kind] = ids.shape
        if kind == "instance" and label is not None and scenes.guesses_classes:
            require_class_ids(path, label.channels, ids, scenes.classes)
    check_sizes(files, sizes)
    return "" if label is None else label.coding
