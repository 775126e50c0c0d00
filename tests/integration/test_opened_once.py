"""Nothing is built or opened twice on the way into training, and nothing is kept longer."""

import functools
import gc
import weakref
from collections import Counter
from pathlib import Path

import pytest
import torch

from i2ibench.cli.main import main
from i2ibench.data.datasets.paired_folder import PairedFolder
from i2ibench.evaluation.metrics.segmentation import SegmentationScores
from i2ibench.io import file_integrity as checksums
from i2ibench.models.discriminators.multi_scale import MultiScaleDiscriminator
from i2ibench.models.generators.coarse_to_fine import CoarseToFineGenerator
from i2ibench.training.hooks import Checkpoints, Preempted
from i2ibench.training.stage import Stage
from tests.integration.runs import SHORT, AskedAt, assert_same_end, run

STAGES = """
stages = dict(
    first=dict(model=dict(generator=dict(num_enhancers=0, base_channels=8)),
               train_cfg=dict(max_epochs=1)),
    second=dict(train_cfg=dict(max_epochs=2)),
)
"""


@pytest.fixture
def staged_config(tiny_config):
    tiny_config.write_text(tiny_config.read_text() + STAGES)
    return tiny_config


@pytest.fixture
def built(monkeypatch):
    """How often each part was constructed."""
    counts = Counter()

    def counted(part):
        construct = part.__init__

        @functools.wraps(construct)
        def counting(self, *arguments, **options):
            counts[part.__name__] += type(self) is part
            construct(self, *arguments, **options)

        monkeypatch.setattr(part, "__init__", counting)

    for part in (PairedFolder, CoarseToFineGenerator, MultiScaleDiscriminator, torch.optim.Adam,
                 Checkpoints, SegmentationScores):  # fmt: skip
        counted(part)
    return counts


@pytest.fixture
def opened(monkeypatch):
    """How often each checkpoint was loaded, and how often its checksums were compared."""
    counts = {"loads": Counter(), "checksums": Counter()}
    load, compare = torch.load, checksums._find_damage

    def loading(path, *arguments, **options):
        counts["loads"][Path(path).name] += 1
        return load(path, *arguments, **options)

    def comparing(path):
        counts["checksums"][path.name] += 1
        return compare(path)

    monkeypatch.setattr(torch, "load", loading)
    monkeypatch.setattr(checksums, "_find_damage", comparing)
    return counts


def test_every_part_of_every_stage_is_built_once(staged_config, tmp_path, built):
    run(staged_config, tmp_path / "run", hooks__images=None)
    assert built == {
        "PairedFolder": 4,  # for training and for validation
        "CoarseToFineGenerator": 2,
        "MultiScaleDiscriminator": 2,
        "Adam": 4,
        "Checkpoints": 2,
        "SegmentationScores": 2,
    }


def test_a_stopped_run_reads_its_checkpoint_once_and_ends_equal(tiny_config, tmp_path, opened):
    run(tiny_config, tmp_path / "whole", **SHORT)
    with pytest.raises(Preempted), AskedAt(4) as asked:
        run(tiny_config, tmp_path / "parts", asked, **SHORT)
    opened["loads"].clear(), opened["checksums"].clear()
    run(tiny_config, tmp_path / "parts", **SHORT)
    assert opened["loads"] == opened["checksums"] == {"interrupted.pth": 1}
    assert_same_end(tmp_path / "whole", tmp_path / "parts")


def test_the_command_reads_the_checkpoint_of_a_finished_run_once(
    tiny_config, tmp_path, opened, capsys
):
    arguments = [
        "train",
        str(tiny_config),
        "--work-dir",
        str(tmp_path / "run"),
        "--cfg-options",
        "protocol=None",
    ]
    main(None, arguments)
    assert capsys.readouterr().out.startswith("trained: ")
    opened["loads"].clear(), opened["checksums"].clear()
    main(None, arguments)
    assert capsys.readouterr().out.startswith("already trained: ")
    assert opened["loads"] == opened["checksums"] == {"epoch_0002.pth": 1}


def test_the_checkpoint_of_a_stage_is_read_once_for_the_next(staged_config, tmp_path, opened):
    run(staged_config, tmp_path / "run", **SHORT)
    assert opened["loads"] == {"epoch_0001.pth": 1}


def test_a_stage_is_let_go_when_it_is_trained(staged_config, tmp_path, monkeypatch):
    alive, built = [], []
    construct, begin = Stage.__init__, Checkpoints.before_train

    def constructing(self, *arguments):
        construct(self, *arguments)
        built.append(weakref.ref(self.translator))

    def beginning(hook, runner):
        gc.collect()
        alive.append([translator() is not None for translator in built])
        begin(hook, runner)

    monkeypatch.setattr(Stage, "__init__", constructing)
    monkeypatch.setattr(Checkpoints, "before_train", beginning)
    run(staged_config, tmp_path / "run", **SHORT)
    assert alive == [[True, True], [False, True]]
