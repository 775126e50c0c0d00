"""The training of one cell of a grid, and the state of the cell in a file."""

import contextlib
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from math import isfinite
from pathlib import Path
from statistics import median
from typing import Any

import torch

from i2ibench.data.loaders import build_dataset
from i2ibench.errors import UserError
from i2ibench.grids.grid_definition import Cell, Grid, config_hash
from i2ibench.inference.checkpoints import newest_of_config, open_checkpoint
from i2ibench.io.file_integrity import add_checksum, verify_checksum
from i2ibench.io.files import read_json, write_text
from i2ibench.io.folder_locks import is_locked, lock_folder, lock_target, move_contents_aside
from i2ibench.io.progress import say
from i2ibench.io.provenance import fingerprint
from i2ibench.io.run_folders import list_checkpoints
from i2ibench.registry.configuration import Config, list_stages
from i2ibench.reports.training_curves import read_scalars
from i2ibench.training.hooks.preemption import Preemption
from i2ibench.training.memory_estimate import estimate_memory
from i2ibench.training.mmengine_options import train_loop
from i2ibench.training.run import train

FILE = "cell.json"
STATES = ("waiting", "running", "done", "failed")


@dataclass
class CellState:
    """The state of a cell, kept in one file that does not depend on the process that trains it.

    Attributes:
        state: waiting, running, done or failed.
        hash: the hash of the config that the cell was trained with.
        attempts: the number of attempts to train the cell.
        seconds: the time in seconds of all attempts.
        error: the message of the last failure.
        facts: measurements of the run: parameters, step time, memory, scenes, steps.
    """

    state: str = "waiting"
    hash: str = ""
    attempts: int = 0
    seconds: float = 0.0
    error: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def read_state(folder: Path, hash_: str) -> CellState:
    """Return the state of a grid's run, as it is now.

    The state is "waiting" if there is no state file, if the config has changed since, or if the run
    was running and its process is gone.

    Args:
        folder: the folder of the run.
        hash_: the hash of the run's present config.

    Raises:
        UserError: the state file is damaged.
    """
    found = last_state(folder, hash_)
    if found.state == "running" and not is_locked(folder):
        found.state = "waiting"
    return found


def last_state(folder: Path, hash_: str) -> CellState:
    """Read the last written state of a grid's run, even if its process is gone.

    Return a new waiting state without a state file, or if the config has changed since.

    Args:
        folder: the folder of the run.
        hash_: the hash of the run's present config.

    Raises:
        UserError: the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return CellState(hash=hash_)
    try:
        content = verify_checksum(read_json(path))
    except (ValueError, TypeError) as error:
        raise UserError(
            f"{path} is damaged ({error}). Delete it to train the cell on from its checkpoints."
        ) from None
    found = checked_state(content, path)
    return found if found.hash == hash_ else CellState(hash=hash_)


def checked_state(content: Any, path: Path) -> CellState:
    """Check the parsed content of a run's state file and return it as a CellState.

    Args:
        content: the content without its checksum.
        path: the file, for the message.

    Raises:
        UserError: the content is no state; the message says how to continue.
    """
    wrong = UserError(
        f"{path} is no state of a grid's cell. Delete it to train the cell on from its checkpoints."
    )
    known = {field.name: type(field.default) for field in fields(CellState)} | {"facts": dict}
    if not isinstance(content, dict) or not content.keys() <= known.keys():
        raise wrong
    kinds = {name: (int, float) if kind is float else kind for name, kind in known.items()}
    if not all(isinstance(value, kinds[name]) for name, value in content.items()):
        raise wrong
    state = CellState(**content)
    if state.state not in STATES or not all(map(isfinite, (state.attempts, state.seconds))):
        raise wrong
    return state


def write_state(folder: Path, state: CellState) -> None:
    """Write the state of a grid's run, with a checksum, to `cell.json` in its folder.

    An old file is replaced, whole or not at all.
    """
    write_text(folder / FILE, json.dumps(add_checksum(asdict(state)), indent=2))


SHARED = "shared"


def run_cell(grid: Grid, cell: Cell) -> None:
    """Train one run of a grid, or continue its training; do nothing if the run is done.

    If the config has changed since, the files of the old run are moved to a folder beside it first.
    The state file says "running", and at the end "done" with measurements, "failed" with the error,
    or "waiting" after an interruption. Every error is raised again.

    Raises:
        UserError: the run is in progress elsewhere, or its config or data cannot be used.
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
            state.state, state.facts = "done", _measurements(cell)
        except BaseException as error:
            state.state = "failed" if isinstance(error, Exception) else "waiting"
            state.error = str(error) or type(error).__name__
            raise
        finally:
            state.seconds += time.monotonic() - begin
            write_state(cell.folder, state)


def _moved_aside(cell: Cell) -> Path | None:
    """Move the files of an older config's run to a folder beside it and return that folder.

    Return None and move nothing if the folder has no state file, or has one of the present config.
    """
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
    """Get one shared first stage of a run: train it, or copy it from a run with equal configs.

    A newly trained stage is copied to the grid's shared folder. Another process that trains the
    same stage is waited for. Nothing is done if the run and the shared folder have the stage.
    """
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
    """Return the path of the folder for a trained first stage that runs with equal configs share.

    The name is a hash of the configs of this stage and of all stages before it. The folder need not
    exist.

    Args:
        grid: the grid.
        stages: the configs of the first stages, up to the shared one.
    """
    return grid.root / SHARED / fingerprint([config_hash(stage) for stage in stages])[:16]


def _train_alone(cell: Cell, stage: Config) -> None:
    """Train a run's stages up to and including `stage`, and leave out the later ones."""
    config = Config(cell.config.to_dict())
    names = list(config.stages)
    number = [Path(s.work_dir).name for s in list_stages(config)].index(Path(stage.work_dir).name)
    config.stages = {name: config.stages[name] for name in names[: number + 1]}
    with Preemption() as preemption:
        train(config, preemption=preemption)


def _publish(source: Path, target: Path) -> None:
    """Copy a trained stage's folder to a folder that does not exist, whole or not at all."""
    aside = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(aside, ignore_errors=True)
    shutil.copytree(source, aside)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside.rename(target)


def checkpoint_of(cell: Cell) -> Path:
    """Return the path of the newest readable checkpoint of a run's complete epochs.

    Raises:
        UserError: the run has no checkpoint, or none can be read.
    """
    found = newest_of_config(cell.config)
    if found is None:
        raise UserError(f"{cell.name} has no checkpoint.")
    return found


def _measurements(cell: Cell) -> dict[str, Any]:
    """Return measurements of a finished run of the grid for the table of costs.

    The keys are "parameters" (numbers by network), "step_seconds" (the median over all stages; None
    without logs), "memory_bytes" (the peak of this process on the GPU, else in main memory; None if
    unknown), "device", "scenes", "steps", "training_flop" (of all steps of all stages),
    "image_flop" and "evaluations" (network evaluations for an image, NFE).
    """
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
        **_operations(stages, scenes),
        "evaluations": opened.translator.evaluations(opened.inference.settings),
    }


def _operations(stages: Sequence[Config], scenes: int) -> dict[str, int]:
    """Return the floating-point operations of all training steps, and those of an image."""
    estimates = [estimate_memory(stage, None) for stage in stages]
    steps = [count_steps(stage, scenes) for stage in stages]
    training = sum(n * e.step_flop for n, e in zip(steps, estimates, strict=True))
    return {"training_flop": training, "image_flop": estimates[-1].image_flop}


def count_steps(stage: Config, scenes: int) -> int:
    """Return the number of optimiser updates of a stage: epochs times whole updates in an epoch.

    Args:
        stage: the config of the stage.
        scenes: the number of training scenes.
    """
    loader = stage.train_dataloader
    update_size = loader.get("batch_size", 1) * loader.get("accumulate", 1)
    return train_loop(stage)["max_epochs"] * (scenes // update_size)


def _step_times(work_dir: Path) -> list[float]:
    return [seconds for _, seconds in read_scalars(work_dir).get("train/step_s", [])]


def _resident_bytes() -> int | None:
    """Return the peak memory of this process in bytes; None on Windows, which has no count."""
    with contextlib.suppress(ImportError):
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return None
