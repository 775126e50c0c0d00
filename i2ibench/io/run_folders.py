"""Layout of a run's folder: the folders of its stages, and the checkpoints in a stage."""

import re
from pathlib import Path

INTERRUPTED = "interrupted.pth"
"""The checkpoint of an epoch that is not yet trained, validated and logged completely."""


def stage_folders(work_dir: Path) -> list[Path]:
    """Return the stages' folders in a run's folder, such as 1_global and 2_enhancer, by number.

    The list is empty for a run without stages.
    """
    folders = [path for path in work_dir.glob("*_*") if is_stage_folder(path)]
    return sorted(folders, key=lambda path: int(path.name.partition("_")[0]))


def is_stage_folder(path: Path) -> bool:
    """Return whether a path's last part is named like a stage of a run, such as 2_enhancer.

    Only the name is looked at; the folder need not exist.
    """
    return re.fullmatch(r"\d{1,3}_\w+", path.name) is not None


def run_folder(path: Path) -> Path:
    """Return the folder of a run: the parent of a stage's folder, or `path` itself.

    A stage's folder is recognised by `is_stage_folder`.
    """
    return path.parent if is_stage_folder(path) else path


def list_checkpoints(work_dir: Path) -> list[Path]:
    """Return the checkpoints from which training can be resumed, oldest first.

    These are `epoch_N.pth` by N and then, if it exists, `interrupted.pth`.

    Args:
        work_dir: the folder of a stage, or of a run without stages.
    """
    interrupted = work_dir / INTERRUPTED
    return [*list_epochs(work_dir), *([interrupted] if interrupted.is_file() else [])]


def list_epochs(work_dir: Path) -> list[Path]:
    """Return the checkpoints of complete epochs, `epoch_N.pth`, in the order of N.

    Args:
        work_dir: the folder of a stage, or of a run without stages.
    """
    names = {path: path.stem.removeprefix("epoch_") for path in work_dir.glob("epoch_*.pth")}
    epochs = {path: int(name) for path, name in names.items() if name.isdigit()}
    return sorted(epochs, key=epochs.__getitem__)


def last_checkpoint_note(work_dir: Path) -> str:
    """Return a sentence for error messages that names the newest checkpoint to resume from.

    The sentence says that there is none if `list_checkpoints` finds none in `work_dir`.
    """
    checkpoints = list_checkpoints(work_dir)
    if not checkpoints:
        return "There is no checkpoint yet."
    return f"The last good checkpoint is {checkpoints[-1]}; the same command goes on from it."
