"""Synthesis beside the plain way, which keeps the graph and convolves the one-hot labels.

make bench
"""

import copy

import pytest
import torch
from side_by_side import in_turns
from systems import batch, translator

from i2ibench.inference import Inference, InferenceOptions

ROWS = {
    "synthesis fp32, 512x256, ngf 32": (None, (1.12, 1.3), 1e-4),
    "synthesis bf16 over fp32, 512x256, ngf 32": ("bf16", (1.75, 2.2), 0.02),
}


@pytest.mark.parametrize("row", ROWS)
def test_synthesis(benchmark, tmp_path, row):
    """Images of G1, equal to 1e-4, or in bf16 on average to 0.02."""
    precision, bars, close = ROWS[row]
    model = translator({"base_channels": 32}, num_scales=1).eval()
    prepared = batch(tmp_path, 512, 256)
    model.data_preprocessor.one_hot_channels = 35
    differences = (
        pictures(model, prepared, precision) - model(prepared["condition"]).detach()
    ).abs()
    found = differences.mean() if precision else differences.max()
    benchmark.extra_info["difference"] = float(found)
    assert found < close
    in_turns(
        benchmark,
        lambda: pictures(model, prepared, precision),
        lambda: model(prepared["condition"]),
        row, *bars, rounds=5,
    )  # fmt: skip


def test_compiled(benchmark, tmp_path):
    """The convolutions of G1 by torch.compile, without looking labels up, beside themselves."""
    plain = translator({"base_channels": 16}, num_scales=1).generator.eval()
    compiled = copy.deepcopy(plain)
    compiled.compile()
    condition = batch(tmp_path, 512, 256)["condition"]
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        assert (compiled(condition) - plain(condition)).abs().mean() < 0.02
        in_turns(
            benchmark,
            lambda: compiled(condition),
            lambda: plain(condition),
            "synthesis bf16 compiled, 512x256, ngf 16", 1, 1.2, rounds=7,
        )  # fmt: skip


@torch.inference_mode()
def pictures(model, prepared, precision):
    """As `paint` makes them, before they become 8-bit."""
    return Inference(model, InferenceOptions(precision)).images(prepared, None)
