"""Checkpoints in half precision: a fraction of the size, nearly the same images."""

import pytest
import torch

from i2ibench.inference.checkpoints import open_checkpoint, read_checkpoint
from i2ibench.io.provenance import sha256
from tests.integration.runs import SHORT, command, refusal, run


@pytest.fixture
def checkpoint(tiny_config, tmp_path):
    average = {"hooks__average": {"type": "ExponentialMovingAverage"}}
    return run(tiny_config, tmp_path / "run", **SHORT, **average) / "epoch_0002.pth"


def test_a_small_checkpoint_translates_as_the_averaged_weights_do(checkpoint, tmp_path, capsys):
    target = tmp_path / "new" / "small.pth"
    command("convert", checkpoint, target)
    assert "MiB" in capsys.readouterr().out
    assert target.stat().st_size < checkpoint.stat().st_size / 4
    before, after = open_checkpoint(checkpoint), open_checkpoint(target)
    assert before.averaged and not after.averaged
    assert read_checkpoint(target)["meta"]["half_of"] == sha256(checkpoint)
    weights = after.translator.state_dict()
    for name, value in before.translator.state_dict().items():
        torch.testing.assert_close(weights[name], value, atol=1e-4, rtol=1e-3, equal_nan=True)
    for name in ("centres", "counts"):
        one, other = (getattr(o.translator.style_bank, name) for o in (before, after))
        torch.testing.assert_close(other, one, rtol=0, atol=0, equal_nan=True)


def test_no_training_goes_on_from_it(checkpoint, tmp_path):
    command("convert", checkpoint, tmp_path / "small.pth")
    assert read_checkpoint(tmp_path / "small.pth").keys() == {"config", "meta", "state_dict"}


def test_a_checkpoint_is_not_written_over_itself_and_wide_weights_are_refused(
    checkpoint, tmp_path, capsys
):
    assert "is the checkpoint itself" in refusal(capsys, "convert", checkpoint, checkpoint)
    saved = torch.load(checkpoint, weights_only=True)
    del saved["ema_state_dict"]
    saved["state_dict"]["generator.head.1.weight"].fill_(1e6)
    torch.save(saved, tmp_path / "wide.pth")
    said = refusal(capsys, "convert", tmp_path / "wide.pth", tmp_path / "small.pth")
    assert "generator.head.1.weight with values up to 1e+06" in said
    assert not (tmp_path / "small.pth").exists()
