"""Validation: every file of a data set checked before it is needed."""

from collections.abc import Callable, Sequence

from i2ibench.datasets.picture_files import verify_image
from i2ibench.datasets.scenes import SceneFiles, Scenes, check_sizes, read_instance, read_label
from i2ibench.datasets.threads import in_threads
from i2ibench.errors import UserError


def find_faults(scenes: Scenes, on_scene: Callable[[], None] | None = None) -> list[str]:
    """One message per scene that cannot be used, in the scenes' order.

    Label and instance maps are read in full; of photos the size, checksums and end are checked.

    Args:
        scenes: what to check.
        on_scene: called after each scene.
    """

    def check(files: SceneFiles) -> str | None:
        try:
            _check(files, scenes)
            return None
        except UserError as error:
            return str(error)

    return [fault for fault in in_threads(check, scenes.files, on_scene) if fault]


def require_faultless(scenes: Scenes, on_scene: Callable[[], None] | None = None) -> None:
    """Check every file.

    Raises:
        UserError: some cannot be used; the first five are named.
    """
    refuse(find_faults(scenes, on_scene))


def refuse(faults: Sequence[str]) -> None:
    """Raise an error that lists the first five faults, if there are any.

    Raises:
        UserError: there are.
    """
    if faults:
        more = f"\n... and {len(faults) - 5} more scenes." if len(faults) > 5 else ""
        raise UserError("\n".join(faults[:5]) + more)


def _check(files: SceneFiles, scenes: Scenes) -> None:
    sizes: dict[str, tuple[int, ...]] = {}
    if files.label is not None:
        sizes["label"] = read_label(files.label, scenes.classes).shape
    if files.source is not None:
        sizes["source"] = verify_image(files.source)
    if files.instance is not None:
        sizes["instance"] = read_instance(files.instance).shape
    if files.image is not None:
        sizes["image"] = verify_image(files.image)
    check_sizes(files, sizes)
