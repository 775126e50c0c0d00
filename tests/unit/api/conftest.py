"""A system that was trained for a few steps, and scenes of its data."""

import pytest
import torch

import i2ibench
from i2ibench.testing.tiny_datasets import write_paired_scenes
from tests.conftest import write_tiny_config


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    config = write_tiny_config(folder / "tiny.py", write_paired_scenes(folder / "paired", count=4))
    torch.manual_seed(0)
    return i2ibench.train(config, {"hooks.images": None}, folder / "run")


@pytest.fixture(scope="session")
def model(run):
    return i2ibench.load(run, device="cpu")


@pytest.fixture(scope="session")
def scene(run):
    """The paths of a scene's label map, instance map and photo."""
    root = run.parent / "paired" / "val"
    return [sorted((root / kind).glob("*.png"))[0] for kind in ("label", "instance", "image")]
