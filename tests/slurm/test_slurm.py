"""A grid on a real Slurm: run with `make test-slurm` as root, where Slurm's programs are installed.

apt-get install slurmd slurmctld slurm-client munge; pip install "i2ibench[slurm]"
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from i2ibench.grids.cell import checkpoint_of, read_state
from i2ibench.grids.executors import DebugExecutor
from i2ibench.grids.grid_definition import load_grid
from i2ibench.inference.checkpoints import read_checkpoint
from tests.slurm.cluster import cluster, missing_programs

ROOT = Path(__file__).parents[2]

EPOCHS = 40

pytestmark = pytest.mark.skipif(
    "I2IBENCH_SLURM" not in os.environ, reason="opt-in: make test-slurm starts a Slurm of its own"
)

GRID = """
base = "tiny.py"
axes = dict(losses=dict(full=dict(), gan=dict(model=dict(losses=dict(feature_matching=None)))))
seeds = [0, 1]
work_dir = {root!r}
"""


@pytest.fixture
def slurm(tmp_path_factory):
    assert not missing_programs(), f"not installed: {missing_programs()}"
    with cluster(tmp_path_factory.mktemp("slurm")) as environment:
        yield {**environment, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def states(grid):
    return [read_state(cell.folder, cell.hash).state for cell in grid.cells]


def wait(grid, condition, seconds):
    end = time.time() + seconds
    while time.time() < end:
        if condition(states(grid)):
            return
        time.sleep(0.5)
    logs = "\n".join(p.read_text()[-2000:] for p in (grid.root / "slurm").glob("*.err"))
    raise AssertionError(f"{states(grid)}\n{logs}")


def test_an_array_of_cells_survives_preemption_and_equals_the_local_run(
    slurm, tiny_config, tmp_path
):
    for name in ("cluster", "here"):
        (tmp_path / f"{name}.py").write_text(GRID.format(root=str(tmp_path / name)))
    grid = load_grid(tmp_path / "cluster.py", {"train_cfg.max_epochs": EPOCHS})
    command = [sys.executable, str(ROOT / "tools" / "grid.py"), "run", str(grid.path), "--executor",
               "slurm", "--executor-options", "gpus=0", "cpus=1", "minutes=60", "at_once=2",
               "--cfg-options", f"train_cfg.max_epochs={EPOCHS}"]  # fmt: skip
    answer = subprocess.run(command, env=slurm, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    wait(grid, lambda found: "running" in found, 120)
    job = preempt_one(slurm, grid)
    wait(grid, lambda found: found == ["done"] * 4, 600)
    attempts = [read_state(cell.folder, cell.hash).attempts for cell in grid.cells]
    assert max(attempts) >= 2, f"job {job} was not begun again: {attempts}"
    here = load_grid(tmp_path / "here.py", {"train_cfg.max_epochs": EPOCHS})
    DebugExecutor().run(here, here.cells, [], lambda: None)
    for cell, other in zip(grid.cells, here.cells, strict=True):
        mine, theirs = (read_checkpoint(checkpoint_of(c))["state_dict"] for c in (cell, other))
        assert all(torch.equal(mine[name], theirs[name]) for name in theirs)
    shutil.rmtree(here.root)


def preempt_one(environment, grid):
    """Requeue a running job as a pre-emption does, and let it begin again at once."""
    while not list(grid.root.glob("*/epoch_*.pth")):  # well into the training
        time.sleep(0.2)
    answer = subprocess.run(["squeue", "-h", "-t", "RUNNING", "-o", "%A"], env=environment,
                            capture_output=True, text=True, check=True)  # fmt: skip
    job = answer.stdout.split()[0]
    subprocess.run(["scontrol", "requeue", job], env=environment, check=True)
    for _ in range(60):
        time.sleep(1)
        subprocess.run(["scontrol", "update", f"jobid={job}", "StartTime=now"], env=environment,
                       capture_output=True, check=False)  # fmt: skip
        state = subprocess.run(["squeue", "-h", "-j", job, "-o", "%T"], env=environment,
                               capture_output=True, text=True, check=False)  # fmt: skip
        if "RUNNING" in state.stdout:
            return job
    return job
