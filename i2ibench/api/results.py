"""Scores that an evaluation has written for a checkpoint."""

from pathlib import Path

from i2ibench.errors import UserError
from i2ibench.io.files import read_json
from i2ibench.io.provenance import sha256

SHOWN = ("seg/pixel_acc", "seg/miou", "edge/bf1", "fid", "lpips_vgg", "lpips_alex")
"""The scores that a model shows of itself, as far as they were computed."""


def scores_of(checkpoint: Path) -> dict[str, float]:
    """Return the scores of a checkpoint by name, from results.json beside it or in evaluation/.

    Only results whose hash is that of the file count. The first of the file's systems is taken,
    that with sampled styles. The result is {} if there are none, or the file cannot be read.
    """
    for folder in (checkpoint.parent, checkpoint.parent / "evaluation"):
        path = folder / "results.json"
        if not path.is_file():
            continue
        try:
            results = read_json(path)
            hashes = {name: one.get("sha256") for name, one in results["origins"].items()}
            own = [name for name, value in hashes.items() if value == sha256(checkpoint)]
            table = results["systems"][own[0]] if own else {}
        except (UserError, KeyError, TypeError, AttributeError):
            continue
        found = {n: table[n].get("value") for n in SHOWN if n in table}
        if found:
            return {name: float(v) for name, v in found.items() if isinstance(v, int | float)}
    return {}
