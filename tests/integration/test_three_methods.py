"""Three methods that the core does not know go through every command, from another folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

METHODS = Path(__file__).parents[1] / "data" / "methods"
CONFIG = """
model = dict(type="{name}", width=8)
data_root = "data/toystreet"
data_preprocessor = dict(type="LabelPreprocessor")
_size = dict(width=64, height=32)
train_dataloader = dict(
    dataset=dict(type="ToyStreet", split="train", num_scenes=4, **_size), batch_size=2
)
val_dataloader = dict(dataset=dict(type="ToyStreet", split="val", num_scenes=2, **_size))
protocol = None
optimizers = dict({optimizers})
train_cfg = dict(max_epochs=2, val_interval=2)
hooks = dict(
    ema=dict(type="ExponentialMovingAverage"),
    checkpoints=dict(type="Checkpoints"),
)
"""

ADAM = 'dict(type="Adam", lr=1e-3)'

STAGES = """
_base_ = ["own.py"]
stages = dict(first=dict(model=dict({first})), second=dict(model=dict({second})))
"""

RUN = """
import shlex, sys
from i2ibench.cli.main import main
from i2ibench.apps.web import serving

serving.serve = lambda app, listening, *limits: listening.close()
for line in sys.stdin.read().splitlines():
    main(arguments=shlex.split(line))
"""

LINES = """
train own.py --estimate-memory
train own.py
train own.py --work-dir parts --cfg-options train_cfg.max_epochs=1
train own.py --work-dir parts --resume
train stages.py
translate work_dirs/own/epoch_0002.pth data/toystreet/gtFine/val images --samples 2 {set}
translate work_dirs/stages/2_second/epoch_0002.pth data/toystreet/gtFine/val staged --size 50x30
eval own.py averaged=work_dirs/own/epoch_0002.pth --protocol own {set}
edit work_dirs/own/epoch_0002.pth --port 0 {set}
"""

SYSTEMS = {
    "Drift": (["velocity"], "", "", "--set steps=5 solver=heun"),
    "Mood": (["both"], "", "", "--set spread=0.5"),
    "Layers": (["ground", "detail"], "detailed=False", "base_trains=False", ""),
}


def python(*arguments, cwd, lines="", code=0):
    """A Python in which the methods are installed as a package is."""
    path = os.pathsep.join([str(METHODS), str(cwd / "installed"), *sys.path])
    answer = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, input=lines, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip
    assert answer.returncode == code and "Traceback" not in answer.stderr, (
        answer.stdout + answer.stderr
    )
    return answer.stdout + answer.stderr


@pytest.fixture
def home(tmp_path):
    info = tmp_path / "installed" / "three_methods-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: three-methods\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[i2ibench.plugins]\nthree = three_methods\n")
    return tmp_path


def weights(path):
    return torch.load(path, weights_only=True)["state_dict"]


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_method_of_the_users_own_goes_through_every_command(name, home):
    """Takes its time: four runs of a few steps, one of them in two processes."""
    networks, first, second, chosen = SYSTEMS[name]
    optimizers = ", ".join(f"{network}={ADAM}" for network in networks)
    (home / "own.py").write_text(CONFIG.format(name=name, optimizers=optimizers))
    (home / "stages.py").write_text(STAGES.format(first=first, second=second))
    told = python("-c", RUN, cwd=home, lines=LINES.format(set=chosen).strip())
    assert "step float32, 2 of 64x32" in told  # in the estimate of the memory
    assert "editor: http" in told
    whole, resumed = (weights(home / f / "epoch_0002.pth") for f in ("work_dirs/own", "parts"))
    assert all(torch.equal(value, resumed[key]) for key, value in whole.items())
    assert len(list((home / "images").glob("*.png"))) == 4
    assert len(list((home / "staged").glob("*.png"))) == 2
    if name == "Layers":
        before, after = (
            weights(home / "work_dirs" / "stages" / stage / "epoch_0002.pth")
            for stage in ("1_first", "2_second")
        )
        assert "detail.0.weight" not in before and "detail.0.weight" in after
        assert torch.equal(before["ground.0.weight"], after["ground.0.weight"])
    ranks = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    python(*ranks, "-m", "i2ibench.cli", "train", "own.py", "--launcher", "pytorch", "--work-dir",
           "two", cwd=home)  # fmt: skip
    assert (home / "two" / "epoch_0002.pth").is_file()


def test_they_keep_the_contract_and_are_shown_with_their_settings(home):
    options = ("-p", "i2ibench.testing.pytest_plugin", "-p", "no:cacheprovider", "-q")
    told = python("-m", "pytest", *options, "--pyargs", "i2ibench.testing", "--plugin",
                  "three_methods", cwd=home)  # fmt: skip
    assert re.search(r"\d+ passed", told) and "failed" not in told
    listed = " ".join(python("-m", "i2ibench.cli", "translate", "--help", cwd=home).split())
    assert "Drift: steps=3, solver='euler'; " in listed and "Mood: spread=1.0" in listed
