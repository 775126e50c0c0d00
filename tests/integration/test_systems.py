"""Every system trains, translates and grows: pix2pixHD, pix2pix, CRN and the ablations."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from i2ibench.data.datasets.toystreet import StreetSplit
from i2ibench.data.image_reading import read_rgb
from i2ibench.errors import UserError
from i2ibench.inference.checkpoints import latest_checkpoint, open_checkpoint, read_checkpoint
from i2ibench.inference.translation import translate
from i2ibench.registry import DISCRIMINATORS
from i2ibench.registry.configuration import load_config
from i2ibench.training.run import train

ROOT = Path(__file__).parents[2]
TOYSTREET = sorted((ROOT / "configs").glob("*_toystreet.py"))


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    root = tmp_path_factory.mktemp("toystreet")
    for split, count in (("train", 2), ("val", 1)):
        StreetSplit(root, split, count, 256, 128).draw()
    return root


@pytest.fixture
def random_weights(tmp_path, monkeypatch):
    """Weights for the systems that train on pretrained features."""
    monkeypatch.setenv("I2IBENCH_WEIGHTS", str(tmp_path))
    DISCRIMINATORS.find("ProjectedDiscriminator").contract_options(tmp_path)


@pytest.mark.parametrize("path", TOYSTREET, ids=lambda p: p.stem)
def test_a_system_trains_a_few_steps_on_toystreet(path, streets, tmp_path, random_weights):
    overrides = {
        "data_root": str(streets),
        "train_dataloader.dataset.num_scenes": 2,
        "train_dataloader.batch_size": 1,
        "val_dataloader.dataset.num_scenes": 1,
        "train_cfg": {"max_epochs": 1, "val_interval": 1},
        "hooks.log.interval": 1,
    }
    if "teacher" in load_config(path).model:
        flow = load_config(path.with_name("flow_toystreet.py"), overrides, tmp_path / "flow")
        overrides["model.teacher"] = str(latest_checkpoint(train(flow)))
    work_dir = train(load_config(path, overrides, tmp_path / "run"))
    opened = open_checkpoint(latest_checkpoint(work_dir))
    sample = {
        "name": ["s"],
        "label": torch.full((1, 1, 128, 256), 7, dtype=torch.uint8),
        "instance": torch.full((1, 1, 128, 256), 7, dtype=torch.int32),
    }
    first, again = (opened.inference.predict(sample)[0]["fake"] for _ in range(2))
    assert first.shape == (3, 128, 256) and torch.equal(first, again)


IMAGES = """
data_preprocessor = dict(type="ImagePreprocessor")
for _loader in (train_dataloader, val_dataloader):
    _loader["dataset"].update(label_dir=None, instance_dir=None, source_dir="{split}/label")
model["encoder"] = None
model["truncate_output"] = True
hooks["styles"] = None
protocol = dict(type="own")
"""


def test_images_without_labels_are_trained_on_and_translated(tiny_config, paired_root, tmp_path):
    tiny_config.write_text(tiny_config.read_text() + IMAGES)
    work_dir = train(load_config(tiny_config, {}, tmp_path / "run"))
    opened = open_checkpoint(latest_checkpoint(work_dir))
    paths = translate(opened, paired_root / "val" / "label", tmp_path / "out")
    assert len(paths) == 6 and read_rgb(paths[0]).shape == (32, 64, 3)
    (tmp_path / "wrong" / "source").mkdir(parents=True)
    with pytest.raises(UserError, match="holds no image"):
        translate(opened, tmp_path / "wrong", tmp_path / "out2")


CRN_STAGES = """
model = dict(
    type="PairedTranslator",
    generator=dict(type="CRNGenerator", height=32, max_channels=8),
    losses=dict(pixel=dict(type="PixelLoss")),
)
_16 = dict(type="Resize", width=32, height=16)
stages = dict(
    small=dict(
        model=dict(generator=dict(height=16)),
        train_dataloader=dict(dataset=dict(transforms=[_16])),
        val_dataloader=dict(dataset=dict(transforms=[_16])),
    ),
    large=dict(model=dict(frozen=["generator.stages.0", "generator.stages.1"])),
)
optimizers["discriminator"] = None
hooks.pop("styles")
"""


def test_crn_grows_from_one_resolution_to_the_next(tiny_config, tmp_path):
    tiny_config.write_text(tiny_config.read_text() + CRN_STAGES)
    work_dir = train(load_config(tiny_config, {}, tmp_path / "run"))
    small, large = (
        read_checkpoint(latest_checkpoint(work_dir / n))["state_dict"]
        for n in ("1_small", "2_large")
    )
    frozen = [k for k in large if k.startswith(("generator.stages.0.", "generator.stages.1."))]
    assert frozen and all(torch.equal(small[k], large[k]) for k in frozen)
    moved = [k for k in small if k.startswith("generator.stages.2.") and k.endswith("weight")]
    assert not any(torch.equal(small[k], large[k]) for k in moved)


def test_a_staged_run_killed_in_two_stages_ends_equal(tiny_config, tmp_path):
    from tests.integration.test_stages import STAGES

    tiny_config.write_text(tiny_config.read_text() + STAGES)
    command = [sys.executable, str(ROOT / "tools/train.py"), str(tiny_config), "--work-dir"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*command, str(tmp_path / "whole")], check=True, **quiet)
    for stage in ("1_coarse", "2_enhancer"):
        process = subprocess.Popen([*command, str(tmp_path / "killed")], **quiet)
        deadline = time.monotonic() + 120
        while not (tmp_path / "killed" / stage / "epoch_0001.pth").exists():
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run([*command, str(tmp_path / "killed")], check=True, **quiet)
    one, two = (
        read_checkpoint(latest_checkpoint(tmp_path / d))["state_dict"] for d in ("whole", "killed")
    )
    assert all(torch.equal(one[name], two[name]) for name in one)
