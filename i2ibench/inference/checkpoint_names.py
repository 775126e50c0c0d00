"""The checkpoint that a path, a run's folder or the name of a system in the package stands for."""

from pathlib import Path

from i2ibench.errors import UserError, near_match
from i2ibench.inference.checkpoints import newest_of_run
from i2ibench.inference.hub.repository import download_system, is_hub_name
from i2ibench.registry.shipped_configs import shipped_configs

_SYSTEMS = Path(__file__).with_name("shipped_systems")
"""Folders of trained systems: NAME/NAME.pth, NAME/results.json and NAME/scenes/."""


def shipped_systems() -> dict[str, Path]:
    """Return the checkpoints of the trained systems in the package by name."""
    return {path.stem: path for path in sorted(_SYSTEMS.glob("*/*.pth"))}


def is_shipped(checkpoint: Path) -> bool:
    """Return whether a checkpoint's file is that of a trained system in the package."""
    return checkpoint in shipped_systems().values()


def example_scenes(checkpoint: Path) -> Path | None:
    """Return the folder of example scenes of a system in the package; None for other checkpoints.

    It has the folders label/, instance/ and image/ with files of equal names.
    """
    return checkpoint.with_name("scenes") if is_shipped(checkpoint) else None


def find_checkpoint(name: str | Path) -> Path:
    """Return the checkpoint file that a user names.

    Args:
        name: a file; the folder of a run, which stands for its newest complete epoch; the name of a
            system in the package, such as "toystreet", if no such file and no run of this name
            exist; or the name of a system on the Hugging Face hub, such as "lab/streets", if there
            is no folder lab here. The latter is downloaded unless it is in the cache.

    Raises:
        UserError: it is none of them, no checkpoint of the run is readable, or the download fails.
    """
    path, shipped = Path(name), shipped_systems()
    if path.is_file():
        return path
    newest = newest_of_run(path) if path.is_dir() else None
    if newest is not None:
        return newest
    if str(name) in shipped:
        return shipped[str(name)]
    if is_hub_name(str(name)):
        return download_system(str(name))
    if path.is_dir():
        raise UserError(
            f"{path} has no checkpoint of a complete epoch; train first, or name a file."
        )
    if str(name) in shipped_configs():
        raise UserError(
            f"{name} is a config, and work_dirs/{name} would be its run: `i2ibench train {name}` "
            "comes first."
        )
    raise UserError(
        f"There is no checkpoint at {path}.{near_match(str(name), shipped)} "
        f"Systems in the package: {', '.join(shipped) or 'none'}."
    )
