"""The traps that compat.py and its neighbours work around are still there.

A failure here is good news: remove the work-around.
"""

import inspect

import pytest
import torch
from mmengine.dist import utils
from mmengine.optim import AmpOptimWrapper
from mmengine.runner import Runner

from i2ibench.compat import process_group
from i2ibench.errors import UserError


def test_mmengines_amp_wrapper_refuses_the_cpu():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    if not torch.cuda.is_available():
        with pytest.raises(AssertionError):
            AmpOptimWrapper(optimizer=optimizer)


def test_mmengines_launcher_needs_cuda():
    assert "torch.cuda.set_device" in inspect.getsource(utils._init_dist_pytorch)


def test_mmengines_resume_does_not_restore_random_numbers():
    assert "set_rng_state" not in inspect.getsource(Runner.resume)


def test_a_launcher_that_is_none_or_has_no_environment_is_refused(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(UserError, match="one of none, pytorch"), process_group("torch"):
        pass
    with pytest.raises(UserError, match="torchrun"), process_group("pytorch"):
        pass
