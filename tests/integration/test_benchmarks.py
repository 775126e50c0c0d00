"""The benchmarks that open an editor or count on tensors without values still run."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_benchmarks_of_the_editor_and_of_memory_run():
    """Run each of them once; `make bench` measures them."""
    files = ["benchmarks/bench_editor.py", "benchmarks/bench_tiles.py"]
    options = ["--benchmark-disable", "-k", "editor or memory", "-o", "python_files=bench_*.py"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *files, *options],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
