"""Two gloo processes on the CPU."""

import os
import shutil
import socket
import subprocess
import sys

import pytest
import torch

from i2ibench.inference.checkpoints import open_checkpoint
from i2ibench.reports.training_curves import read_scalars

SHORT = ["protocol=None", "hooks.images=None", "train_dataloader.batch_size=1"]


def launch(config, work_dir, processes, *options, script=None):
    program = ["-m", "i2ibench.cli", "train"] if script is None else [str(script)]
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    arguments = [*program, str(config), "--work-dir", str(work_dir), "--launcher", "pytorch"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *torchrun, *arguments, "--cfg-options", *options],
        capture_output=True, text=True, env=environment, check=False, timeout=120,
    )  # fmt: skip


def train(tiny_config, work_dir, processes, *options, epochs=1):
    answer = launch(tiny_config, work_dir, processes, f"train_cfg.max_epochs={epochs}", *options)
    assert answer.returncode == 0, answer.stderr
    assert "find_unused_parameters" not in answer.stderr
    return torch.load(work_dir / f"epoch_{epochs:04d}.pth", weights_only=True)


def two_processes_train_as_one(config, folder, network):
    """Check that two processes train a network as one does with twice the batch, up to rounding.

    Two updates with SGD. Return the state dict of the one process.
    """
    options = ["train_dataloader.dataset.transforms=[]", "hooks.average=None", "protocol=None",
               f"optimizers.{network}.type=SGD", f"optimizers.{network}.lr=0.1"]  # fmt: skip
    one, two = (
        train(
            config, folder / str(processes), processes, *options,
            f"train_dataloader.batch_size={6 // processes}", epochs=2,
        )["state_dict"]
        for processes in (1, 2)
    )  # fmt: skip
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=1e-5, rtol=1e-4)
    return one


def test_two_processes_equal_one_with_twice_the_batch(tiny_config, tmp_path):
    """One step: six scenes as one batch of 6, or as 3 in each of two processes."""
    options = ["train_dataloader.dataset.transforms=[]", "optimizers.generator.type=SGD",
               "optimizers.discriminator.type=SGD", "optimizers.generator._delete_=True",
               "optimizers.discriminator._delete_=True", "optimizers.generator.lr=0.1",
               "optimizers.discriminator.lr=0.1", "hooks.log.interval=1"]  # fmt: skip
    one = train(tiny_config, tmp_path / "one", 1, *options, "train_dataloader.batch_size=6")
    two = train(tiny_config, tmp_path / "two", 2, *options, "train_dataloader.batch_size=3")
    assert one["state_dict"].keys() == two["state_dict"].keys()
    for name, value in one["state_dict"].items():
        if "style_bank" not in name:
            torch.testing.assert_close(two["state_dict"][name], value, atol=1e-5, rtol=1e-4)
    expected, logged = losses_of(tmp_path / "one"), losses_of(tmp_path / "two")
    assert "train/feature_matching" in expected
    assert logged == {name: pytest.approx(value, rel=1e-4) for name, value in expected.items()}


def losses_of(work_dir):
    """The losses in the log, one number a record."""
    timed = ("train/step_s", "train/data_share")
    return {
        name: [value for _, value in records]
        for name, records in read_scalars(work_dir).items()
        if name.startswith("train/") and name not in timed
    }


def test_a_checkpoint_of_two_processes_goes_on_in_one_and_back(tiny_config, tmp_path):
    """Strictly: the same names and shapes, whoever wrote them."""
    work_dir = tmp_path / "run"
    states = []
    for epochs, processes in ((1, 2), (2, 1), (3, 2)):
        saved = train(tiny_config, work_dir, processes, "--resume", epochs=epochs)
        states.append({name: x.shape for name, x in saved["state_dict"].items()})
        assert saved["meta"]["epoch"] == epochs
    assert states[0] == states[1] == states[2]
    open_checkpoint(work_dir / "epoch_0003.pth")


APART = """
import torch
from mmengine.dist import all_gather, get_rank
from mmengine.hooks import Hook
from i2ibench.cli.main import main
from i2ibench.registry import HOOKS
from i2ibench.training import stage

@HOOKS.register_module()
class Equal(Hook):
    def before_train(self, runner):
        self.compare(runner)

    def after_train(self, runner):
        self.compare(runner)

    def compare(self, runner):
        weights = [p for p in runner.model.parameters() if p.requires_grad]
        one, other = all_gather(torch.cat([p.detach().flatten() for p in weights]))
        assert torch.equal(one, other), "the processes have other weights"

seed = stage.seed_everything
stage.seed_everything = lambda number: seed(number + get_rank())
main("train")
"""


def test_processes_that_would_begin_apart_train_the_same_weights(tiny_config, tmp_path):
    (tmp_path / "script.py").write_text(APART)
    options = ["hooks.equal.type=Equal", *SHORT]
    answer = launch(tiny_config, tmp_path / "run", 2, *options, script=tmp_path / "script.py")
    assert answer.returncode == 0, answer.stderr


ENDED = """
from pathlib import Path
from i2ibench.cli.main import main

main("train")
threads = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
assert not [name for name in threads if "gloo" in name], threads
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the threads are listed in /proc")
def test_no_thread_of_gloo_outlives_the_training(tiny_config, tmp_path):
    """The interpreter's end aborted the process (exit code -6) when it met such a thread."""
    (tmp_path / "script.py").write_text(ENDED)
    answer = launch(tiny_config, tmp_path / "run", 2, *SHORT, script=tmp_path / "script.py")
    assert answer.returncode == 0, answer.stderr


SCRIPT = """
import os, signal
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from i2ibench.cli.main import main
from i2ibench.registry import HOOKS

@HOOKS.register_module()
class InProcessOne(Hook):
    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if get_rank() == 1 and runner.iter + 1 == 2:
            {action}

main("train")
"""
INTERFERING = ["hooks.other.type=InProcessOne", *SHORT]


def script(tmp_path, action):
    path = tmp_path / "script.py"
    path.write_text(SCRIPT.format(action=action))
    return path


def test_an_error_in_one_process_ends_all_of_them_with_its_message(tiny_config, tmp_path):
    failing = script(tmp_path, "raise KeyError('of process one')")
    answer = launch(tiny_config, tmp_path / "run", 2, *INTERFERING, script=failing)
    assert answer.returncode == 1
    assert "KeyError: 'of process one'" in answer.stderr
    assert "error: Process 1 failed: KeyError: 'of process one'" in answer.stderr


def test_a_process_that_is_killed_ends_the_others(tiny_config, tmp_path):
    killing = script(tmp_path, "os.kill(os.getpid(), signal.SIGKILL)")
    answer = launch(tiny_config, tmp_path / "run", 2, *INTERFERING, script=killing)
    assert answer.returncode == 1
    assert "error: Another process ended without an error message" in answer.stderr


def test_a_signal_to_one_process_saves_all_and_the_run_goes_on_equal(tiny_config, tmp_path):
    """Epochs of 3 steps, stopped after the second; every process has random numbers of its own."""
    short = [*SHORT, "hooks.log.interval=3"]
    whole = train(tiny_config, tmp_path / "whole", 2, *short)
    asking = script(tmp_path, "os.kill(os.getpid(), signal.SIGTERM)")
    parts = tmp_path / "parts"
    options = ["train_cfg.max_epochs=1", *short]
    answer = launch(tiny_config, parts, 2, *options, "hooks.other.type=InProcessOne", script=asking)
    # When one has left, torchrun may end the other, which has saved and is about to leave.
    assert answer.returncode == 1 and "exitcode  : 75" in answer.stderr, answer.stderr
    saved = torch.load(parts / "interrupted.pth", weights_only=True)
    assert (saved["meta"]["iter"], saved["meta"]["scenes"]) == (2, 4)
    assert len(saved["other_random_states"]) == 1
    shutil.copytree(parts, tmp_path / "alone")
    resumed = launch(tiny_config, parts, 2, *options, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    end = torch.load(parts / "epoch_0001.pth", weights_only=True)
    assert all(torch.equal(end["state_dict"][k], v) for k, v in whole["state_dict"].items())
    assert losses_of(parts) == losses_of(tmp_path / "whole") != {}
    alone = launch(tiny_config, tmp_path / "alone", 1, *options, "--resume")
    assert alone.returncode == 0, alone.stderr
    meta = torch.load(tmp_path / "alone" / "epoch_0001.pth", weights_only=True)["meta"]
    assert meta["iter"] == 2 + 2  # six scenes, four of them seen


def test_a_signal_to_torchrun_saves_the_run_in_every_process(tiny_config, tmp_path):
    """Process 1 sends it to its parent, which passes it on."""
    asking = script(tmp_path, "os.kill(os.getppid(), signal.SIGTERM)")
    options = ["train_cfg.max_epochs=100", "train_cfg.val_interval=100", *INTERFERING]
    answer = launch(tiny_config, tmp_path / "run", 2, *options, script=asking)
    assert answer.returncode == 1 and "stopped by a signal: saved in" in answer.stdout, (
        answer.stderr
    )
    saved = torch.load(tmp_path / "run" / "interrupted.pth", weights_only=True)
    assert len(saved["other_random_states"]) == 1


def test_without_torchrun_every_process_ends_with_the_code_of_preemption(tiny_config, tmp_path):
    """Two processes as srun starts them."""
    asking = script(tmp_path, "os.kill(os.getpid(), signal.SIGTERM)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, asking, tiny_config, "--work-dir", tmp_path / "run",
               "--launcher", "slurm", "--cfg-options", *INTERFERING]  # fmt: skip
    processes = [
        subprocess.Popen(command, env={
            **os.environ, "OMP_NUM_THREADS": "1", "MASTER_PORT": port, "SLURM_NTASKS": "2",
            "SLURM_PROCID": rank, "SLURM_LOCALID": rank,
        })
        for rank in "01"
    ]  # fmt: skip
    assert [process.wait(120) for process in processes] == [75, 75]
    assert (tmp_path / "run" / "interrupted.pth").is_file()


def test_streets_are_drawn_by_one_process_while_the_other_waits(tiny_config, tmp_path):
    streets = tmp_path / "streets"
    options = [
        f"data_root={streets}",
        "hooks.styles=None",
        "train_dataloader.dataset.transforms=[]",
    ]
    for split in ("train", "val"):
        dataset = f"{split}_dataloader.dataset"
        options += [f"{dataset}.type=ToyStreet", f"{dataset}.num_scenes=4",
                    f"{dataset}.width=64", f"{dataset}.height=32"]  # fmt: skip
    answer = launch(tiny_config, tmp_path / "run", 2, "train_cfg.max_epochs=1", *SHORT, *options)
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr.count("drawing train scenes 4/4") <= 1
    assert len(list((streets / "gtFine/train").rglob("*_labelIds.png"))) == 4
