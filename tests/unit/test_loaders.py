"""Loaders: what their workers read ahead, and that it changes nothing."""

import pytest
import torch

from i2ibench.errors import UserError
from i2ibench.loaders import build_dataset, build_loader, check_loader


def options(**changes):
    return {"dataset": {"type": "PairedFolder"}, "batch_size": 2, **changes}


def test_reading_ahead_changes_no_batch(paired_root):
    configs = (options(), options(num_workers=2, prefetch=3))
    own, ahead = (
        build_loader(build_dataset(c, str(paired_root)), c, training=True) for c in configs
    )
    assert (own.prefetch_factor, ahead.prefetch_factor) == (None, 3)
    for one, two in zip(own, ahead, strict=True):
        assert one["name"] == two["name"] and torch.equal(one["image"], two["image"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prefetch": 0, "num_workers": 1}, "prefetch is an integer from 1 on, not 0"),
        ({"prefetch": 2}, "each worker reads ahead: num_workers=0"),
    ],
)
def test_what_cannot_be_read_ahead_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        check_loader(options(**changes))
