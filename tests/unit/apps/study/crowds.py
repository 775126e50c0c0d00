"""Studies in memory for tests."""

from pathlib import Path

from i2ibench.apps.study.define.definition import read_definition
from i2ibench.apps.study.define.study import Study


def study_of(methods=("ours", "crn", "photos"), scenes=30, **changes):
    content = {
        "title": "Streets", "methods": {m: {"images": m} for m in methods}, "per_pair": 6,
        "seed": 5, **changes,
    }  # fmt: skip
    names = [f"scene_{number:03d}" for number in range(scenes)]
    definition = read_definition(content, "study.py")
    return Study(Path("x"), definition, names, methods[-1], "s", {}, (8, 8), "2026-11-23")
