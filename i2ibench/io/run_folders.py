"""Run folders: the stages of a run, and the checkpoints of a stage."""

import re
from pathlib import Path

INTERRUPTED = "interrupted.pth"
"""The newest checkpoint until its epoch is complete: trained, validated and logged."""


def stage_folders(work_dir: Path) -> list[Path]:
    """The folders of a run's stages in order; none if it has no stages."""
    folders = [path for path in work_dir.glob("*_*") if is_stage_folder(path)]
    return sorted(folders, key=lambda path: int(path.name.partition("_")[0]))


def is_stage_folder(path: Path) -> bool:
    """Return whether a folder's name is that of a run's stage, such as 2_enhancer."""
    return re.fullmatch(r"\d{1,3}_\w+", path.name) is not None


def run_folder(path: Path) -> Path:
    """The folder of the run whose checkpoints lie in `path`, which may be one of its stages'."""
    return path.parent if is_stage_folder(path) else path


def list_checkpoints(work_dir: Path) -> list[Path]:
    """What the run can go on from, oldest first: epochs, then the one it was stopped in."""
    interrupted = work_dir / INTERRUPTED
    return [*list_epochs(work_dir), *([interrupted] if interrupted.is_file() else [])]


def list_epochs(work_dir: Path) -> list[Path]:
    """The checkpoints of the run's complete epochs, oldest first."""
    found = [p for p in work_dir.glob("epoch_*.pth") if p.stem.removeprefix("epoch_").isdigit()]
    return sorted(found, key=lambda path: int(path.stem.removeprefix("epoch_")))


def last_checkpoint_note(work_dir: Path) -> str:
    """A sentence for error messages: what a run that has failed can go on from."""
    found = list_checkpoints(work_dir)
    if not found:
        return "There is no checkpoint yet."
    return f"The last good checkpoint is {found[-1]}; the same command goes on from it."
