"""A method that is no GAN, the flow, through the user's commands."""

import json

import numpy as np
import pytest
import torch

from i2ibench.apps.editor.render import Renderer
from i2ibench.apps.editor.scene import Scene
from i2ibench.data.image_reading import read_rgb
from i2ibench.inference.checkpoints import latest_checkpoint, open_checkpoint, read_checkpoint
from tests.integration.runs import SHORT, command, goes_on_bit_for_bit, refusal, run
from tests.integration.test_distributed import two_processes_train_as_one

CONFIG = """
_base_ = "tiny.py"
model = dict(
    _delete_=True, type="FlowTranslator", widths=(8, 16), num_blocks=1, source={source!r},
    settings=dict(steps=2),
)
optimizers = dict(_delete_=True, denoiser=dict(type="AdamW", lr=1e-3, clip_grad=dict(max_norm=1.0)))
param_scheduler = [dict(type="LinearLR", start_factor=0.1, by_epoch=False, begin=0, end=4)]
hooks = dict(styles=None, average=dict(type="ExponentialMovingAverage"))
"""
every_source = pytest.mark.parametrize("source", ["noise", "paint", "bridge"])


@pytest.fixture
def source():
    return "paint"


@pytest.fixture
def config(source, tiny_config):
    path = tiny_config.with_name("flow.py")
    path.write_text(CONFIG.format(source=source))
    return path


@every_source
def test_a_run_goes_on_bit_for_bit(config, tmp_path):
    """The colours and the average too, and what is drawn in every step."""
    goes_on_bit_for_bit(config, tmp_path, SHORT)


def test_two_processes_draw_and_train_as_one_with_twice_the_batch(config, tmp_path):
    """Up to rounding; two updates, since the first one moves only the last layer."""
    one = two_processes_train_as_one(config, tmp_path, "denoiser")
    assert one["denoiser.leave.weight"].abs().max() > 1e-4


def test_settings_reach_translation_and_wrong_ones_are_refused(
    config, paired_root, tmp_path, capsys
):
    checkpoint = run(config, tmp_path / "run", **SHORT) / "epoch_0002.pth"
    inputs, names = paired_root / "val", set()
    made = {}
    for folder, settings in {"a": [], "b": [], "c": ["solver=heun", "steps=3"]}.items():
        options = ["--set", *settings] if settings else []
        command("translate", checkpoint, inputs, tmp_path / folder, "--samples", 2, *options)
        made[folder] = {p.name: read_rgb(p) for p in (tmp_path / folder).glob("*.png")}
        names |= made[folder].keys()
    assert len(names) == 12 and all(m.keys() == names for m in made.values())
    assert all((made["a"][n] == made["b"][n]).all() for n in names)
    assert any((made["a"][n] != made["c"][n]).any() for n in names)
    for setting, message in {
        "step=3": "no setting 'step'. Did you mean 'steps'",
        "steps=0": "'steps' is from 1 on",
        "solver=huen": "one of 'euler', 'heun', not 'huen'",
    }.items():
        said = refusal(capsys, "translate", checkpoint, inputs, tmp_path / "d", "--set", setting)
        assert message in said and not (tmp_path / "d").exists()


def test_a_run_is_evaluated_with_its_average_and_names_its_evaluations(config, tmp_path):
    checkpoint = run(config, tmp_path / "run") / "epoch_0002.pth"
    assert "ema_state_dict" in read_checkpoint(checkpoint)
    options = ["--set", "steps=3", "solver=heun"]
    command("eval", config, checkpoint, "--work-dir", tmp_path / "run", *options)
    report = (tmp_path / "run" / "evaluation" / "report.html").read_text(encoding="utf-8")
    assert "steps=3" in report and "solver=heun" in report
    assert "5 network evaluations for each image" in report


STAGES = """
_half = dict(type="Resize", width=32, height=16)
stages = dict(
    small=dict(
        train_dataloader=dict(dataset=dict(transforms=[_half])),
        val_dataloader=dict(dataset=dict(transforms=[_half])),
    ),
    whole=dict(train_cfg=dict(max_epochs=1)),
)
"""


def test_a_stage_at_full_size_begins_with_the_weights_of_half_the_size(config, tmp_path):
    config.write_text(config.read_text() + STAGES)
    still = {"stages.whole.optimizers.denoiser.lr": 0.0, "param_scheduler": []}
    work_dir = run(config, tmp_path / "run", **SHORT, **still)
    small = read_checkpoint(latest_checkpoint(work_dir / "1_small"))["state_dict"]
    whole = read_checkpoint(latest_checkpoint(work_dir / "2_whole"))["state_dict"]
    assert small.keys() == whole.keys() and small["denoiser.leave.weight"].abs().sum() > 0
    assert all(torch.equal(small[name], whole[name]) for name in small)


def test_a_run_starts_from_weights_of_other_classes_matched_by_name(config, paired_root, tmp_path):
    before = run(config, tmp_path / "before", **SHORT) / "epoch_0002.pth"
    old_classes = read_checkpoint(before)["meta"]["dataset_meta"]["classes"]
    turned = [*old_classes[::-1], "tree"]
    (paired_root / "classes.json").write_text(json.dumps(turned))
    still = {"optimizers.denoiser.lr": 0.0, "optimizers.denoiser.weight_decay": 0.0}
    after = run(config, tmp_path / "after", start_from=str(before), **SHORT, **still)
    old, new = (read_checkpoint(p)["state_dict"] for p in (before, after / "epoch_0002.pth"))
    rows = [old_classes.index(name) for name in turned[:-1]]
    for name in ("denoiser.embed.weight", "colours.weight"):
        assert torch.equal(new[name][:, : len(rows)], old[name][:, rows])
        mean = old[name][:, : len(old_classes)].mean(1)
        torch.testing.assert_close(new[name][:, len(rows)], mean)
        assert torch.equal(new[name][:, -1], old[name][:, -1]), "the boundary map"
    assert torch.equal(new["denoiser.enter.weight"], old["denoiser.enter.weight"])


def test_other_networks_optimisers_are_refused_with_both_lists(config, capsys):
    config.write_text(config.read_text().replace("denoiser=dict", "generator=dict"))
    said = refusal(capsys, "train", config, "--work-dir", config.parent / "run")
    assert "generator" in said and "denoiser" in said and not (config.parent / "run").exists()


def test_its_memory_is_estimated(config, capsys):
    command("train", config, "--estimate-memory")
    said = capsys.readouterr().out
    assert "denoiser" in said and "colours" in said


def test_the_editor_paints_with_it_and_counts_its_steps(config, tmp_path):
    checkpoint = run(config, tmp_path / "run", **SHORT) / "epoch_0002.pth"
    renderer, heard = Renderer(open_checkpoint(checkpoint)), []
    label = np.zeros((24, 40), np.uint8)
    label[12:] = 1
    scene = Scene("street", label, label.astype(np.int32))
    image = renderer.image(scene, on_progress=heard.append)
    assert image.shape == (24, 40, 3) and heard == sorted(heard) and heard[-1] == 1.0
    assert heard[len(heard) // 2] < 0.7, "both steps count"
    assert np.array_equal(renderer.image(scene), image)
