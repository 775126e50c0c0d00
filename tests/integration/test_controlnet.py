"""A ControlNet over a tiny Stable Diffusion, through the user's commands."""

import shutil

import pytest
import torch

from i2ibench.data.image_reading import read_rgb
from i2ibench.inference.checkpoints import open_checkpoint, read_checkpoint
from i2ibench.testing.network_files import write_stable_diffusion
from tests.integration.runs import SHORT, command, goes_on_bit_for_bit, refusal, run
from tests.integration.test_distributed import two_processes_train_as_one

CONFIG = """
_base_ = "tiny.py"
model = dict(
    _delete_=True, type="ControlNetTranslator", folder={folder!r}, settings=dict(steps=2),
)
optimizers = dict(_delete_=True, controlnet=dict(type="AdamW", lr=1e-3))
param_scheduler = [dict(type="LinearLR", start_factor=0.1, by_epoch=False, begin=0, end=4)]
hooks = dict(styles=None, average=dict(type="ExponentialMovingAverage"))
"""


@pytest.fixture
def folder(tmp_path):
    return write_stable_diffusion(tmp_path / "sd")


@pytest.fixture
def config(folder, tiny_config):
    path = tiny_config.with_name("controlnet.py")
    path.write_text(CONFIG.format(folder=str(folder)))
    return path


def test_a_run_goes_on_bit_for_bit(config, tmp_path):
    goes_on_bit_for_bit(config, tmp_path, SHORT)


def test_a_run_translates_evaluates_and_needs_its_folder(
    config, folder, paired_root, tmp_path, capsys
):
    """The checkpoint has the ControlNet alone, and refuses another Stable Diffusion."""
    checkpoint = run(config, tmp_path / "run") / "epoch_0002.pth"
    saved = read_checkpoint(checkpoint)
    kept = {name for name in saved["state_dict"] if not name.startswith("controlnet.")}
    assert kept == {"diffusion._extra_state"}
    assert saved["ema_state_dict"].keys() == saved["state_dict"].keys()
    averaged = open_checkpoint(checkpoint, weights="average").translator.state_dict()
    assert torch.equal(averaged["diffusion._extra_state"], saved["state_dict"][next(iter(kept))])
    made = {}
    for name, options in {"a": [], "b": [], "c": ["--set", "steps=3", "guidance=2"]}.items():
        command("translate", checkpoint, paired_root / "val", tmp_path / name, *options)
        made[name] = {path.name: read_rgb(path) for path in (tmp_path / name).glob("*.png")}
    assert len(made["a"]) == 6
    assert all((made["a"][n] == made["b"][n]).all() for n in made["a"])
    assert any((made["a"][n] != made["c"][n]).any() for n in made["a"])
    command("eval", config, checkpoint, "--work-dir", tmp_path / "run", "--set", "steps=3")
    report = (tmp_path / "run" / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert "3 network evaluations for each image" in report
    scheduler = folder / "scheduler" / "scheduler_config.json"
    scheduler.write_text(scheduler.read_text().replace("0.012", "0.013"))
    arguments = ("translate", checkpoint, paired_root / "val", tmp_path / "d")
    assert "are not those that these weights were trained with" in refusal(capsys, *arguments)
    shutil.rmtree(folder)
    assert "no folder with a Stable Diffusion" in refusal(capsys, *arguments)
    assert not (tmp_path / "d").exists()


def test_images_of_any_controlnet_are_scored(config, folder, paired_root, tmp_path):
    """As docs/controlnet.md says: by the photos' names and sizes, without a Stable Diffusion."""
    shutil.rmtree(folder)
    options = ["--protocol", "own", "--images", f"theirs={paired_root / 'val' / 'image'}"]
    command("eval", config, *options, "--output", tmp_path / "scores")
    assert "theirs" in (tmp_path / "scores" / "results.json").read_text(encoding="utf-8")


def test_two_processes_train_as_one_with_twice_the_batch(config, tmp_path):
    two_processes_train_as_one(config, tmp_path, "controlnet")


def test_its_memory_is_estimated_without_weights(config, folder, capsys):
    for path in folder.rglob("*.safetensors"):
        path.unlink()
    command("train", config, "--estimate-memory")
    said = capsys.readouterr().out
    assert "controlnet" in said and "diffusion" in said
