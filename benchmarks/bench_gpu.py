"""Synthesis, steps, memory, losses and loading on a GPU, each beside its floor and bar.

    pytest benchmarks/bench_gpu.py -o python_files='bench_*.py' -s

Skipped without one. Writes benchmarks/results/<date>-gpu.md, or the file that $I2IBENCH_GPU_TABLE
names. Floors are of an H200 (790 TFLOP/s in bf16, 4.3 TB/s), with everything fused.
"""

import os
import platform
from datetime import date
from pathlib import Path

import pytest
import torch
from gpu_rows import (
    Bench,
    System,
    curve_row,
    end_to_end_row,
    inference_rows,
    loader_rows,
    peak_row,
    step_rows,
)

import i2ibench

COMMAND = "pytest benchmarks/bench_gpu.py -o python_files='bench_*.py'"
RESULTS = Path(__file__).parent / "results"
GRAPHS = {"mode": "reduce-overhead"}
WAYS = {"fp32": None, "bf16": None, "bf16 compiled": {}, "bf16 compiled, CUDA graphs": GRAPHS}

SYNTHESIS = {
    (1024, 512): ({}, 1.24, 3.0),
    (2048, 1024): ({"base_channels": 32, "num_enhancers": 1}, 1.9, 8.0),
    (4096, 2048): ({"base_channels": 16, "num_enhancers": 2}, 2.9, 20.0),
}
SYSTEMS = {
    (1024, 512): System({}, (1024, 512), 2, 5.7, (20, 70, 1.8)),
    (2048, 1024): System({"base_channels": 32, "num_enhancers": 1}, (2048, 1024), 3, 13.6,
                         (50, 28, 1.7), (1, 2, 4, 8)),
}  # fmt: skip


@pytest.fixture(scope="module")
def table():
    """Takes rows; written at the end, whatever has failed on the way."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    torch.backends.cudnn.benchmark = True
    rows = []
    yield rows
    default = RESULTS / f"{date.today()}-gpu.md"
    path = Path(os.environ.get("I2IBENCH_GPU_TABLE", default))
    path.write_text(as_markdown(rows, torch.cuda.get_device_name()), encoding="utf-8")


def as_markdown(rows, device_name):
    """One table of all rows, and what they were measured with."""
    versions = f"torch {torch.__version__}, CUDA {torch.version.cuda}, cuDNN "
    versions += f"{torch.backends.cudnn.version()}, Python {platform.python_version()}, "
    versions += f"i2ibench {i2ibench.__version__}"
    lines = [f"# GPU, {date.today()}", "", f"{device_name}; {versions}.", "", f"    {COMMAND}", ""]
    lines += ["| what | measured | unit | floor | bar | reached |", "|---|---|---|---|---|---|"]
    for row in rows:
        cells = [row.what, f"{row.value:.3g}", row.unit, shown(row.floor), shown(row.bar)]
        lines.append("| " + " | ".join([*cells, verdict(row)]) + " |")
    return "\n".join(lines) + "\n"


def shown(figure):
    return "" if figure is None else f"{figure:g}"


def verdict(row):
    """Rates and ratios are to be above their bar, times and sizes below."""
    if row.bar is None:
        return ""
    above = row.unit.endswith("/s") or row.unit == "x"
    return "yes" if (row.value >= row.bar if above else row.value <= row.bar) else "no"


@pytest.mark.parametrize("size", SYNTHESIS)
def test_synthesis(table, size):
    table.extend(
        inference_rows(Bench("cuda"), SYNTHESIS[size][0], size, *SYNTHESIS[size][1:], WAYS)
    )


def test_end_to_end(table):
    generator = SYNTHESIS[2048, 1024][0]
    table.append(end_to_end_row(Bench("cuda"), generator, (2048, 1024), 400.0, 60.0, GRAPHS))


@pytest.mark.parametrize("size", SYSTEMS)
def test_steps(table, size):
    table.extend(step_rows(Bench("cuda", runs=10), SYSTEMS[size], {}))


def test_peak(table):
    table.append(peak_row(Bench("cuda"), SYSTEMS[2048, 1024], 9.0))


def test_losses(table, tmp_path):
    table.append(curve_row(Bench("cuda"), tmp_path, 200))


def test_loader(table, tmp_path):
    workers = min(os.cpu_count() or 1, 16)
    table.extend(loader_rows(tmp_path, (1024, 512), 256, workers, 8, (300.0, 120.0)))
