"""Run folders: where the stages of a run lie in it."""

import re
from pathlib import Path


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
