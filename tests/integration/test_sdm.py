"""A diffusion model, SDM, through the user's commands."""

import math
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from i2ibench.data.image_reading import read_rgb
from i2ibench.inference.checkpoints import read_checkpoint
from i2ibench.reports.training_curves import read_scalars
from tests.integration.runs import SHORT, command, goes_on_bit_for_bit, run

TOY_CONFIG = Path(__file__).parents[2] / "configs" / "sdm_toystreet.py"
CONFIG = """
_base_ = "tiny.py"
model = dict(
    _delete_=True, type="SDMTranslator", widths=(8, 16), num_blocks=1, hidden_channels=4,
    settings=dict(steps=2),
)
optimizers = dict(_delete_=True, denoiser=dict(type="AdamW", lr=1e-3, clip_grad=dict(max_norm=1.0)))
param_scheduler = [dict(type="LinearLR", start_factor=0.1, by_epoch=False, begin=0, end=4)]
hooks = dict(styles=None, average=dict(type="ExponentialMovingAverage"))
"""


@pytest.fixture
def config(tiny_config):
    path = tiny_config.with_name("sdm.py")
    path.write_text(CONFIG)
    return path


def test_a_run_goes_on_bit_for_bit(config, tmp_path):
    goes_on_bit_for_bit(config, tmp_path, SHORT)


def test_a_few_dozen_steps_on_drawn_streets_lower_the_loss(tmp_path):
    """Check that the noise is found better than by the linear guess of the first steps."""
    changes = {
        "data_root": str(tmp_path / "streets"),
        "train_dataloader.dataset.num_scenes": 16,
        "train_dataloader.dataset.width": 64,
        "train_dataloader.dataset.height": 32,
        "val_dataloader.dataset.num_scenes": 1,
        "val_dataloader.dataset.width": 64,
        "val_dataloader.dataset.height": 32,
        "model.widths": (16, 32),
        "param_scheduler": [],
        "hooks.average": None,
        "hooks.log.interval": 4,
        "train_cfg": {"max_epochs": 20, "val_interval": 20},
        "amp": None,
    }
    work_dir = run(TOY_CONFIG, tmp_path / "run", **SHORT, **changes)
    simple = [value for _, value in read_scalars(work_dir)["train/simple"]]
    bound = [value for _, value in read_scalars(work_dir)["train/vlb"]]
    assert len(simple) == 20
    assert sum(simple[-8:]) < 0.8 * sum(simple[:8]) and all(map(math.isfinite, bound))


def test_settings_reach_translation_and_wrong_ones_are_refused(
    config, paired_root, tmp_path, capsys
):
    checkpoint = run(config, tmp_path / "run", **SHORT) / "epoch_0002.pth"
    inputs, made = paired_root / "val", {}
    choices = {"a": [], "b": [], "c": ["guidance=3"], "d": ["solver=ddim", "steps=3"]}
    if find_spec("diffusers") is None:
        choices.pop("d")
    for folder, settings in choices.items():
        options = ["--set", *settings] if settings else []
        command("translate", checkpoint, inputs, tmp_path / folder, "--samples", 2, *options)
        made[folder] = {p.name: read_rgb(p) for p in (tmp_path / folder).glob("*.png")}
    names = made["a"].keys()
    assert len(names) == 12 and all(m.keys() == names for m in made.values())
    assert all((made["a"][n] == made["b"][n]).all() for n in names)
    for other in made.keys() - {"a", "b"}:
        assert any((made["a"][n] != made[other][n]).any() for n in names)
    with pytest.raises(SystemExit):
        command("translate", checkpoint, inputs, tmp_path / "e", "--set", "steps=0")
    said = " ".join(capsys.readouterr().err.split())
    assert "'steps' is from 1 to 1000" in said and not (tmp_path / "e").exists()


def test_a_run_is_evaluated_with_its_average_and_names_its_evaluations(config, tmp_path):
    checkpoint = run(config, tmp_path / "run") / "epoch_0002.pth"
    assert "ema_state_dict" in read_checkpoint(checkpoint)
    command("eval", config, checkpoint, "--work-dir", tmp_path / "run", "--set", "steps=3")
    report = (tmp_path / "run" / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert "steps=3" in report and "6 network evaluations for each image" in report


def test_a_run_needs_no_diffusers_and_is_refused_before_it_where_its_sampler_does(
    config, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    asked = ["--work-dir", tmp_path / "run", "--cfg-options", "model.settings.solver=ddim"]
    with pytest.raises(SystemExit):
        command("train", config, *asked)
    said = " ".join(capsys.readouterr().err.split())
    assert 'pip install "i2ibench[diffusion]"' in said and not list(tmp_path.glob("run/*.pth"))
    run(config, tmp_path / "other", **SHORT)
