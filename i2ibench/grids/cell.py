"""Running one cell: train it, shared first stages once, and note what it took."""

import contextlib
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from i2ibench.data.loaders import build_dataset
from i2ibench.errors import UserError
from i2ibench.grids.grid import Cell, Grid, config_hash
from i2ibench.grids.state import FILE, CellState, last_state, write_state
from i2ibench.inference.checkpoints import newest_of_config, open_checkpoint
from i2ibench.io.folder_locks import lock_folder, lock_target, move_contents_aside
from i2ibench.io.progress import say
from i2ibench.io.provenance import fingerprint
from i2ibench.io.run_folders import list_checkpoints
from i2ibench.registry.configuration import Config, list_stages
from i2ibench.reports.training_curves import read_scalars
from i2ibench.training.hooks.preemption import Preemption
from i2ibench.training.mmengine_options import train_loop
from i2ibench.training.run import train

SHARED = "shared"


def run_cell(grid: Grid, cell: Cell) -> None:
    """Train a cell, or go on where it was stopped; nothing if it is done.

    Raises:
        UserError: it runs already, or its config or data cannot be used.
    """
    with lock_folder(cell.folder, "training", "leave the cell to it"):
        before = last_state(cell.folder, cell.hash)
        if before.state == "done":
            return
        changed = _moved_aside(cell)
        state = CellState("running", cell.hash, before.attempts + 1, before.seconds)
        write_state(cell.folder, state)
        begin = time.monotonic()
        try:
            if changed:
                say(f"{cell.name}: its config has changed; the old run is at {changed}.")
            _train(grid, cell)
            state.state, state.facts = "done", _facts(cell)
        except BaseException as error:
            state.state = "failed" if isinstance(error, Exception) else "waiting"
            state.error = str(error) or type(error).__name__
            raise
        finally:
            state.seconds += time.monotonic() - begin
            write_state(cell.folder, state)


def _moved_aside(cell: Cell) -> Path | None:
    """Where the run of another config went, if the folder, which is owned, held one."""
    if not (cell.folder / FILE).is_file() or last_state(cell.folder, cell.hash).attempts:
        return None
    return move_contents_aside(cell.folder)


def _train(grid: Grid, cell: Cell) -> None:
    stages = list_stages(cell.config)
    if len(stages) > 1:
        for number in range(1, min(grid.shared_stages, len(stages)) + 1):
            _share(grid, cell, stages[:number])
    with Preemption() as preemption:
        train(cell.config, preemption=preemption)


def _share(grid: Grid, cell: Cell, stages: Sequence[Config]) -> None:
    """Train the last of the first stages, or take it from a cell that did with the same configs."""
    stage = stages[-1]
    folder = Path(stage.work_dir)
    shared = shared_folder(grid, stages)
    if list_checkpoints(folder) and shared.exists():
        return
    with lock_target(shared, "training a stage that cells share", wait=True):
        if not shared.exists():
            _train_alone(cell, stage)
            _publish(folder, shared)
    if not folder.exists():
        _publish(shared, folder)


def shared_folder(grid: Grid, stages: Sequence[Config]) -> Path:
    """Where the last of the first stages is, once it is trained, for all cells that begin so."""
    return grid.root / SHARED / fingerprint([config_hash(stage) for stage in stages])[:16]


def _train_alone(cell: Cell, stage: Config) -> None:
    """Train the cell's run up to the stage and no further."""
    config = Config(cell.config.to_dict())
    names = list(config.stages)
    number = [Path(s.work_dir).name for s in list_stages(config)].index(Path(stage.work_dir).name)
    config.stages = {name: config.stages[name] for name in names[: number + 1]}
    with Preemption() as preemption:
        train(config, preemption=preemption)


def _publish(source: Path, target: Path) -> None:
    """Copy a stage's folder, whole or not at all."""
    aside = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(source, aside)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside.rename(target)


def checkpoint_of(cell: Cell) -> Path:
    """The checkpoint that a finished cell left.

    Raises:
        UserError: there is none.
    """
    found = newest_of_config(cell.config)
    if found is None:
        raise UserError(f"{cell.name} has no checkpoint.")
    return found


def _facts(cell: Cell) -> dict[str, Any]:
    """What the run took: parameters, step time, memory, scenes and steps."""
    opened = open_checkpoint(checkpoint_of(cell))
    stages = list_stages(cell.config)
    steps = [seconds for stage in stages for seconds in _step_times(Path(stage.work_dir))]
    scenes = len(build_dataset(stages[-1].train_dataloader, stages[-1].get("data_root")))
    on_gpu = torch.cuda.is_available()
    peak = torch.cuda.max_memory_allocated() if on_gpu else _resident_bytes()
    return {
        "parameters": {
            name: sum(p.numel() for p in network.parameters())
            for name, network in opened.translator.parts().items()
        },
        "step_seconds": median(steps) if steps else None,
        "memory_bytes": peak,
        "device": torch.cuda.get_device_name() if on_gpu else "cpu",
        "scenes": scenes,
        "steps": sum(count_steps(stage, scenes) for stage in stages),
    }


def count_steps(stage: Config, scenes: int) -> int:
    """The updates of a stage whose training set has so many scenes."""
    loader = stage.train_dataloader
    update_size = loader.get("batch_size", 1) * loader.get("accumulate", 1)
    return train_loop(stage)["max_epochs"] * (scenes // update_size)


def _step_times(work_dir: Path) -> list[float]:
    return [seconds for _, seconds in read_scalars(work_dir).get("train/step_s", [])]


def _resident_bytes() -> int | None:
    """Return the largest memory that this process has had; None on Windows, which has no count."""
    with contextlib.suppress(ImportError):
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return None
