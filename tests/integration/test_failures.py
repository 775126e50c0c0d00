"""Runs on a failing machine, with losses that are not finite, and in other precisions."""

import os
import shutil
import signal
from pathlib import Path

import pytest
import torch

from i2ibench.errors import UserError
from i2ibench.inference.checkpoints import read_checkpoint
from i2ibench.reports.training_curves import read_scalars
from i2ibench.training.hooks import Preempted
from tests.integration.runs import (
    SHORT,
    AskedAt,
    goes_on_after_step_four,
    goes_on_bit_for_bit,
    run,
)


class FailingAt(AskedAt):
    """Does something to the run after a step."""

    def __init__(self, step, action):
        super().__init__(step)
        self.action = action

    def after_train_iter(self, runner, *arguments, **keywords):
        if runner.iter + 1 == self.step:
            self.action(runner)


def stopped(tiny_config, work_dir, match, action, step=4, **overrides):
    """The run stops with the message, and its first epoch stays as it was."""
    with pytest.raises(UserError, match=match):
        run(tiny_config, work_dir, FailingAt(step, action), **{**SHORT, **overrides})
    if work_dir.is_dir():
        assert [p.name for p in work_dir.glob("*.pth")] == ["epoch_0001.pth"]
        read_checkpoint(work_dir / "epoch_0001.pth")
        assert not list(work_dir.glob(".*.tmp"))


def poison(runner):
    with torch.no_grad():
        next(runner.model.generator.parameters()).fill_(torch.nan)


def test_a_loss_that_is_not_finite_stops_the_run_and_leaves_the_last_checkpoint(
    tiny_config, tmp_path
):
    work_dir = tmp_path / "run"
    match = r"loss G/adversarial was not finite in step 5.*checkpoint is .*epoch_0001\.pth"
    stopped(tiny_config, work_dir, match, poison)
    early = {"hooks.non_finite": {"type": "StopAtNonFinite", "interval": 1}}
    stopped(tiny_config, tmp_path / "early", match, poison, **early)


def test_weights_that_are_not_finite_are_not_saved(tiny_config, tmp_path):
    match = r"the weights generator\.coarse.* no longer finite"
    stopped(tiny_config, tmp_path / "run", match, poison, step=6)


def test_a_run_that_skips_every_update_stops_when_its_patience_ends(tiny_config, tmp_path):
    skip = {"hooks.nan": {"type": "SkipNonFinite", "patience": 1, "interval": 1}}
    match = r"2 consecutive updates of the generator had no finite gradient"
    stopped(tiny_config, tmp_path / "run", match, poison, **skip)


def test_a_removed_work_dir_stops_the_run(tiny_config, tmp_path):
    def remove(runner):
        shutil.rmtree(runner.work_dir)

    match = r"work directory .*run was removed"
    stopped(tiny_config, tmp_path / "run", match, remove)
    assert not (tmp_path / "run").exists()


def test_a_full_disk_stops_the_run(tiny_config, tmp_path, monkeypatch):
    """A write fails in the middle of the second checkpoint, as /dev/full lets it."""

    def fill(runner):
        from i2ibench.training.hooks import checkpoints

        def full(path, write):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Path, "open", lambda *_: open("/dev/full", "wb"))  # noqa: PTH123, SIM115
                write(path)

        monkeypatch.setattr(checkpoints, "write_file", full)

    match = r"cannot be written: No space left on device\. The last good .*epoch_0001\.pth"
    stopped(tiny_config, tmp_path / "run", match, fill)


def test_a_loader_worker_that_dies_stops_the_run(tiny_config, tmp_path):
    def kill(runner):
        for worker in runner.train_dataloader._iterator._workers:
            os.kill(worker.pid, signal.SIGKILL)
            worker.join()

    match = r"step 4: DataLoader worker \(pid.*num_workers\. The last good .*epoch_0001\.pth"
    stopped(tiny_config, tmp_path / "run", match, kill, step=3, train_dataloader__num_workers=1)


def test_a_skipped_update_is_logged_and_the_run_goes_on(tiny_config, tmp_path):
    class Spoiling(FailingAt):
        def before_train_iter(self, runner, *arguments, **keywords):
            spoiled = runner.iter + 1 == self.step
            runner.model.weights["feature_matching"] = float("nan") if spoiled else 10.0

        def after_train_iter(self, runner, *arguments, **keywords):
            pass

    skip = {"hooks.nan": {"type": "SkipNonFinite"}, **SHORT}
    work_dir = run(tiny_config, tmp_path / "run", Spoiling(3, None), **skip)
    scalars = read_scalars(work_dir)
    assert scalars["train/generator.skipped"] == [(2, 0), (4, 1), (6, 1)]
    assert scalars["train/discriminator.skipped"] == [(2, 0), (4, 0), (6, 0)]
    assert read_checkpoint(work_dir / "epoch_0002.pth")["optimizer"]["generator"]["skipped"][0] == 1


def test_bf16_on_the_cpu_resumes_bit_by_bit(tiny_config, tmp_path):
    """In the middle of an epoch, and with another number of workers."""
    options = {"amp": "bf16", **SHORT}
    worker = {"train_dataloader__num_workers": 1}
    whole = run(tiny_config, tmp_path / "whole", **options)
    with pytest.raises(Preempted):
        run(tiny_config, tmp_path / "parts", AskedAt(4), **options, **worker)
    goes_on_after_step_four(whole, tiny_config, tmp_path / "parts", options)


def test_fp16_is_refused_on_the_cpu(tiny_config, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("this machine trains on a GPU")
    with pytest.raises(UserError, match="'fp16' needs a GPU"):
        run(tiny_config, tmp_path / "run", amp="fp16")


def test_accumulated_batches_train_and_resume(tiny_config, tmp_path):
    options = {"train_dataloader__accumulate": 2, "train_dataloader__batch_size": 1, **SHORT}
    goes_on_bit_for_bit(tiny_config, tmp_path, options)


def test_accumulation_is_refused_where_it_means_nothing(tiny_config, tmp_path):
    with pytest.raises(UserError, match="accumulate is for train_dataloader"):
        run(tiny_config, tmp_path / "run", val_dataloader__accumulate=2)
    with pytest.raises(UserError, match="fewer than the 8 of one update"):
        run(tiny_config, tmp_path / "run", train_dataloader__accumulate=4)
    assert not (tmp_path / "run").exists()
