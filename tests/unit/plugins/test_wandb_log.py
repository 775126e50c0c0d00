"""Weights & Biases gets the training's steps; tried by hand with wandb 0.31 offline."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from i2ibench.errors import UserError
from i2ibench.registry.configuration import load_config
from i2ibench.training.run import train


class FakeWandb(SimpleNamespace):
    """As much of wandb as the log calls: every run keeps what it is told."""

    def __init__(self):
        super().__init__(runs=[], Image=lambda pixels: ("image", pixels.shape))

    def init(self, **options):
        run = SimpleNamespace(
            id=options["id"] or f"run{len(self.runs)}", options=options, told=[], ended=False,
            config=SimpleNamespace(update=lambda values, allow_val_change: None),
        )  # fmt: skip
        run.log = lambda values, step: run.told.append((step, values))
        run.finish = lambda: setattr(run, "ended", True)
        self.runs.append(run)
        return run


@pytest.fixture
def wandb(monkeypatch):
    fake = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", fake)
    return fake


def trained(tiny_config, folder, epochs):
    log = dict(type="WandbLog", project="streets", init=dict(tags=["tiny"]))
    overrides = {
        "vis_backends": [dict(type="LocalVisBackend"), log],
        "train_cfg.max_epochs": epochs,
    }
    return train(load_config(tiny_config, overrides, folder), resume=True)


def test_scalars_and_images_have_the_steps_of_the_training(wandb, tiny_config, tmp_path):
    trained(tiny_config, tmp_path / "run", 2)
    (run,) = wandb.runs
    assert run.options["project"] == "streets" and run.options["tags"] == ["tiny"] and run.ended
    losses = [(s, v["train/G/adversarial"]) for s, v in run.told if "train/G/adversarial" in v]
    assert [step for step, _ in losses] == [2, 4, 6]
    assert all(type(value) is float and np.isfinite(value) for _, value in losses)
    assert [s for s, v in run.told if "val/seg/miou" in v] == [3, 6]
    steps = [step for step, _ in run.told]
    assert steps == sorted(steps), "wandb drops steps that go back"
    assert any(isinstance(one, tuple) for _, v in run.told for one in v.values()), "images"


def test_a_run_that_goes_on_has_one_log(wandb, tiny_config, tmp_path):
    trained(tiny_config, tmp_path / "run", 1)
    trained(tiny_config, tmp_path / "run", 2)
    first, second = wandb.runs
    assert second.options["id"] == first.id and second.options["resume"] == "allow"


def test_a_missing_package_is_one_sentence_before_training(monkeypatch, tiny_config, tmp_path):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match="WandbLog needs wandb; install it with: pip install wandb"):
        trained(tiny_config, tmp_path / "run", 1)
    assert not list((tmp_path / "run").glob("*.pth"))


def test_tensors_become_numbers(wandb, tmp_path):
    from i2ibench_plugins.wandb_log import WandbLog

    log = WandbLog(str(tmp_path / "a" / "b"))
    log.add_scalar("x", torch.tensor(0.5), step=7)
    assert wandb.runs[0].told == [(7, {"x": 0.5})]
    log.close()
    assert wandb.runs[0].ended
