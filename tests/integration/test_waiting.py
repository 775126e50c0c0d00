"""What a training run waits for: nothing between two epochs, and the data as little as may be."""

import threading
import time

from i2ibench.registry.configuration import load_config
from i2ibench.reports.training_curves import read_scalars
from i2ibench.training.hooks import log
from i2ibench.training.runner import build_runner
from i2ibench.training.stage import Stage


def test_workers_live_through_all_epochs_and_nothing_sleeps(tiny_config, tmp_path, monkeypatch):
    """mmengine's loop over iterations sleeps two seconds whenever its loader begins anew."""
    slept, workers = [], {"train": set(), "val": set()}

    def sleep(seconds):
        if threading.current_thread() is threading.main_thread():
            slept.append(seconds)

    options = {f"{name}_dataloader.num_workers": 1 for name in workers}
    config = load_config(tiny_config, {**options, "train_cfg.max_epochs": 3}, tmp_path / "run")
    runner = build_runner(Stage(config))
    loaders = {"train": runner.train_dataloader, "val": runner.val_dataloader}

    def note(runner, *_, **__):
        for name, loader in loaders.items():
            if loader._iterator is not None:
                workers[name].add(loader._iterator._workers[0].pid)

    log = next(hook for hook in runner.hooks if type(hook).__name__ == "TrainingLog")
    log.after_train_epoch = note
    monkeypatch.setattr(time, "sleep", sleep)
    runner.train()
    assert slept == []
    assert {name: len(pids) for name, pids in workers.items()} == {"train": 1, "val": 1}


def test_the_log_says_how_long_the_data_was_waited_for(tiny_config, tmp_path, capsys, monkeypatch):
    """A loader that takes its time is named, once, with what can be done about it."""
    config = load_config(tiny_config, {"train_cfg.max_epochs": 2}, tmp_path / "run")
    runner = build_runner(Stage(config))
    read = runner.train_dataloader.dataset.scenes.read

    def slow(key):
        time.sleep(0.1)
        return read(key)

    runner.train_dataloader.dataset.scenes.read = slow
    monkeypatch.setattr(log, "MUCH", 0.01)
    monkeypatch.setattr(log.os, "cpu_count", lambda: 4)
    runner.train()
    shares = [share for _, share in read_scalars(tmp_path / "run")["train/data_share"]]
    assert len(shares) == 3 and all(0 < share < 1 for share in shares)
    said = capsys.readouterr().err
    assert said.count("of a training step is spent waiting for data") == 1
    assert "cache=True or num_workers=4 (now 0)" in said
