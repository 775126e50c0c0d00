"""Lineage: whether a run may go on from what its stages have saved."""

from collections.abc import Sequence
from pathlib import Path

from i2ibench.errors import UserError
from i2ibench.io.provenance import sha256
from i2ibench.io.run_folders import list_checkpoints, stage_folders
from i2ibench.training.stage import Stage

WAY_OUT = "Pass --fresh to start anew (the old run is moved aside), or another --work-dir."


def check_stage_order(work_dir: Path, stages: Sequence[Stage], accept_changes: bool) -> None:
    """Refuse a work directory whose saved states the config cannot go on from.

    Args:
        work_dir: of the run.
        stages: in order.
        accept_changes: go on although the config has changed, as far as that is possible.

    Raises:
        UserError: a stage has begun although the one before is unfinished, the directory holds
            a run of other stages, or another config trained what it holds.
    """
    own = [stage.work_dir for stage in stages]
    others = [p for p in (work_dir, *stage_folders(work_dir))
              if p not in own and list_checkpoints(p)]  # fmt: skip
    if others:
        raise UserError(
            f"{others[0]} holds checkpoints of other stages than the config's. {WAY_OUT}"
        )
    _check_order(stages)
    for stage in stages:
        _check_config(stage, accept_changes)


def _check_order(stages: Sequence[Stage]) -> None:
    """Refuse stages that have not begun with the finished stage before them."""
    unfinished: Stage | None = None
    before: Path | None = None
    for stage in stages:
        saved = stage.saved
        if saved is not None and unfinished is not None:
            raise UserError(
                f"{stage.work_dir} has begun from an earlier state of {unfinished.work_dir}, which "
                f"is not finished. {WAY_OUT}"
            )
        origin = None if saved is None else saved.meta.get("initialised_from")
        if before is not None and origin is not None and origin != sha256(before):
            raise UserError(
                f"{stage.work_dir} began with another checkpoint than {before}, which was trained "
                f"anew or exchanged since. {WAY_OUT}"
            )
        before = None if saved is None else saved.path
        if saved is None or not saved.has_all(stage.epochs):
            unfinished = unfinished or stage


def _check_config(stage: Stage, accept_changes: bool) -> None:
    """Refuse to go on with another config, unless that is accepted and possible."""
    if stage.saved is None:
        return
    changed = stage.saved.changed_keys(stage.config)
    if accept_changes:
        stage.saved.require_resumable(changed)
    elif changed:
        raise UserError(
            f"{stage.work_dir} holds a run of another config: {', '.join(changed)} changed since. "
            "Pass --resume to go on with the new config, --fresh to start anew (the old run is "
            "moved aside), or --work-dir for another place."
        )
