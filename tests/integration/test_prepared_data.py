"""Published data, prepared by the command, trains with its config."""

from pathlib import Path

import pytest

from i2ibench.configuration import load_config
from i2ibench.experiment import train
from i2ibench.preparation.known import KNOWN, prepare
from tests.unit.preparation import publishers

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow

SMALL = {
    "model.generator.base_channels": 4,
    "model.generator.num_blocks": 1,
    "model.discriminator.base_channels": 4,
    "model.losses.perceptual": None,
    "train_cfg.max_epochs": 1,
    "train_cfg.val_interval": 1,
    "hooks.pictures": None,
    "train_dataloader.num_workers": 0,
    "val_dataloader.num_workers": 0,
}


@pytest.mark.parametrize("name", [name for name, data in KNOWN.items() if data.config])
def test_a_published_data_set_trains_with_its_config(tmp_path, name, monkeypatch):
    if name == "nyuv2":
        pytest.importorskip("h5py")
    if name == "edges":
        for number in range(2):
            publishers.photo(tmp_path / "source" / f"{number}.jpg", 40, 32)
    else:
        getattr(publishers, name)(tmp_path / "source")
    prepare(name, tmp_path / "source", tmp_path / "data", {})
    monkeypatch.chdir(tmp_path)  # the configs name a segmenter's weights in weights/
    overrides = {**SMALL, "data_root": str(tmp_path / "data")}
    train(load_config(ROOT / KNOWN[name].config, overrides, tmp_path / "run"))
    assert (tmp_path / "run/epoch_0001.pth").is_file()
