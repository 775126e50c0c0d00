"""Which processor is chosen; Apple's is imitated, so that only the choice is tested."""

import argparse

import pytest
import torch

from i2ibench.cli.arguments import add_device_argument
from i2ibench.io import devices
from i2ibench.io.devices import best_device, most_precise_dtype


@pytest.mark.parametrize(
    ("cuda", "mps", "best"),
    [(True, True, "cuda"), (True, False, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_nvidias_is_taken_before_apples_before_the_cpu(monkeypatch, cuda, mps, best):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert devices.best_device() == best
    parser = argparse.ArgumentParser()
    add_device_argument(parser)
    assert parser.parse_args([]).device == best


def test_only_apples_lacks_float64():
    assert most_precise_dtype(torch.device("mps")) == torch.float32
    assert (
        most_precise_dtype(torch.device("cpu"))
        == most_precise_dtype(torch.device("cuda", 1))
        == torch.float64
    )


def test_mmengine_chooses_the_same():
    from mmengine.device import get_device

    assert get_device() == best_device()
