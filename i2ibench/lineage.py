"""Lineage: whether the checkpoints of a staged run follow from each other."""

from collections.abc import Sequence
from pathlib import Path

from mmengine.config import Config

from i2ibench.checkpoints import read_checkpoint
from i2ibench.errors import UserError
from i2ibench.hooks.checkpoints import INTERRUPTED, list_checkpoints
from i2ibench.mmengine_options import train_loop
from i2ibench.provenance import sha256
from i2ibench.run_folders import stage_folders


def check_order(config: Config, stages: Sequence[Config]) -> None:
    """Refuse a work directory whose checkpoints do not follow from each other.

    Raises:
        UserError: a stage has begun although the one before is unfinished, or the directory holds
            a run without stages.
    """
    way_out = "Pass --fresh to start anew (the old run is moved aside), or another --work-dir."
    own = [Path(stage.work_dir) for stage in stages]
    others = [p for p in (Path(config.work_dir), *stage_folders(Path(config.work_dir)))
              if p not in own and list_checkpoints(p)]  # fmt: skip
    if others:
        raise UserError(
            f"{others[0]} holds checkpoints of other stages than the config's. {way_out}"
        )
    unfinished = ""
    before: Path | None = None
    for stage in stages:
        found = list_checkpoints(Path(stage.work_dir))
        if found and unfinished:
            raise UserError(
                f"{stage.work_dir} has begun from an earlier state of {unfinished}, which is not "
                f"finished. {way_out}"
            )
        if found and before and not _descends(found[-1], before):
            raise UserError(
                f"{stage.work_dir} began with another checkpoint than {before}, which was trained "
                f"anew or exchanged since. {way_out}"
            )
        before = found[-1] if found else None
        if not found or not is_finished(stage, found[-1]):
            unfinished = unfinished or stage.work_dir


def is_finished(config: Config, checkpoint: Path) -> bool:
    """Whether a checkpoint is of the stage's last epoch."""
    return read_checkpoint(checkpoint)["meta"]["epoch"] >= train_loop(config)["max_epochs"]


def is_complete(config: Config, checkpoint: Path) -> bool:
    """Whether a checkpoint is of the stage's last epoch and that is validated."""
    return checkpoint.name != INTERRUPTED and is_finished(config, checkpoint)


def _descends(checkpoint: Path, before: Path) -> bool:
    """Whether a stage's checkpoint grew from that one of the stage before."""
    origin = read_checkpoint(checkpoint)["meta"].get("grown_from")
    return origin is None or origin == sha256(before)
