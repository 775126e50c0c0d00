"""Shared fixtures: a tiny paired data set on disk, and a tiny config that trains on it."""

import itertools
import os
from pathlib import Path

import pytest
import torch

from i2ibench.evaluation.segmenters.compact import CompactSegmenter
from i2ibench.testing.tiny_datasets import write_paired_scenes

# For working trees that were installed before the package named it among its entry points.
pytest_plugins = ["i2ibench.testing.pytest_plugin"]
NUMBERS = itertools.count()

# Networks are tiny here: more threads would mostly wait for each other, in commands even more so.
os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def _no_cache_of_the_users(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("I2IBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
        yield


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.getbasetemp() / f"cache-{next(NUMBERS)}"
    monkeypatch.setenv("I2IBENCH_CACHE", str(folder))


@pytest.fixture
def paired_root(tmp_path: Path) -> Path:
    """Six scenes of 64x32 with labels, 16-bit instances and photos that follow the labels."""
    return write_paired_scenes(tmp_path / "paired", count=6)


TINY_CONFIG = """
model = dict(
    type="PairedTranslator",
    generator=dict(
        type="CoarseToFineGenerator", base_channels=4, num_enhancers=1, num_downsamplings=2,
        num_blocks=1, num_enhancer_blocks=1,
    ),
    discriminator=dict(type="MultiScaleDiscriminator", num_scales=2, base_channels=4, num_layers=2),
    encoder=dict(type="InstanceEncoder", base_channels=4, num_downsamplings=1),
    adversarial=dict(type="LeastSquaresGAN"),
    losses=dict(feature_matching=dict(type="FeatureMatching", weight=10.0)),
)
data_root = {root!r}
data_preprocessor = dict(type="LabelPreprocessor")
train_dataloader = dict(
    dataset=dict(type="PairedFolder", split="train", transforms=[dict(type="RandomFlip")]),
    batch_size=2,
)
val_dataloader = dict(dataset=dict(type="PairedFolder", split="val"), batch_size=2)
protocol = dict(
    type="own",
    segmenter=dict(type="CompactSegmenter", base_channels=4, weights={segmenter!r}),
    samples=2,
)
optimizers = dict(
    generator=dict(type="Adam", lr=1e-3, betas=(0.5, 0.999)),
    discriminator=dict(type="Adam", lr=1e-3, betas=(0.5, 0.999)),
)
param_scheduler = [dict(type="LinearLR", start_factor=1.0, end_factor=0.0, begin=2, end=5)]
train_cfg = dict(max_epochs=2, val_interval=1)
hooks = dict(
    log=dict(type="TrainingLog", interval=2),
    images=dict(type="ValidationImages", num_scenes=2),
    styles=dict(type="FitStyleBank"),
    checkpoints=dict(type="Checkpoints"),
)
vis_backends = [dict(type="LocalVisBackend")]
"""


@pytest.fixture
def tiny_config(tmp_path: Path, paired_root: Path) -> Path:
    """A config file of the full system at toy width on the paired scenes."""
    return write_tiny_config(tmp_path / "tiny.py", paired_root)


def write_tiny_config(path: Path, root: Path) -> Path:
    """The config, and beside it the weights of a random segmenter."""
    segmenter = path.parent / "segmenter.pth"
    torch.save(CompactSegmenter(num_classes=3, base_channels=4).state_dict(), segmenter)
    path.write_text(TINY_CONFIG.format(root=str(root), segmenter=str(segmenter)))
    return path
