"""The unfinished cells of a grid, and estimates of their training time."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median

import torch

from i2ibench.data.loaders import build_dataset, build_loader, prepare_datasets
from i2ibench.errors import UserError
from i2ibench.grids.cell import CellState, count_steps, read_state, shared_folder
from i2ibench.grids.grid_definition import Cell, Grid, config_hash
from i2ibench.io.devices import best_device
from i2ibench.io.progress import say
from i2ibench.models.translators.build import build_translator
from i2ibench.registry.configuration import Config, list_stages
from i2ibench.training.hooks.random_states import seed_everything
from i2ibench.training.optimizers import optimizers_of


def cost_lines(grid: Grid, time_steps: int | None = None) -> list[str]:
    """Return a line for each training run (cell) of a grid with its state, and one with the time.

    The line with the time has the number of unfinished runs and the time that they need one after
    the other, or says that it is unknown. With `time_steps` each line has the minutes of its run
    too, and one more line explains the estimates.

    Args:
        grid: the grid.
        time_steps: the number of training steps to time for every unfinished run without a finished
            run of other seeds. Networks are trained for this, and discarded. None times nothing and
            estimates from the average of the finished runs.

    Raises:
        UserError: a run that must be timed cannot be built, or its data is missing.
    """
    states = {cell.name: read_state(cell.folder, cell.hash) for cell in grid.cells}
    if time_steps is not None:
        return _timed_lines(grid, states, time_steps)
    seconds = [state.seconds for state in states.values() if state.state == "done"]
    lines = [f"{state.state:8} {name}" for name, state in states.items()]
    left = sum(state.state != "done" for state in states.values())
    if seconds:
        hours = _hours(left * mean(seconds))
        return [*lines, f"{left} cells to do, about {hours} on one slot by the finished cells"]
    lines.append(f"{left} cells to do; no cell is finished yet, so that the time is unknown")
    return lines


def _timed_lines(grid: Grid, states: dict[str, CellState], time_steps: int) -> list[str]:
    timer = StageTimer(grid, time_steps)
    lines, left = [], 0.0
    for cell in grid.cells:
        state = states[cell.name]
        twins = [states[c.name] for c in grid.cells if c.row == cell.row]
        finished = [twin.seconds for twin in twins if twin.state == "done"]
        if state.state == "done":
            seconds, source = state.seconds, "took"
        elif finished:
            seconds, source = mean(finished), "its finished seeds took"
        else:
            seconds, source = timer.cell_seconds(cell), "about"
        left += seconds * (state.state != "done")
        lines.append(f"{state.state:8} {cell.name}: {source} {seconds / 60:.1f} minutes")
    count = sum(state.state != "done" for state in states.values())
    lines.append(f"{count} cells to do, about {_hours(left)} on one slot like this {best_device()}")
    if timer.seconds:
        lines.append(
            f"about: all steps of a run at the median of {time_steps} timed ones; reading data, "
            "checks, validation, style banks and checkpoints come on top, and what is trained "
            "already is not taken off"
        )
    return lines


class StageTimer:
    """A timer that estimates cells from the step times of their stages.

    Stages with equal configs are timed once.

    Args:
        grid: the grid of the cells.
        steps: the number of timed steps of each stage.
    """

    def __init__(self, grid: Grid, steps: int) -> None:
        self.grid, self.steps = grid, steps
        self.seconds: dict[str, float] = {}
        self._shared: set[Path] = set()

    def cell_seconds(self, cell: Cell) -> float:
        """Time the stages of a run of the grid and return the seconds that its training needs.

        They are the number of steps times the median step time, added over the stages. A stage that
        several runs share counts only in the first run that is asked for, and not at all if it has
        been trained. Stages of equal config are timed once.

        Raises:
            UserError: the run cannot be built, or its data is missing.
        """
        try:
            return sum(map(self._stage_seconds, self._own_stages(cell)))
        except UserError as error:
            raise UserError(f"{cell.name} cannot be timed: {error}") from error

    def _own_stages(self, cell: Cell) -> Sequence[Config]:
        """Return the configs of a run's stages without shared ones that are trained or counted.

        The shared stages of the run are counted from now on. Shared stages come last.
        """
        stages = list_stages(cell.config)
        if len(stages) == 1:
            return stages
        own = stages[self.grid.shared_stages :]
        for number, stage in enumerate(stages[: self.grid.shared_stages], 1):
            folder = shared_folder(self.grid, stages[:number])
            if folder not in self._shared and not folder.exists():
                own.append(stage)
            self._shared.add(folder)
        return own

    def _stage_seconds(self, stage: Config) -> float:
        alike = {**stage.to_dict(), "seed": 0, "train_cfg": {}}
        key = config_hash(Config(alike))
        prepare_datasets(stage)
        if key not in self.seconds:
            say(f"timing {stage.work_dir}")
            self.seconds[key] = step_seconds(stage, self.steps)
        scenes = len(build_dataset(stage.train_dataloader, stage.get("data_root")))
        return count_steps(stage, scenes) * self.seconds[key]


def step_seconds(stage: Config, steps: int) -> float:
    """Time `steps` training steps of a stage on one batch; return the median time in seconds.

    One more step runs first as a warm-up and is not counted. The networks are new and are
    discarded. No checkpoint or log is written; a data set that draws its own scenes is.

    Raises:
        UserError: the stage cannot be built, or its data is missing.
    """
    seed_everything(stage.get("seed", 0))
    prepare_datasets(stage)
    options = {**stage.train_dataloader, "num_workers": 0, "cache": False}
    dataset = build_dataset(options, stage.get("data_root"), stage.get("seed", 0))
    translator = build_translator(stage, dataset.metainfo).to(best_device()).train()
    optimizers = optimizers_of(stage, translator)
    loader = build_loader(dataset, options, training=True)
    batch = next(iter(loader))
    durations = []
    with torch.backends.cudnn.flags(benchmark=stage.get("cudnn_benchmark", False)):
        for _ in range(steps + 1):
            begin = time.perf_counter()
            translator.train_step(batch, optimizers)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            durations.append(time.perf_counter() - begin)
    return median(durations[1:])


def _hours(seconds: float) -> str:
    return f"{math.ceil(seconds / 360) / 10} hours"
