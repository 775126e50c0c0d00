"""The checkpoint of the epoch with the best validation score."""

import contextlib
import json
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from i2ibench.errors import UserError, near_match
from i2ibench.io.file_integrity import add_checksum, verify_checksum
from i2ibench.io.files import read_json, write_file, write_text
from i2ibench.io.progress import say

RECORD = "best.json"
"""The file in a run's folder that names the best epoch's checkpoint, its score and its value."""


class BestEpoch:
    """Keeps a copy of the best epoch's checkpoint in a run's folder as `best_epoch_N.pth`.

    The copy is a hard link where the file system has them. It outlives the deletion of old epochs.
    A run that is killed at any moment has either the earlier or the later copy, and a record that
    names it.

    Args:
        folder: the folder of the run.
        score: the name of the validation score, such as "seg/miou".
        directions: by score "higher" or "lower", whichever is better.

    Raises:
        UserError: the validation computes no such score.
    """

    def __init__(self, folder: Path, score: str, directions: Mapping[str, str]) -> None:
        if score not in directions:
            raise UserError(
                f"Checkpoints: best={score!r} is no score of the validation."
                f"{near_match(score, directions)} Scores: {', '.join(directions) or 'none'}. The "
                "protocol's `validation` names the metrics that a training computes."
            )
        self.folder, self.score = folder, score
        self._sign = 1 if directions[score] == "higher" else -1

    def offer(self, epoch: int, value: float, checkpoint: Path) -> None:
        """Keep an epoch's checkpoint if its score is better than the best so far.

        A score that is not finite is never better. Of equal scores the earlier epoch stays.

        Args:
            epoch: the number of the epoch.
            value: its score.
            checkpoint: its file, which stays as it is.
        """
        known = self.record()
        if known is not None:
            self._leave_only(str(known["file"]))  # an earlier call may have been killed
        if not math.isfinite(value):
            return
        if known is not None and self._sign * value <= self._sign * float(known["value"]):
            return
        kept = self.folder / f"best_epoch_{epoch:04d}.pth"
        if kept.exists():  # of an attempt that was killed, or of a run with another score
            kept.unlink()
        try:
            kept.hardlink_to(checkpoint)
        except OSError:
            write_file(kept, lambda aside: shutil.copyfile(checkpoint, aside))
        record = {"score": self.score, "value": value, "epoch": epoch, "file": kept.name}
        write_text(self.folder / RECORD, json.dumps(add_checksum(record), indent=2))
        self._leave_only(kept.name)

    def _leave_only(self, name: str) -> None:
        for path in self.folder.glob("best_epoch_*.pth"):
            if path.name != name:
                path.unlink()

    def record(self) -> dict[str, Any] | None:
        """Return score, value, epoch and file of the best epoch so far; None if there is none.

        A record of another score, one that is damaged, or one whose file is gone counts as none.
        """
        path = self.folder / RECORD
        if not path.is_file():
            return None
        with contextlib.suppress(UserError, ValueError, KeyError, TypeError):
            found = verify_checksum(read_json(path))
            if found["score"] == self.score and (self.folder / str(found["file"])).is_file():
                return found
            return None
        say(f"{path} is damaged; the best epoch is looked for anew.")
        return None
