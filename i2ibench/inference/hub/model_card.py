"""The card of a system: what it is, how to use it, its scores, its data and its limits."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from i2ibench.errors import UserError
from i2ibench.inference.checkpoints import OpenedCheckpoint
from i2ibench.io.files import read_json
from i2ibench.io.provenance import sha256

SCORES = {
    "seg/pixel_acc": "pixel accuracy", "seg/miou": "mean IoU", "edge/bf1": "boundary F1",
    "fid": "FID", "lpips_alex": "LPIPS (alex)", "lpips_vgg": "LPIPS (vgg)",
}  # fmt: skip
"""The scores that a card shows, as far as they were computed, and their titles."""


@dataclass(frozen=True)
class Licences:
    """What the publisher states.

    Attributes:
        weights: the identifier of the weights' licence on the hub, such as "apache-2.0".
        data: a sentence about the licence of the training data and what it allows.
    """

    weights: str
    data: str


def model_card(
    opened: OpenedCheckpoint, repository: str, licences: Licences, images: Sequence[str]
) -> str:
    """Return the README.md of a system on the hub.

    Args:
        opened: the checkpoint.
        repository: the name on the hub, such as "lab/streets".
        licences: the licences that the publisher states.
        images: the names of image files in the repository, which are shown.
    """
    translator = opened.translator
    parameters = sum(p.numel() for p in translator.parameters()) / 1e6
    classes, data = ", ".join(opened.metainfo["classes"]), opened.metainfo["dataset"]
    needs = " and ".join(f"{kind} map" for kind in translator.data_preprocessor.needs)
    shown = "\n".join(f"![{name}]({name})" for name in images)
    return f"""---
license: {json.dumps(licences.weights)}
library_name: i2ibench
pipeline_tag: image-to-image
tags: [i2ibench, paired-image-translation, {type(translator).__name__}]
---

# {repository}

{type(translator).__name__} of {parameters:.1f} million parameters, trained on {data} with
i2ibench. It translates a {needs} to an image.

{shown}

## Use

```python
import i2ibench

model = i2ibench.load("{repository}")
image = model("label.png", "instance.png")
```

`i2ibench edit {repository}` opens the interactive editor. Loading runs no code of this
repository: the weights are safetensors, the rest is JSON.

Classes: {classes}.

## Scores

{_scores(opened.path)}

## Data and licence

{licences.data}

## Intended use and limits

Research on image synthesis, and synthetic images of scenes like those of the training data. The
images are not evidence of anything real. Label maps unlike those of the training data give poor
images, and what the data lacks or shows unequally, the images lack and show unequally, too.
"""


def _scores(checkpoint: Path) -> str:
    """Return the table of the results beside a checkpoint that are of this very file."""
    for folder in (checkpoint.parent, checkpoint.parent / "evaluation"):
        path = folder / "results.json"
        if path.is_file():
            try:
                table = _table(read_json(path), sha256(checkpoint))
            except (UserError, KeyError, TypeError, AttributeError):
                continue
            if table:
                return table
    return "No evaluation of this file was at hand."


def _table(results: Mapping[str, Any], digest: str) -> str:
    own = [name for name, one in results["origins"].items() if one.get("sha256") == digest]
    if not own:
        return ""
    rows = [*own, *results["controls"]]
    known = [s for s in SCORES if any("value" in results["systems"][r].get(s, {}) for r in rows)]
    titles = " | ".join(SCORES[name] for name in known)
    lines = [f"| system | {titles} |", "|---" * (len(known) + 1) + "|"]
    for row in rows:
        values = (results["systems"][row].get(s, {}).get("value") for s in known)
        cells = " | ".join("–" if value is None else f"{value:.3f}" for value in values)
        lines.append(f"| {row} | {cells} |")
    protocol, number = results["protocol"], results["data"]["scenes"]
    lines.append("")
    lines.append(f"{number} scenes, protocol {protocol['name']} {protocol['sha256'][:12]}.")
    return "\n".join(lines)
