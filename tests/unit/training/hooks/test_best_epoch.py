"""The best epoch's checkpoint outlives the newest ones."""

import json
import math
from pathlib import Path

import pytest

from i2ibench.errors import UserError
from i2ibench.training.hooks.best_epoch import RECORD, BestEpoch

WAYS = {"seg/miou": "higher", "lpips_alex": "lower"}


def offer(folder, epoch, value, score="seg/miou"):
    file = folder / f"epoch_{epoch:04d}.pth"
    file.write_bytes(b"weights of %d" % epoch)
    BestEpoch(folder, score, WAYS).offer(epoch, value, file)
    file.unlink()


def kept(folder):
    (path,) = folder.glob("best_epoch_*.pth")
    return path.name, path.read_bytes()


@pytest.mark.parametrize(
    ("score", "values", "best"),
    [("seg/miou", [0.2, 0.5, 0.5, 0.1, math.nan], 2), ("lpips_alex", [0.5, 0.3, math.nan, 0.4], 2)],
)
def test_the_best_stays_in_the_direction_of_its_score(tmp_path, score, values, best):
    for epoch, value in enumerate(values, start=1):
        offer(tmp_path, epoch, value, score)
    assert kept(tmp_path) == (f"best_epoch_{best:04d}.pth", b"weights of %d" % best)
    assert BestEpoch(tmp_path, score, WAYS).record()["epoch"] == best


def test_without_hard_links_the_file_is_copied(tmp_path, monkeypatch):
    def refused(*_):
        raise OSError("no hard links here")

    monkeypatch.setattr(Path, "hardlink_to", refused)
    offer(tmp_path, 1, 0.5)
    assert kept(tmp_path) == ("best_epoch_0001.pth", b"weights of 1")


@pytest.mark.parametrize("step", ["hardlink_to", "write_text", "unlink"])
def test_a_kill_at_any_moment_leaves_a_record_that_names_a_whole_file(tmp_path, monkeypatch, step):
    offer(tmp_path, 1, 0.2)
    with monkeypatch.context() as patch:

        def killed(*_, **__):
            raise KeyboardInterrupt

        if step == "write_text":
            patch.setattr("i2ibench.training.hooks.best_epoch.write_text", killed)
        else:
            patch.setattr(Path, step, killed)
        with pytest.raises(KeyboardInterrupt):
            offer(tmp_path, 2, 0.5)
    record = BestEpoch(tmp_path, "seg/miou", WAYS).record()
    assert (tmp_path / record["file"]).read_bytes() == b"weights of %d" % record["epoch"]
    offer(tmp_path, 2, 0.5)  # the epoch is validated again
    assert kept(tmp_path)[0] == "best_epoch_0002.pth"


def test_damaged_records_and_other_scores_are_no_best(tmp_path, capsys):
    offer(tmp_path, 1, 0.9)
    record = json.loads((tmp_path / RECORD).read_text())
    (tmp_path / RECORD).write_text(json.dumps({**record, "value": 0.95}))
    assert BestEpoch(tmp_path, "seg/miou", WAYS).record() is None
    assert "is damaged" in capsys.readouterr().err
    offer(tmp_path, 2, 0.3)
    assert kept(tmp_path)[0] == "best_epoch_0002.pth"
    assert BestEpoch(tmp_path, "lpips_alex", WAYS).record() is None
    (tmp_path / "best_epoch_0002.pth").unlink()
    assert BestEpoch(tmp_path, "seg/miou", WAYS).record() is None


def test_an_unknown_score_is_refused_with_those_there_are(tmp_path):
    message = r"best='seg/mioo' is no score.*Did you mean 'seg/miou'\? Scores: seg/miou, lpips_alex"
    with pytest.raises(UserError, match=message):
        BestEpoch(tmp_path, "seg/mioo", WAYS)
