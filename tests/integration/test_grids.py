"""Grids: cells run once, survive their submitter, share first stages, and end in one report."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from i2ibench.checkpoints import read_checkpoint
from i2ibench.errors import UserError
from i2ibench.grids.cell import checkpoint_of, run_cell
from i2ibench.grids.executors import DebugExecutor
from i2ibench.grids.grid import load_grid
from i2ibench.grids.report import cost_lines, grid_rows, report_grid
from i2ibench.grids.state import LOCK, held, is_held, read_state
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


def test_a_lock_is_held_while_its_process_lives(tmp_path):
    lock = tmp_path / LOCK
    with held(lock):
        assert is_held(lock)
        with pytest.raises(UserError, match="runs already"), held(lock):
            pass
    assert not is_held(lock)
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    lock.write_text(f"{os.uname().nodename} {child.pid}")
    assert not is_held(lock), "its process is gone"
    lock.write_text("elsewhere 1")
    assert is_held(lock), "another machine gave a sign of life just now"
    os.utime(lock, (time.time() - 1000,) * 2)
    assert not is_held(lock)


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
    assert rows[0].facts["parameters"]["generator"] > 0 and rows[0].facts["steps"] == 6
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


@pytest.mark.slow
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


@pytest.mark.slow
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
