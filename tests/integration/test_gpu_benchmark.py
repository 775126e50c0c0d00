"""The GPU's benchmark, tried on the CPU at toy size: its rows, their verdicts and its table."""

import math
from pathlib import Path

import pytest
import torch

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TOY = {"base_channels": 4, "num_downsamplings": 2, "num_blocks": 1}
EAGER = {"backend": "eager"}


@pytest.fixture
def modules(monkeypatch):
    """gpu_rows and bench_gpu, which are no part of the package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    monkeypatch.syspath_prepend(str(BENCHMARKS.parent))
    import bench_gpu
    import gpu_rows

    yield gpu_rows, bench_gpu
    torch._dynamo.reset()


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
def test_every_row_is_measured_and_told(modules, tmp_path, monkeypatch):
    rows, page = modules
    monkeypatch.setattr("systems.random_vgg19", tiny_features)
    bench, size = rows.Bench("cpu", runs=1, warm_up=1), (64, 32)
    system = rows.System(TOY, size, 1, 1.0, (1e9, 0.0, 0.0), (1, 2))
    found = rows.inference_rows(bench, TOY, size, 1.0, 1e9, {"fp32": None, "bf16 compiled": EAGER})
    found.append(rows.end_to_end_row(bench, TOY, size, 400.0, 1e9, EAGER))
    found += rows.step_rows(bench, system, EAGER)
    found.append(rows.peak_row(bench, system, 9.0))
    found.append(rows.curve_row(bench, tmp_path / "a", 4, size))
    found += rows.loader_rows(tmp_path / "b", size, 2, 0, 1, (0.0, 0.0))
    assert all(row.value > 0 for row in found if row.unit != "GiB")
    assert [math.isnan(row.value) for row in found if row.unit == "GiB"] == [True]
    reached = {row.what: page.verdict(row) for row in found}
    assert reached["synthesis 64x32, fp32"] == ""
    assert reached["synthesis 64x32, bf16 compiled"] == "yes"
    assert reached["end to end 64x32"] == "no"
    assert reached["best batch 64x32"] == reached["plain / ours 64x32, batch 1"] == "yes"
    text = page.as_markdown(found, "a device")
    assert text.count("\n| ") == len(found) + 1 and "a device; torch " in text


def tiny_features(name, taps, weights=None):
    from i2ibench.models.layers.imagenet_features import FeatureTaps

    layers = torch.nn.Sequential(*(torch.nn.Conv2d(3, 3, 1) for _ in range(max(taps) + 1)))
    return FeatureTaps(layers, taps)
