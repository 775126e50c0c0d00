"""Memory stays flat over training steps: tensors, objects and the process's own.

`I2IBENCH_LONG_STEPS=10000` trains so many steps; without it 300. In a process of its own, since
the resident memory of a process that has run other tests says nothing.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STEPS = int(os.environ.get("I2IBENCH_LONG_STEPS", 300))
pytestmark = pytest.mark.slow

WATCHED_RUN = """
import gc, json, sys
from pathlib import Path
import torch
from mmengine.hooks import Hook
from i2ibench.configuration import load_config
from i2ibench.experiment import build_runner

class Watch(Hook):
    records = []
    def after_train_iter(self, runner, *arguments, **keywords):
        if (runner.iter + 1) % every == 0:
            gc.collect()
            objects = gc.get_objects()
            tensors = [x for x in objects if type(x) in (torch.Tensor, torch.nn.Parameter)]
            resident = next(int(line.split()[1]) for line in open("/proc/self/status")
                            if line.startswith("VmRSS"))
            self.records.append({
                "step": runner.iter + 1, "objects": len(objects), "tensors": len(tensors),
                "bytes": sum(x.nbytes for x in tensors), "resident_kB": resident,
            })
            del objects, tensors

path, work_dir, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])
torch.set_num_threads(1)
every = steps // 10
epochs = -(-steps // 3)
config = load_config(Path(path), {
    "protocol": None, "hooks.pictures": None, "hooks.checkpoints.interval": max(epochs // 10, 1),
    "train_cfg": {"max_epochs": epochs, "val_interval": max(epochs // 10, 1)},
}, Path(work_dir))
runner = build_runner(config)
runner.register_hook(Watch(), priority="LOWEST")
runner.train()
print(json.dumps(Watch.records))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="resident memory is Linux's")
def test_training_takes_no_more_memory_after_hundreds_of_steps(tiny_config, tmp_path):
    answer = subprocess.run(
        [sys.executable, "-c", WATCHED_RUN, str(tiny_config), str(tmp_path / "work"), str(STEPS)],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    records = json.loads(answer.stdout.splitlines()[-1])
    print(*records, sep="\n")  # noqa: T201  shown with -s
    second, last = records[1], records[-1]
    assert last["step"] > 4 * second["step"]
    assert last["tensors"] == second["tensors"]
    assert last["bytes"] == second["bytes"]
    assert last["objects"] <= 1.01 * second["objects"] + 100
    assert last["resident_kB"] <= 1.05 * second["resident_kB"]
