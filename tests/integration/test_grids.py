"""Grids: cells run once, survive their submitter, share first stages, and end in one report."""

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from i2ibench.cli.main import main
from i2ibench.errors import UserError
from i2ibench.grids import costs
from i2ibench.grids.cell import (
    CellState,
    checkpoint_of,
    read_state,
    run_cell,
    shared_folder,
    write_state,
)
from i2ibench.grids.costs import cost_lines
from i2ibench.grids.executors import DebugExecutor
from i2ibench.grids.grid_definition import config_hash, load_grid
from i2ibench.grids.report import grid_rows, report_grid
from i2ibench.inference.checkpoints import read_checkpoint
from i2ibench.io import folder_locks
from i2ibench.registry.configuration import list_stages
from tests.integration.owners import owner_of, snapshot
from tests.integration.test_stages import STAGES

ROOT = Path(__file__).parents[2]

GRID = """
base = "tiny.py"
axes = dict(
    losses=dict(
        full=dict(),
        gan=dict(model=dict(losses=dict(feature_matching=None))),
    ),
    width=dict(four=dict(), two=dict(model=dict(encoder=dict(base_channels=2)))),
)
seeds = [0, 1]
exclude = [dict(losses="gan", width="two")]
work_dir = {root!r}
"""


@pytest.fixture
def grid_file(tiny_config, tmp_path):
    path = tmp_path / "ablation.py"
    path.write_text(GRID.format(root=str(tmp_path / "cells")))
    return path


def run_all(grid):
    DebugExecutor().run(grid, grid.cells, [], lambda: None)


def states(grid):
    return [read_state(cell.folder, cell.hash).state for cell in grid.cells]


def test_cells_are_every_combination_but_the_excluded_with_their_own_changes(grid_file):
    grid = load_grid(grid_file)
    assert [cell.name for cell in grid.cells] == [
        f"losses={losses},width={width},seed={seed}"
        for losses, width in (("full", "four"), ("full", "two"), ("gan", "four"))
        for seed in (0, 1)
    ]
    assert "feature_matching" in grid.cells[0].config.model.losses
    assert grid.cells[4].config.model.losses.feature_matching is None
    assert grid.cells[5].config.seed == 1
    assert len({cell.hash for cell in grid.cells}) == 6


def test_a_cell_may_name_its_own_config_and_changes_to_it(grid_file):
    """A second cell of the same changes is equal: merging does not use them up."""
    own = 'gan=dict(_base_="tiny.py", model=dict(encoder=None)),'
    text = grid_file.read_text().replace('base = "tiny.py"', "")
    text = text.replace("full=dict(),", 'full="tiny.py",')
    grid_file.write_text(re.sub("gan=dict.model.*", own, text))
    cells = load_grid(grid_file).cells
    assert cells[0].config.model.encoder is not None
    assert [cell.config.model.encoder for cell in cells[4:]] == [None, None]
    assert "_base_" not in cells[4].config
    grid_file.write_text(grid_file.read_text().replace("four=dict()", 'four="tiny.py"'))
    with pytest.raises(UserError, match=r"two axes name config files: tiny.py, tiny.py"):
        load_grid(grid_file)


def test_a_cells_hash_is_that_of_its_config_without_what_does_not_change_its_numbers(grid_file):
    """Work directories of earlier versions must stay valid; so this is written out here."""
    config = load_grid(grid_file).cells[0].config
    config.train_dataloader.num_workers = 3
    kept = json.loads(json.dumps(config.to_dict()))
    for key in ("work_dir", "vis_backends", "protocol"):
        del kept[key]
    del kept["train_dataloader"]["num_workers"]
    text = json.dumps(kept, sort_keys=True)
    assert config_hash(config) == hashlib.sha256(text.encode()).hexdigest()
    assert config_hash(config) == load_grid(grid_file).cells[0].hash


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("seeds = [0, 1]", "sedes = [0]"), "no key 'sedes'. Did you mean 'seeds'"),
        (('losses="gan", width="two"', 'losses="gna"'), "losses=gna, which no axis has"),
        (('base = "tiny.py"', 'base = "tyni.py"'), "no config .*tyni.py"),
        (("seeds = [0, 1]", 'seeds = ["a"]'), "'seeds' is a list of integers"),
        (("full=dict()", 'full="tiny.py", other=3'), "other is a dict or a config file, not 3"),
    ],
)
def test_a_wrong_grid_is_refused_with_what_is_wrong(grid_file, change, message):
    grid_file.write_text(grid_file.read_text().replace(*change))
    with pytest.raises(UserError, match=message):
        load_grid(grid_file)


def test_a_finished_cell_is_not_run_again_and_a_changed_one_is(grid_file):
    grid = load_grid(grid_file)
    run_cell(grid, grid.cells[0])
    checkpoint = checkpoint_of(grid.cells[0])
    before = checkpoint.stat().st_mtime_ns
    run_cell(grid, grid.cells[0])
    assert checkpoint.stat().st_mtime_ns == before
    changed = load_grid(grid_file, {"optimizers.generator.lr": 1e-4})
    assert states(changed)[0] == "waiting"
    run_cell(changed, changed.cells[0])
    assert states(changed)[0] == "done"
    assert list(grid.root.glob("*.before-*")), "the old run is kept"


def test_a_failed_cell_says_why_and_the_others_go_on(grid_file):
    grid = load_grid(grid_file, {"data_root": "nowhere"})
    with pytest.raises(UserError, match="nowhere"):
        run_cell(grid, grid.cells[0])
    state = read_state(grid.cells[0].folder, grid.cells[0].hash)
    assert state.state == "failed" and "nowhere" in state.error
    assert any("failed" in line for line in cost_lines(grid))


@pytest.fixture
def timed(monkeypatch):
    """The stages that were timed; a step takes a minute."""
    timed = []

    def step_seconds(stage, steps):
        assert steps == 3
        timed.append(stage.work_dir)
        return 60.0

    monkeypatch.setattr(costs, "step_seconds", step_seconds)
    return timed


def finish(cell, seconds):
    write_state(cell.folder, CellState("done", cell.hash, 1, seconds))


def test_a_timed_estimate_is_steps_times_median_and_finished_seeds_win(grid_file, timed):
    """Two epochs of three steps; cells that differ in their seed are timed once."""
    grid = load_grid(grid_file)
    finish(grid.cells[0], 30.0)
    lines = cost_lines(grid, 3)
    assert [line.rpartition(": ")[2] for line in lines[:6]] == [
        "took 0.5 minutes", "its finished seeds took 0.5 minutes", *["about 6.0 minutes"] * 4,
    ]  # fmt: skip
    assert len(timed) == 2
    assert "5 cells to do, about 0.5 hours" in lines[6]  # 24.5 minutes
    assert "validation" in lines[7] and "reading data" in lines[7]
    assert not list(grid.root.rglob("*.pth"))


def test_without_anything_to_time_no_estimate_is_explained(grid_file, timed):
    grid = load_grid(grid_file)
    for cell in grid.cells:
        finish(cell, 60.0)
    assert "0 cells to do, about 0.0 hours" in cost_lines(grid, 3)[-1] and not timed


def test_a_shared_first_stage_is_counted_once(tiny_config, grid_file, timed):
    """Three stages of 2, 3 and 2 epochs; two cells of two seeds differ in their last stage."""
    tiny_config.write_text(tiny_config.read_text() + STAGES)
    text = grid_file.read_text()
    text = (
        text[: text.index("axes")]
        + f"""
axes = dict(last=dict(
    short=dict(stages=dict(joint=dict(train_cfg=dict(max_epochs=1)))), long=dict()
))
seeds = [0]
shared_stages = 1
work_dir = {str(grid_file.parent / "cells")!r}
"""
    )
    grid_file.write_text(text)
    lines = cost_lines(load_grid(grid_file), 3)
    steps = [(2 + 3 + 1) * 3, (3 + 2) * 3]
    assert [line.rpartition("about ")[2] for line in lines[:2]] == [f"{n}.0 minutes" for n in steps]
    assert len(timed) == 3


def test_cells_share_a_second_stage_only_with_the_first(tiny_config, grid_file):
    tiny_config.write_text(tiny_config.read_text() + STAGES)
    longer = {"stages.coarse.train_cfg.max_epochs": 4}
    plain, changed = (
        list_stages(load_grid(grid_file, options).cells[0].config) for options in ({}, longer)
    )
    grid = load_grid(grid_file)
    assert config_hash(plain[1]) == config_hash(changed[1])
    assert shared_folder(grid, plain[:2]) != shared_folder(grid, changed[:2])


def test_steps_are_timed_on_the_data_and_leave_nothing_behind(grid_file):
    grid = load_grid(grid_file)
    assert 0 < costs.step_seconds(grid.cells[0].config, 2) < 60
    assert not grid.root.exists()


def test_missing_data_is_named_when_steps_are_to_be_timed(grid_file):
    grid = load_grid(grid_file, {"data_root": "nowhere"})
    with pytest.raises(UserError, match="losses=full,width=four,seed=0 cannot be timed.*nowhere"):
        cost_lines(grid, 1)


def test_time_steps_without_a_dry_run_are_refused(grid_file, capsys):
    for options in (["--time-steps", "2"], ["--dry-run", "--time-steps", "0"]):
        with pytest.raises(SystemExit):
            main("grid", ["run", str(grid_file), *options])
        assert "needs --dry-run" in capsys.readouterr().err


def test_a_cell_that_runs_is_left_to_its_process_and_waits_again_when_that_is_killed(
    grid_file, monkeypatch
):
    monkeypatch.setattr(folder_locks, "PATIENCE", 0.1)
    grid = load_grid(grid_file)
    cell = grid.cells[0]
    with owner_of(cell.folder) as process:
        write_state(cell.folder, CellState("running", cell.hash, attempts=1))
        before = snapshot(cell.folder)
        assert states(grid)[0] == "running"
        with pytest.raises(UserError, match=rf"in use: process {process.pid} on .*leave the cell"):
            run_cell(grid, cell)
        assert snapshot(cell.folder) == before
        process.kill()
        process.wait()
        assert states(grid)[0] == "waiting"
    run_cell(grid, cell)
    done = read_state(cell.folder, cell.hash)
    assert (done.state, done.attempts) == ("done", 2)


def test_the_report_has_every_row_over_its_seeds_and_names_what_is_missing(grid_file):
    grid = load_grid(grid_file)
    for cell in grid.cells[:2] + grid.cells[4:]:
        run_cell(grid, cell)
    page = report_grid(grid, "cpu").read_text()
    assert "losses=full,width=two,seed=0</b>: waiting" in page
    assert "losses=gan,width=four − losses=full,width=four" in page
    assert " of 2</td>" in page and "built-in" not in page
    assert "(2 seeds)" in page and "real photos (oracle)" in page
    results = json.loads((grid.root / "evaluation" / "results.json").read_text())
    facts = {c.name: read_state(c.folder, c.hash).facts for c in grid.cells}
    rows = grid_rows([c for c in grid.cells if facts[c.name]], results, facts)
    assert [row.name for row in rows if not row.informed] == [
        "losses=full,width=four", "losses=gan,width=four",
    ]  # fmt: skip
    assert rows[0].costs["parameters"]["generator"] > 0 and rows[0].costs["steps"] == 6
    for suffix in ("csv", "md", "tex"):
        assert "losses" in (grid.root / f"table.{suffix}").read_text()


def test_cells_of_one_first_stage_train_it_once_and_end_equal(tiny_config, grid_file):
    tiny_config.write_text(tiny_config.read_text() + STAGES)
    text = grid_file.read_text().replace("losses=dict(", "last=dict(")
    text = text.replace(
        "full=dict(),", "full=dict(stages=dict(joint=dict(train_cfg=dict(max_epochs=1)))),"
    )
    text = text[: text.index("gan=")] + "more=dict()))\nseeds = [0]\nshared_stages = 1\n"
    grid_file.write_text(text + f"work_dir = {str(grid_file.parent / 'cells')!r}\n")
    grid = load_grid(grid_file)
    run_all(grid)
    first = [read_checkpoint(next((c.folder / "1_coarse").glob("*2.pth"))) for c in grid.cells]
    assert len(list((grid.root / "shared").glob("[0-9a-f]*"))) == 1
    assert first[0]["meta"] == first[1]["meta"]
    logs = [list((c.folder / "1_coarse").glob("*/vis_data")) for c in grid.cells]
    assert [path.parent.name for path in logs[0]] == [path.parent.name for path in logs[1]]
    assert states(grid) == ["done", "done"]


@pytest.mark.parametrize("name", ["debug", "local"])  # tests/slurm has the third
def test_an_executor_finishes_the_cells_that_were_missing(grid_file, name):
    command = [sys.executable, str(ROOT / "tools" / "grid.py"), "run", str(grid_file), "--executor",
               name, "--cfg-options", "train_cfg.max_epochs=1"]  # fmt: skip
    if name == "local":
        command[6:6] = ["--executor-options", "slots=2", "threads=1"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    grid = load_grid(grid_file, {"train_cfg.max_epochs": 1})
    assert states(grid) == ["done"] * 6
    if name == "local":
        again = subprocess.run([*command, "--dry-run"], capture_output=True, text=True, check=False)
        assert "0 cells to do" in again.stdout


def test_a_grid_whose_submitter_is_killed_goes_on_where_it_was(grid_file):
    command = [sys.executable, str(ROOT / "tools" / "grid.py"), "run", str(grid_file),
               "--executor-options", "slots=1", "threads=1"]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True)  # fmt: skip
    grid = load_grid(grid_file)
    deadline = time.time() + 120
    while "done" not in states(grid) and time.time() < deadline:
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    found = states(grid)
    assert "done" in found and "running" not in found
    done = checkpoint_of(grid.cells[found.index("done")]).stat().st_mtime_ns
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert states(grid) == ["done"] * 6
    assert checkpoint_of(grid.cells[found.index("done")]).stat().st_mtime_ns == done
