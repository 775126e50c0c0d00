"""The card of a system: what it is, how to use it, its scores, its data and its limits."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from i2ibench.inference.checkpoints import OpenedCheckpoint
from i2ibench.inference.stored_results import MAIN_SCORES, stored_results


@dataclass(frozen=True)
class Licences:
    """The licences that the publisher of a system states.

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
    """Return the table of the results that are stored for a checkpoint."""
    table, results = stored_results(checkpoint)
    if not table:
        return "No evaluation of this file was at hand."
    known = [score for score in MAIN_SCORES if any(score in row for row in table.values())]
    titles = " | ".join(MAIN_SCORES[score] for score in known)
    lines = [f"| system | {titles} |", "|---" * (len(known) + 1) + "|"]
    for name, row in table.items():
        cells = " | ".join(f"{row[score]:.3f}" if score in row else "–" for score in known)
        lines.append(f"| {name} | {cells} |")
    protocol, number = results["protocol"], results["data"]["scenes"]
    lines += ["", f"{number} scenes, protocol {protocol['name']} {protocol['sha256'][:12]}."]
    return "\n".join(lines)
