"""What watches over losses that are not finite."""

import pytest

from i2ibench.errors import UserError
from i2ibench.training.hooks import SkipNonFinite, StopAtNonFinite
from i2ibench.training.stage import build_hooks


def kinds(**cfg):
    return [type(hook) for hook in build_hooks(cfg)]


def test_a_run_stops_at_such_a_loss_unless_its_config_says_otherwise():
    assert kinds() == [StopAtNonFinite]
    assert kinds(nan={"type": "SkipNonFinite"}) == [SkipNonFinite]
    assert kinds(non_finite={"type": "StopAtNonFinite", "interval": 5}) == [StopAtNonFinite]
    assert kinds(non_finite=None) == []


@pytest.mark.parametrize("options", [{"patience": 0}, {"interval": 0}])
def test_numbers_below_one_are_refused(options):
    with pytest.raises(UserError, match="not 0"):
        SkipNonFinite(**options)
    with pytest.raises(UserError, match="must be at least 1, not 0"):
        StopAtNonFinite(interval=0)
