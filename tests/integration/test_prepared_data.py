"""Published data, prepared by the command, trains with its config."""

from pathlib import Path

import pytest

from i2ibench.cli.main import main
from i2ibench.data.prepare.catalogue import READERS, prepare
from i2ibench.registry.configuration import load_config
from i2ibench.training.run import train
from tests.conftest import TINY_CONFIG
from tests.unit.data.prepare import annotators, publishers

ROOT = Path(__file__).parents[2]
SMALL = {
    "model.generator.base_channels": 4,
    "model.generator.num_blocks": 1,
    "model.discriminator.base_channels": 4,
    "model.losses.perceptual": None,
    "train_cfg.max_epochs": 1,
    "train_cfg.val_interval": 1,
    "hooks.images": None,
    "train_dataloader.num_workers": 0,
    "val_dataloader.num_workers": 0,
}


@pytest.mark.parametrize("name", [name for name, data in READERS.items() if data.config])
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
    train(load_config(ROOT / READERS[name].config, overrides, tmp_path / "run"))
    assert (tmp_path / "run/epoch_0001.pth").is_file()


def test_photos_with_labelmes_polygons_become_a_trained_system(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shapes = [annotators.shape("sky", [[0, 0], [64, 0], [64, 15.5], [0, 15.5]], "polygon"),
              annotators.shape("car", [[30.0, 12.0], [50.0, 22.0]], "rectangle"),
              annotators.shape("car", [[8.0, 20.0], [4.0, 20.0]], "circle")]  # fmt: skip
    for number in range(8):
        path = tmp_path / "photos" / f"{number}.json"
        annotators.photo(path.with_suffix(".png"), 64, 32, seed=number)
        annotators.labelme(path, shapes, None, size=(32, 64), imagePath=f"{number}.png")
    choices = ["--options", "stuff=sky", "val_share=0.25"]
    main(arguments=["prepare_data", "labelme", "photos", "data", *choices])
    assert "used: 8 circles, 8 photos, 8 polygons, 8 rectangles" in capsys.readouterr().out
    config = TINY_CONFIG.format(root="data", segmenter="").split("protocol = ")[0]
    rest = TINY_CONFIG.split("optimizers = ")[1]
    Path("own.py").write_text(f"{config}protocol = None\noptimizers = {rest}")
    main(arguments=["validate", "own.py"])
    assert capsys.readouterr().out.splitlines()[-1] == "no problems"
    short = ["train_cfg.max_epochs=1", "hooks.images=None"]
    main(arguments=["train", "own.py", "--cfg-options", *short])
    assert Path("work_dirs/own/epoch_0001.pth").is_file()
