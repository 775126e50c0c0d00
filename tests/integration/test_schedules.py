"""Warm-up by updates, a schedule for each optimiser, and clipping: runs that are stopped go on."""

import pytest

from i2ibench.inference.checkpoints import read_checkpoint
from i2ibench.reports.training_curves import read_scalars
from i2ibench.training.hooks.preemption import Preempted
from tests.integration.runs import SHORT, AskedAt, assert_same_end, run

WARM_UP = dict(type="LinearLR", start_factor=0.2, begin=0, end=4, by_epoch=False)
DECAY = dict(type="LinearLR", start_factor=1.0, end_factor=0.0, begin=1, end=3)


def options():
    """Made anew: mmengine takes `_delete_` out."""
    by_network = {"_delete_": True, "generator": [WARM_UP, DECAY], "discriminator": [DECAY]}
    clipped = {"optimizers.generator.clip_grad": {"max_norm": 0.01}}
    return {**SHORT, **clipped, "hooks.log.interval": 1, "param_scheduler": by_network}


def rates(work_dir, network):
    return [rate for _, rate in read_scalars(work_dir)[f"train/{network}.lr"]]


def test_a_run_with_warm_up_and_clipping_goes_on_bit_for_bit(tiny_config, tmp_path):
    """Three steps an epoch, asked to end after the second and the fifth."""
    run(tiny_config, tmp_path / "whole", **options())
    parts = tmp_path / "parts"
    for step in (2, 5):
        with pytest.raises(Preempted):
            run(tiny_config, parts, AskedAt(step), **options())
    run(tiny_config, parts, **options())
    assert_same_end(tmp_path / "whole", parts)
    by_updates = [0.2 + 0.8 * step / 3 for step in range(3)] + [1.0] * 3
    assert rates(parts, "generator") == pytest.approx([1e-3 * factor for factor in by_updates])
    assert rates(parts, "discriminator") == pytest.approx([1e-3] * 6)
    assert rates(parts, "generator") == rates(tmp_path / "whole", "generator")
    names = read_checkpoint(parts / "epoch_0002.pth")["param_schedulers"]
    assert {name: len(own) for name, own in names.items()} == {"generator": 2, "discriminator": 1}
