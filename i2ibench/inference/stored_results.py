"""The results that an evaluation has stored for a checkpoint."""

from pathlib import Path
from typing import Any

from i2ibench.errors import UserError
from i2ibench.io.files import read_json
from i2ibench.io.provenance import sha256

MAIN_SCORES = {
    "seg/pixel_acc": "pixel accuracy", "seg/miou": "mean IoU", "edge/bf1": "boundary F1",
    "fid": "FID", "lpips_alex": "LPIPS (alex)", "lpips_vgg": "LPIPS (vgg)",
}  # fmt: skip
"""The scores that a system shows of itself, as far as they were computed, and their titles."""

Table = dict[str, dict[str, float]]


def stored_results(checkpoint: Path) -> tuple[Table, dict[str, Any]]:
    """Return the main scores of a checkpoint's systems and of the controls, and the whole results.

    `results.json` is looked for beside the checkpoint and in evaluation/ beside it. Only results
    whose hash is that of the file count. The checkpoint's own systems come first, that with sampled
    styles before that with the photo's. Both are {} without readable results.
    """
    for folder in (checkpoint.parent, checkpoint.parent / "evaluation"):
        path = folder / "results.json"
        if not path.is_file():
            continue
        try:
            results = read_json(path)
            table = _main_scores(results, sha256(checkpoint))
        except (UserError, KeyError, TypeError, AttributeError):
            continue
        if table:
            return table, results
    return {}, {}


def _main_scores(results: dict[str, Any], digest: str) -> Table:
    own = [name for name, one in results["origins"].items() if one.get("sha256") == digest]
    rows = [*own, *results["controls"]] if own else []
    return {row: _numbers(results["systems"][row]) for row in rows}


def _numbers(scores: dict[str, Any]) -> dict[str, float]:
    values = {name: scores.get(name, {}).get("value") for name in MAIN_SCORES}
    return {name: float(v) for name, v in values.items() if isinstance(v, int | float)}
