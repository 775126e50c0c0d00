"""Runs of a config in this process that are stopped, go on, and are compared bit by bit."""

import pytest
import torch

from i2ibench.cli.main import main
from i2ibench.inference.checkpoints import read_checkpoint
from i2ibench.registry.configuration import load_config
from i2ibench.reports.training_curves import read_scalars
from i2ibench.training.hooks import Preempted, Preemption
from i2ibench.training.run import train

SHORT = {"protocol": None, "hooks.images": None}
"""Without what only takes time."""


class AskedAt(Preemption):
    """Hears a signal in one step, or in the validation after one."""

    def __init__(self, step, in_validation=False):
        super().__init__()
        self.step, self.in_validation = step, in_validation

    def after_train_iter(self, runner, *arguments, **keywords):
        if not self.in_validation and runner.iter + 1 == self.step:
            self.asked = True
        super().after_train_iter(runner, *arguments, **keywords)

    def after_val_iter(self, runner, *arguments, **keywords):
        if self.in_validation and runner.iter == self.step:
            self.asked = True
        super().after_val_iter(runner, *arguments, **keywords)


def command(*arguments):
    main(arguments=[str(a) for a in arguments])  # exits where it fails


def refusal(capsys, *arguments):
    """The error of a command that fails, in one line."""
    with pytest.raises(SystemExit) as end:
        command(*arguments)
    assert end.value.code
    return " ".join(capsys.readouterr().err.split())


def goes_on_bit_for_bit(config, folder, overrides):
    """A run that hears a signal in its fourth step ends as one that hears none."""
    whole = run(config, folder / "whole", **overrides)
    with pytest.raises(Preempted):
        run(config, folder / "parts", AskedAt(4), **overrides)
    goes_on_after_step_four(whole, config, folder / "parts", overrides)


def run(config, work_dir, preemption=None, **overrides):
    overrides = {key.replace("__", "."): value for key, value in overrides.items()}
    return train(load_config(config, overrides, work_dir), preemption=preemption)


def assert_same_end(one, two, name="epoch_0002.pth"):
    """Weights, optimisers, schedules and random numbers of two checkpoints are equal bit by bit."""
    first, second = read_checkpoint(one / name), read_checkpoint(two / name)
    for key in ("meta", "config"):
        first.pop(key), second.pop(key)
    assert list(differences(first, second)) == []


def differences(one, two, place=""):
    if isinstance(one, dict):
        assert one.keys() == two.keys(), place
        for key in one:
            yield from differences(one[key], two[key], f"{place}/{key}")
    elif isinstance(one, list | tuple):
        assert len(one) == len(two), place
        for i, pair in enumerate(zip(one, two, strict=True)):
            yield from differences(*pair, f"{place}/{i}")
    elif isinstance(one, torch.Tensor):
        if not torch.equal(one, two):
            yield place
    elif one != two:
        yield place


def logged(work_dir):
    """What the logs hold apart from times."""
    times = ("train/step_s", "train/data_share")
    return {k: v for k, v in read_scalars(work_dir).items() if k not in times}


def goes_on_after_step_four(whole, config, work_dir, options):
    """A run that stopped after step 4, the first of its second epoch, ends as the whole one."""
    meta = read_checkpoint(work_dir / "interrupted.pth")["meta"]
    assert (meta["epoch"], meta["iter"], meta["scenes"]) == (1, 4, 2)
    run(config, work_dir, **options)
    assert_same_end(whole, work_dir)
