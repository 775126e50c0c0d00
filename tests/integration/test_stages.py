"""Staged training: G1, then the enhancer with G1 fixed, then both, in one resumable run."""

import pytest
import torch
from PIL import Image

from i2ibench.errors import UserError
from i2ibench.evaluation.evaluate import evaluate
from i2ibench.evaluation.protocols.protocol import build_protocol
from i2ibench.evaluation.system_sources import parse_systems
from i2ibench.inference.checkpoints import (
    latest_checkpoint,
    open_checkpoint,
    read_checkpoint,
    stage_of,
)
from i2ibench.registry.configuration import load_config
from i2ibench.reports import write_report
from i2ibench.training.run import train

STAGES = """
_half = dict(type="Resize", width=32, height=16)
stages = dict(
    coarse=dict(
        model=dict(
            generator=dict(num_enhancers=0, base_channels=8), discriminator=dict(num_scales=1)
        ),
        train_dataloader=dict(dataset=dict(transforms=[_half])),
        val_dataloader=dict(dataset=dict(transforms=[_half])),
    ),
    enhancer=dict(model=dict(frozen=["generator.coarse"]), train_cfg=dict(max_epochs=3)),
    joint=dict(),
)
hooks["checkpoints"]["keep"] = 0
"""


@pytest.fixture
def staged_config(tiny_config):
    tiny_config.write_text(tiny_config.read_text() + STAGES)
    return tiny_config


def run(config, work_dir, **overrides):
    return train(load_config(config, overrides, work_dir))


def state(path):
    return read_checkpoint(path)["state_dict"]


def part(weights, prefix):
    return {k: v for k, v in weights.items() if k.startswith(prefix)}


def equal(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)


@pytest.fixture
def trained(staged_config, tmp_path):
    return run(staged_config, tmp_path / "run")


def test_every_stage_has_its_folder_and_the_last_one_is_the_runs_result(trained):
    assert sorted(p.name for p in trained.iterdir()) == ["1_coarse", "2_enhancer", "3_joint"]
    assert latest_checkpoint(trained) == trained / "3_joint" / "epoch_0002.pth"
    assert len(open_checkpoint(latest_checkpoint(trained)).translator.generator.enhancers) == 1


def test_the_frozen_network_does_not_move_by_a_bit_and_the_joint_stage_moves_it(trained):
    coarse, enhancer, joint = (
        part(state(latest_checkpoint(trained / name)), "generator.coarse.")
        for name in ("1_coarse", "2_enhancer", "3_joint")
    )
    assert equal(coarse, enhancer)
    assert not any(torch.equal(enhancer[k], joint[k]) for k in joint if k.endswith("weight"))


def test_the_old_discriminator_keeps_its_scale_and_a_fresh_one_is_added_finest(
    staged_config, tmp_path
):
    """The second stage is stopped before its first step: learning rate 0."""
    work_dir = tmp_path / "run"
    zero = {"stages.enhancer.optimizers.generator.lr": 0.0,
            "stages.enhancer.optimizers.discriminator.lr": 0.0}  # fmt: skip
    trained = run(staged_config, work_dir, **zero)
    before = state(latest_checkpoint(trained / "1_coarse"))
    after = state(latest_checkpoint(trained / "2_enhancer"))
    for name, value in part(before, "discriminator.scales.0.").items():
        assert torch.equal(after[name.replace("scales.0", "scales.1")], value)
    assert equal(part(before, "encoder."), part(after, "encoder."))


def test_the_moments_of_adam_survive_the_change_of_stage(trained):
    """Two, three and two epochs of 3 steps; a stage that freezes a network takes none of it."""
    optimizer = read_checkpoint(latest_checkpoint(trained))["optimizer"]["generator"]
    steps = {
        name: int(optimizer["optimizer"]["state"][i]["step"])
        for i, name in enumerate(optimizer["names"])
    }
    assert steps["generator.enhancers.0.front.1.weight"] == 9 + 6
    assert steps["generator.coarse.1.weight"] == 6 + 6
    assert steps["encoder.layers.1.weight"] == 6 + 9 + 6


def test_a_stage_that_grew_from_another_checkpoint_is_refused(staged_config, trained):
    path = latest_checkpoint(trained / "1_coarse")
    checkpoint = torch.load(path, weights_only=True)
    checkpoint["state_dict"]["generator.head.1.bias"] += 1
    torch.save(checkpoint, path)
    with pytest.raises(UserError, match=r"2_enhancer began with another checkpoint than .*1_coar"):
        run(staged_config, trained)


@pytest.mark.parametrize("stopped_after", [1, 2])
def test_a_run_stopped_in_the_second_stage_ends_equal(staged_config, trained, stopped_after):
    """What a kill leaves: no third stage, no later checkpoint of the second."""
    expected = state(latest_checkpoint(trained))
    for path in [*(trained / "3_joint").rglob("*"), *(trained / "2_enhancer").glob("*.pth")]:
        keep = path.parent.name == "2_enhancer" and int(path.stem[-4:]) <= stopped_after
        if path.is_file() and not keep:
            path.unlink()
    run(staged_config, trained)
    assert equal(state(latest_checkpoint(trained)), expected)


THREE_LEVELS = """
_coarse, _inner = "generator.coarse", "generator.enhancers.0"
_once = dict(max_epochs=1)
stages = dict(
    one=dict(model=dict(generator=dict(num_enhancers=0, base_channels=16)), train_cfg=_once),
    two=dict(
        model=dict(generator=dict(num_enhancers=1, base_channels=8), frozen=[_coarse]),
        train_cfg=_once,
    ),
    three=dict(
        model=dict(generator=dict(num_enhancers=2), frozen=[_coarse, _inner]), train_cfg=_once
    ),
    joint=dict(model=dict(generator=dict(num_enhancers=2)), train_cfg=_once),
)
"""


def test_three_levels_grow_one_after_the_other(staged_config, tmp_path):
    text = staged_config.read_text().partition("_half = ")[0]
    text = text.replace("base_channels=4, num_enhancers=1,", "base_channels=4,")
    staged_config.write_text(text + THREE_LEVELS)
    trained = run(staged_config, tmp_path / "run")
    two, three, joint = (
        state(latest_checkpoint(trained / n)) for n in ("2_two", "3_three", "4_joint")
    )
    inner = "generator.enhancers.0."
    assert equal(part(two, inner), part(three, inner))
    assert not equal(part(three, inner), part(joint, inner))


def scored(config, trained, stage):
    """The results of a stage's last checkpoint."""
    checkpoint = latest_checkpoint(trained / stage)
    stage_config = stage_of(load_config(config, {}, trained), checkpoint)
    subjects = parse_systems([str(checkpoint)], [])
    protocol = build_protocol(stage_config.protocol.to_dict())
    return evaluate(protocol, subjects, trained / "evaluation", stage_config)


def test_the_report_has_the_curves_and_images_of_every_stage(staged_config, trained):
    output = trained / "evaluation"
    page = write_report(output, scored(staged_config, trained, "3_joint")).read_text()
    for stage in ("1_coarse", "2_enhancer", "3_joint"):
        assert f"<h3>{stage}</h3>" in page
    assert page.count('alt="last validation panel"') == 3


def refused(config, tmp_path, match, **overrides):
    with pytest.raises(UserError, match=match):
        run(config, tmp_path / "run", **overrides)
    assert not (tmp_path / "run").exists()


def test_a_stage_that_freezes_a_missing_network_is_named_before_training(staged_config, tmp_path):
    override = {"stages.enhancer.model.frozen": ["generator.course"]}
    refused(
        staged_config, tmp_path, "'generator.course'.*Did you mean 'generator.coarse'", **override
    )


def test_a_stage_whose_width_does_not_fit_the_one_before_is_refused(staged_config, tmp_path):
    override = {"stages.coarse.model.generator.base_channels": 4}
    refused(staged_config, tmp_path, "enhancer halves base_channels", **override)


def test_a_stage_with_an_unknown_key_is_refused(staged_config, tmp_path):
    override = {"stages.joint.trian_cfg.max_epochs": 4}
    refused(staged_config, tmp_path, "'joint' changes 'trian_cfg'.*'train_cfg'", **override)


def test_a_stage_whose_name_is_no_word_is_refused(staged_config, tmp_path):
    refused(staged_config, tmp_path, "'g1-half': the name of a stage", **{"stages.g1-half": {}})


def test_a_stage_that_leaves_no_checkpoint_behind_is_refused(staged_config, tmp_path):
    override = {"stages.coarse.hooks": {"checkpoints": None}}
    refused(staged_config, tmp_path, "the config has no hook Checkpoints", **override)


def test_a_stage_cannot_begin_before_the_one_before_is_finished(staged_config, trained):
    latest_checkpoint(trained / "1_coarse").unlink()
    with pytest.raises(UserError, match=r"2_enhancer has started from .*1_coarse"):
        run(staged_config, trained)


def test_other_stages_in_the_work_directory_are_not_mixed_in(staged_config, trained):
    (trained / "3_joint").rename(trained / "3_other")
    with pytest.raises(UserError, match="3_other holds checkpoints of other stages"):
        run(staged_config, trained)


def test_moments_are_not_carried_into_another_optimizer(staged_config, tmp_path):
    changed = {"stages.joint.optimizers.generator.amsgrad": True}
    trained = run(staged_config, tmp_path / "run", **changed)
    optimizer = read_checkpoint(latest_checkpoint(trained))["optimizer"]["generator"]
    assert {int(s["step"]) for s in optimizer["optimizer"]["state"].values()} == {6}


def test_a_stage_is_evaluated_at_its_own_size(staged_config, trained):
    scored(staged_config, trained, "1_coarse")
    with Image.open(next((trained / "evaluation" / "pictures").rglob("s0.png"))) as image:
        assert image.size == (32, 16)


def test_a_size_that_a_later_stage_cannot_halve_is_named(staged_config, tmp_path):
    small = [{"type": "Resize", "width": 36, "height": 20}]
    override = {"stages.joint.train_dataloader.dataset.transforms": small}
    refused(staged_config, tmp_path, "36x20.*multiples of 8", **override)
