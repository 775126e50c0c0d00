"""Runs that are asked to end, are killed, or meet a failing machine."""

import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from i2ibench.errors import UserError
from i2ibench.inference.checkpoints import open_checkpoint, read_checkpoint
from i2ibench.training.hooks import Preempted
from i2ibench.training.validation import ValidationLoop, ValidationMetric
from tests.integration.runs import (
    SHORT,
    AskedAt,
    assert_same_end,
    goes_on_after_step_four,
    logged,
    run,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def ema_config(tiny_config):
    text = 'hooks["ema"] = dict(type="ExponentialMovingAverage", decay=0.9)\n'
    tiny_config.write_text(tiny_config.read_text() + text)
    return tiny_config


@pytest.fixture
def whole(ema_config, tmp_path):
    return run(ema_config, tmp_path / "whole")


@pytest.mark.parametrize(
    ("step", "in_validation"), [(1, False), (3, False), (5, False), (3, True), (6, True)]
)
def test_a_run_that_was_asked_to_end_goes_on_as_if_it_had_not(
    ema_config, whole, tmp_path, step, in_validation
):
    """Epochs of 3 steps and records every 2: in the middle of both, at ends, in validations."""
    parts = tmp_path / "parts"
    with pytest.raises(Preempted):
        run(ema_config, parts, AskedAt(step, in_validation))
    assert (parts / "interrupted.pth").is_file()
    assert read_checkpoint(parts / "interrupted.pth")["meta"]["iter"] == step
    run(ema_config, parts)
    assert not (parts / "interrupted.pth").exists()
    assert_same_end(whole, parts)
    assert logged(whole) == logged(parts)
    assert [step for step, _ in logged(parts)["train/D/real"]] == [2, 4, 6]
    assert [step for step, _ in logged(parts)["val_ema/seg/miou"]] == [3, 6]


def test_a_run_may_be_asked_to_end_in_every_step(tiny_config, tmp_path):
    whole = run(tiny_config, tmp_path / "whole", **SHORT)
    for step in range(1, 6):
        with pytest.raises(Preempted):
            run(tiny_config, tmp_path / "parts", AskedAt(step), **SHORT)
    run(tiny_config, tmp_path / "parts", **SHORT)
    assert_same_end(whole, tmp_path / "parts")


def test_long_epochs_are_saved_every_few_steps(tiny_config, tmp_path):
    every = {"hooks__checkpoints__every_steps": 2, **SHORT}
    whole = run(tiny_config, tmp_path / "whole", **every)

    class Killed(AskedAt):
        def after_train_iter(self, runner, *arguments, **keywords):
            if runner.iter + 1 == self.step:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tiny_config, tmp_path / "parts", Killed(5), **every)
    goes_on_after_step_four(whole, tiny_config, tmp_path / "parts", every)


def test_saving_every_no_steps_is_refused(tiny_config, tmp_path):
    with pytest.raises(UserError, match="must be at least 1, not 0"):
        run(tiny_config, tmp_path / "run", hooks__checkpoints__every_steps=0)


def test_averaged_weights_open_as_a_translator_of_their_own(whole):
    path = whole / "epoch_0002.pth"
    raw, averaged = open_checkpoint(path, weights="last"), open_checkpoint(path, weights="average")
    name = "generator.head.1.weight"
    one, two = raw.translator.state_dict()[name], averaged.translator.state_dict()[name]
    assert "ema_state_dict" in read_checkpoint(path) and not torch.equal(one, two)
    assert averaged.translator.style_bank.counts.sum() > 0
    assert (whole / "pictures" / "ema_epoch_0002.png").is_file()
    centres = (t.translator.style_bank.centres for t in (raw, averaged))
    assert not torch.equal(*centres)


def test_a_checkpoint_without_averages_says_so(tiny_config, tmp_path):
    path = run(tiny_config, tmp_path / "run", **SHORT) / "epoch_0002.pth"
    assert "ema_state_dict" not in read_checkpoint(path)
    with pytest.raises(UserError, match="no averaged weights"):
        open_checkpoint(path, weights="average")


COMMAND = [sys.executable, str(ROOT / "tools" / "train.py")]
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


def start(config, work_dir, *options):
    """The command in a process group of its own, as a scheduler starts it."""
    arguments = [str(config), "--work-dir", str(work_dir), "--cfg-options", *options]
    return subprocess.Popen(
        [*COMMAND, *arguments], env=ENVIRONMENT, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def await_file(folder, pattern, process):
    """Wait until the command has written such a file."""
    while not list(folder.glob(pattern)):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)


def test_the_command_exits_with_75_on_sigterm_however_often_it_comes(tiny_config, tmp_path):
    """The whole process group hears it, loader workers too, as under Slurm."""
    options = ["train_cfg.max_epochs=1000", "protocol=None", "train_dataloader.num_workers=1"]
    process = start(tiny_config, tmp_path / "run", *options)
    await_file(tmp_path / "run", "epoch_*.pth", process)
    for _ in range(3):
        os.killpg(process.pid, signal.SIGTERM)
        os.killpg(process.pid, signal.SIGUSR1)
        time.sleep(0.01)
    out, error = process.communicate(timeout=60)
    assert process.returncode == 75, error
    assert "the same command continues" in out and "Traceback" not in error
    read_checkpoint(tmp_path / "run" / "interrupted.pth")
    assert not list((tmp_path / "run").glob(".*.tmp"))


KILLS = int(os.environ.get("I2IBENCH_KILLS", "6"))
"""How often the run below is killed in all; twenty take half a minute."""


FORKS = multiprocessing.get_context("forkserver")
"""Children of a process that has imported everything but has no threads yet: to fork a process
whose threads have computed would leave the child waiting for them for ever."""
FORKS.set_forkserver_preload(["i2ibench.training.run", __name__])


def in_child(config, work_dir, options):
    """The run in a process of its own."""
    child = FORKS.Process(target=run_quietly, args=(config, work_dir, options))
    child.start()
    return child


def run_quietly(config, work_dir, options):
    sys.stderr = sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    run(config, work_dir, **options)


def kill(child, work_dir, moment, in_write):
    """Kill a child at a moment, or in the next write after that; whether it was alive."""
    time.sleep(moment)
    limit = time.monotonic() + 5
    while in_write and not list(work_dir.glob(".*.tmp")) and time.monotonic() < limit:
        if not child.is_alive():
            return False
    child.kill()
    child.join(60)
    return child.exitcode == -signal.SIGKILL


def test_a_run_that_is_killed_again_and_again_ends_as_if_it_had_not_been(ema_config, tmp_path):
    options = {"train_cfg__max_epochs": 8, "hooks__checkpoints__every_steps": 2}
    whole = run(ema_config, tmp_path / "whole", **options)
    chance = random.Random(0)
    killed = in_writes = runs = 0
    while killed < KILLS:
        runs += 1
        work_dir = tmp_path / f"killed_{runs}"
        while not (work_dir / "epoch_0008.pth").exists():
            child = in_child(ema_config, work_dir, options)
            if killed < KILLS:
                moment, in_write = chance.uniform(0.1, 1.2), killed % 2 == 1
                killed += kill(child, work_dir, moment, in_write)
                in_writes += bool(list(work_dir.glob(".*.tmp")))
            else:
                child.join(120)
                assert child.exitcode == 0
            for path in work_dir.glob("*.pth"):
                read_checkpoint(path)
        run(ema_config, work_dir, **options)  # its last validation may have been cut off
        assert_same_end(whole, work_dir, "epoch_0008.pth")
        assert logged(whole) == logged(work_dir)
    print(f"{killed} kills, {in_writes} of them in a write, in {runs} runs")  # noqa: T201


def test_translations_use_the_average_unless_they_ask_for_the_last_weights(whole, tmp_path):
    path = whole / "epoch_0002.pth"
    default, last = open_checkpoint(path), open_checkpoint(path, weights="last")
    average = open_checkpoint(path, weights="average").translator.generator.state_dict()
    assert default.averaged and not last.averaged
    for name, value in default.translator.generator.state_dict().items():
        assert torch.equal(value, average[name])
    assert not torch.equal(
        last.translator.generator.head[1].weight, default.translator.generator.head[1].weight
    )


SCORES = [0.2, 0.6, 0.1, 0.3]


@pytest.fixture
def scripted(monkeypatch):
    """The validation of epoch N gives the N-th of SCORES."""
    epochs, validate = [], ValidationLoop.run

    def noting(loop):
        epochs.append(loop.runner.epoch)
        return validate(loop)

    def score(metric, results):
        return {"seg/miou": SCORES[epochs[-1] - 1]} if "seg/miou" in metric.metric.better else {}

    monkeypatch.setattr(ValidationLoop, "run", noting)
    monkeypatch.setattr(ValidationMetric, "compute_metrics", score)


@pytest.mark.parametrize("asked", [None, (3, True), (6, True), (7, False), (9, True)])
def test_the_best_epoch_is_kept_beside_the_newest_also_of_a_run_that_was_stopped(
    tiny_config, tmp_path, scripted, asked
):
    """Three steps an epoch; the run is stopped in a validation or between two."""
    overrides = {
        "hooks.images": None, "hooks.checkpoints.keep": 1, "hooks.checkpoints.best": "seg/miou",
        "train_cfg.max_epochs": 4,
    }  # fmt: skip
    folder = tmp_path / "run"
    if asked is not None:
        with pytest.raises(Preempted):
            run(tiny_config, folder, AskedAt(*asked), **overrides)
    run(tiny_config, folder, **overrides)
    names = sorted(path.name for path in folder.glob("*.pth"))
    assert names == ["best_epoch_0002.pth", "epoch_0004.pth"]
    assert read_checkpoint(folder / names[0])["meta"]["epoch"] == 2


def test_a_best_score_that_is_not_validated_is_refused_before_the_first_step(tiny_config, tmp_path):
    overrides = {"hooks.images": None, "hooks.checkpoints.best": "fid"}
    with pytest.raises(UserError, match=r"best='fid' is no score of the validation.*seg/miou"):
        run(tiny_config, tmp_path / "run", **overrides)
    assert not list((tmp_path / "run").glob("*.pth"))
