"""Learning-rate schedules of the shipped configs against the released codes' formulas."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import LinearLR, OptimWrapper

SCHEDULES = Path(__file__).parents[2] / "configs" / "_base_" / "schedules"


def rates(name: str) -> list[float]:
    """The factor of the learning rate in each epoch, from the first."""
    config = Config.fromfile(SCHEDULES / name)
    optimizer = OptimWrapper(torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0))
    (options,) = config.param_scheduler
    assert options.pop("type") == "LinearLR"
    schedule = LinearLR(optimizer, **options)
    factors = []
    for _ in range(config.train_cfg.max_epochs):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return factors


def test_pix2pixhd_decays_after_one_more_epoch_and_never_trains_at_zero():
    """Epoch niter + k runs at 1 - (k - 1) / niter_decay, with 100 + 100 epochs."""
    expected = [1.0] * 100 + [1 - (k - 1) / 100 for k in range(1, 101)]
    assert rates("gan_200_epochs.py") == pytest.approx(expected)


def test_pix2pix_decays_at_once():
    """Epoch E runs at 1 - max(0, E - 100) / 101."""
    expected = [1 - max(0, epoch - 100) / 101 for epoch in range(1, 201)]
    assert rates("pix2pix_200_epochs.py") == pytest.approx(expected)
