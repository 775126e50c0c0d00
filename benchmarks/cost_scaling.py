"""How cost grows: time and memory over pixels, batch, instances, images, epochs and processes.

python benchmarks/cost_scaling.py [OUTPUT_DIR] [--quick]

Writes cost_scaling.json, cost_scaling.md and a plot for each part; without OUTPUT_DIR to
benchmarks/results/cost_scaling. Times are of the process's CPU on one thread; sizes take turns, and
the median of the rounds counts. Memory is counted: tensors that live at once, whatever the
allocator keeps. Exponents are slopes of least squares through the logarithms; the interval is of
single rounds. `--quick` runs two small sizes of everything, whose figures say nothing.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

import torch
from scaling_parts import data, evaluation, ranks, synthesis, training
from scaling_parts.curves import Plan
from scaling_parts.plots import drawn

from i2ibench.io.files import write_file, write_text
from i2ibench.io.provenance import commit, devices, versions
from i2ibench.registry.mmengine_workarounds import silence_third_parties

PARTS = {
    "training": training.curves, "synthesis": synthesis.curves, "data": data.curves,
    "evaluation": evaluation.curves, "ranks": ranks.curves,
}  # fmt: skip
RESULTS = Path(__file__).parent / "results" / "cost_scaling"


def measure(output, quick=False):
    """Measure every part and write its plot, then the table of all; gives the curves by part."""
    found = {}
    begin = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        for name, curves in PARTS.items():
            own = Path(folder) / name
            own.mkdir()
            found[name] = list(curves(Plan(own, quick)))
            png = drawn(found[name])
            print(f"{name}: {time.process_time() - begin:.0f} s of CPU so far", flush=True)
            write_file(output / f"{name}.png", lambda aside, png=png: aside.write_bytes(png))
    facts = {"commit": commit(), "versions": versions(), "devices": devices(), "quick": quick,
             "CPU seconds": round(time.process_time() - begin)}  # fmt: skip
    listed = {name: [curve.facts() for curve in curves] for name, curves in found.items()}
    write_text(output / "cost_scaling.json", json.dumps(facts | listed, indent=1))
    write_text(output / "cost_scaling.md", table(found))
    return found


def table(found):
    """All curves as Markdown."""
    lines = ["| cost | over | from | to | exponent | rounds | growth | asked | |",
             "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"]  # fmt: skip
    for curves in found.values():
        for curve in curves:
            low, high = curve.exponents
            first, *_, last = curve.sizes.values()
            cells = [f"{curve.panel}, {curve.name}, {curve.cost}", curve.size, first, last,
                     f"{curve.exponent:.2f}", f"{low:.2f} to {high:.2f}", f"{curve.growth:.2f}",
                     curve.asked, curve.verdict if curve.bar else curve.origin]  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, nargs="?", default=RESULTS)
    parser.add_argument("--quick", action="store_true", help="two small sizes of everything")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # of processes that are started
    torch.set_num_threads(1)
    silence_third_parties()
    print(table(measure(options.output, options.quick)))
    print(f"written to {options.output}")


if __name__ == "__main__":
    main()
