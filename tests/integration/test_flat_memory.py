"""Memory stays flat over training steps, editor requests and evaluated images.

`I2IBENCH_LONG_STEPS=10000` trains so many steps (without it 300), sends 2,000 requests and
evaluates; each in a process of its own, since the memory of one that has run other tests says
nothing.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import write_paired_scenes, write_tiny_config

ROOT = Path(__file__).parents[2]
STEPS = int(os.environ.get("I2IBENCH_LONG_STEPS", 300))
REQUESTS = 2000 if "I2IBENCH_LONG_STEPS" in os.environ else 300
linux = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="resident memory is read where Linux has it"
)

WATCHED_RUN = """
import gc, json, sys
from pathlib import Path
import torch
from mmengine.hooks import Hook
from i2ibench.registry.configuration import load_config
from i2ibench.training.runner import build_runner
from i2ibench.training.stage import Stage

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
epochs = steps // 30
config = load_config(Path(path), {
    "protocol": None, "hooks.images": None, "hooks.checkpoints.interval": max(epochs // 10, 1),
    "train_cfg": {"max_epochs": epochs, "val_interval": max(epochs // 10, 1)},
}, Path(work_dir))
runner = build_runner(Stage(config))
runner.register_hook(Watch(), priority="LOWEST")
runner.train()
print(json.dumps(Watch.records))
"""


@linux
def test_training_takes_no_more_memory_after_hundreds_of_steps(tmp_path):
    tiny_config = write_tiny_config(
        tmp_path / "tiny.py", write_paired_scenes(tmp_path / "paired", count=60)
    )
    records = in_a_process(WATCHED_RUN, tiny_config, tmp_path / "work", STEPS)
    print(*records, sep="\n")  # noqa: T201  shown with -s
    second, last = records[1], records[-1]
    assert last["step"] > 4 * second["step"]
    assert last["tensors"] == second["tensors"]
    assert last["bytes"] == second["bytes"]
    assert last["objects"] <= 1.01 * second["objects"] + 100
    assert last["resident_kB"] <= 1.05 * second["resident_kB"]


EDITED = """
import json, sys, tempfile
from pathlib import Path
import torch
from fastapi.testclient import TestClient
from i2ibench.apps.editor.server import create_app
from i2ibench.apps.editor.editor import open_editor
from tests.unit.apps.editor.conftest import open_small, write_data
from tests.unit.apps.editor.tab import ORIGIN, Tab

def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status")
                if line.startswith("VmRSS"))

torch.set_num_threads(1)
folder, requests = Path(sys.argv[1]), int(sys.argv[2])
editor = open_editor(open_small(), write_data(folder))
records = []
app = create_app(editor, folder, "127.0.0.1", 8000)
with TestClient(app, base_url=ORIGIN) as client, Tab(client) as tab:
    for number in range(1, requests + 1):
        if number % 10 == 0:
            tab.ask("undo")
        else:
            ends = [[number * k % 40, number * (k + 2) % 24] for k in (7, 11)]
            tab.ask("stroke", stroke=number, points=ends, label=number % 4, end=True, radius=2,
                    instance="auto")
        if number % (requests // 10) == 0:
            tab.ask("render")
            records.append({"request": number, "resident_kB": resident()})
print(json.dumps(records))
"""


EVALUATED = """
import json, sys
from pathlib import Path
import torch
from i2ibench.registry.configuration import load_config
from i2ibench.evaluation.evaluate import evaluate
from i2ibench.evaluation.system_sources import parse_systems
from i2ibench.evaluation.protocols.protocol import build_protocol
from tests.conftest import write_paired_scenes, write_tiny_config

def status(key):
    return next(int(line.split()[1]) for line in open("/proc/self/status")
                if line.startswith(key))

torch.set_num_threads(1)
folder, count = Path(sys.argv[1]), int(sys.argv[2])
for name, scenes in (("first", 2), ("measured", count)):  # the first loads the libraries
    root = write_paired_scenes(folder / name, scenes, (512, 256))
    config = load_config(write_tiny_config(folder / f"{name}.py", root))
    before = status("VmRSS")
    subjects = parse_systems([], [f"photos={root / 'val' / 'image'}"])
    evaluate(build_protocol(config.protocol), subjects, folder / f"{name}_out", config)
print(json.dumps({"before_kB": before, "peak_kB": status("VmHWM")}))
"""


def in_a_process(script, *arguments):
    """What a script of this module prints last."""
    answer = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT, capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    return json.loads(answer.stdout.splitlines()[-1])


@linux
def test_an_editor_takes_no_more_memory_after_many_requests(tmp_path):
    """The first half fills the history of steps to undo, which is bounded."""
    records = in_a_process(EDITED, tmp_path, REQUESTS)
    print(*records, sep="\n")  # noqa: T201  shown with -s
    middle, last = records[4]["resident_kB"], records[-1]["resident_kB"]
    assert last <= 1.02 * middle


@linux
@pytest.mark.skipif("I2IBENCH_LONG_STEPS" not in os.environ, reason="takes minutes")
def test_evaluation_of_64_images_takes_at_most_a_tenth_more_memory_than_of_8(tmp_path):
    few, many = (in_a_process(EVALUATED, tmp_path / str(n), n) for n in (8, 64))
    print(few, many)  # noqa: T201  shown with -s
    assert many["peak_kB"] <= 1.1 * few["peak_kB"]
