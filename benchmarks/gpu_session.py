"""Everything that only a GPU shows, in one bounded session: tests, a training run, the benchmark.

    python benchmarks/gpu_session.py OUT [SECONDS]

OUT gets a log of every step, the benchmark's table, and the run with its report. Nothing is
installed: what a step lacks is said in its log and in the summary. Each step may take what is left
of SECONDS (480); it is then asked to end, so that the benchmark writes what it has measured. On a
machine without a GPU the tests and the benchmark skip themselves, and the run is a short one on the
CPU. Exit code 1 if a step failed or was cut off.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
CONFIG = "configs/pix2pixhd_toystreet.py"
GRACE = 20
"""Seconds that a step has for ending, once it was asked to."""


def main() -> None:
    """Run the steps and print one line for each."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "gpu_session").resolve()
    limit = time.monotonic() + float(sys.argv[2] if len(sys.argv) > 2 else 480)
    out.mkdir(parents=True, exist_ok=True)
    on_gpu = torch.cuda.is_available()
    device = torch.cuda.get_device_name() if on_gpu else "no CUDA device: tests and benchmark skip"
    print(f"{device}; torch {torch.__version__}; logs in {out}", flush=True)
    failed = 0
    for name, share, arguments in steps(out, on_gpu):
        left = limit - time.monotonic() - GRACE
        code = run(arguments, out, name, max(left * share, 1))
        failed += code != 0
        print(f"{name:10} {verdict(code)}  {last_line(out / f'{name}.txt')}", flush=True)
    sys.exit(bool(failed))


def steps(out: Path, on_gpu: bool) -> list[tuple[str, float, list[str]]]:
    """Return name, share of the time that is left, and Python arguments of every step."""
    scenes, epochs = (400, 3) if on_gpu else (8, 1)
    dataset = f"train_dataloader.dataset.num_scenes={scenes}"
    validation = f"val_dataloader.dataset.num_scenes={max(scenes // 8, 2)}"
    options = ["--work-dir", str(out / "run"), "--cfg-options", f"data_root={out / 'toystreet'}",
               dataset, validation, f"train_cfg.max_epochs={epochs}"]  # fmt: skip
    pytest = ["-m", "pytest", "-p", "no:cacheprovider", "-rs"]
    bench = [*pytest, "benchmarks/bench_gpu.py", "-o", "python_files=bench_*.py", "-s"]
    return [
        ("tests", 0.4, [*pytest, "tests/gpu"]),
        ("data", 0.4, ["-m", "i2ibench.cli", "prepare_data", CONFIG, *options[2:]]),
        ("training", 0.6, ["-m", "i2ibench.cli", "train", CONFIG, *options]),
        ("evaluation", 0.4, ["-m", "i2ibench.cli", "eval", CONFIG, *options]),
        ("benchmark", 1.0, bench),
    ]


def run(arguments: list[str], out: Path, name: str, seconds: float) -> int | None:
    """Return a step's exit code; None if it was cut off."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONIOENCODING": "utf-8",
        "I2IBENCH_GPU_TABLE": str(out / "gpu.md"),
        "I2IBENCH_CACHE": str(out / "cache"),
    }
    with (out / f"{name}.txt").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)  # pytest ends its fixtures, which write the table
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return None


def verdict(code: int | None) -> str:
    """Return a step's end in a word or two."""
    return "cut off" if code is None else "done" if code == 0 else f"code {code}"


def last_line(log: Path) -> str:
    """Return the last line of a log that says something."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


if __name__ == "__main__":
    main()
