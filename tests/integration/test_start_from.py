"""Beginning with given weights: other classes by name, other sizes, and nothing done in silence."""

import json

import pytest
import torch
from mmengine.config import ConfigDict

from i2ibench.cli.main import main
from i2ibench.data.classes import class_table
from i2ibench.errors import UserError
from i2ibench.inference.checkpoints import read_checkpoint
from i2ibench.models.translators.build import build_translator
from i2ibench.registry.configuration import load_config
from i2ibench.training.hooks.checkpoints import Checkpoints
from i2ibench.training.initial_weights import (
    channel_names,
    load_initial_weights,
    parse_start_from,
    read_initial_weights,
)
from i2ibench.training.run import train
from i2ibench.training.runner import build_runner
from i2ibench.training.stage import Stage

OLD = ["sky", "road", "car"]
NEW = ["car", "person", "sky", "road", "void"]
SIZE = (64, 64)
DISCRIMINATOR = {"type": "MultiScaleDiscriminator", "num_scales": 2, "base_channels": 4}
GENERATORS = {
    "global": {"type": "CoarseToFineGenerator", "base_channels": 4, "num_downsamplings": 2,
               "num_blocks": 1, "num_enhancers": 0},
    "enhanced": {"type": "CoarseToFineGenerator", "base_channels": 4, "num_downsamplings": 2,
                 "num_blocks": 1, "num_enhancers": 1, "num_enhancer_blocks": 1},
    "U-Net": {"type": "UNetGenerator", "base_channels": 4, "num_levels": 3, "always_train": False},
    "CRN": {"type": "CRNGenerator", "height": 64, "max_channels": 8},
    "SPADE": {"type": "SPADEGenerator", "base_channels": 2, "hidden_channels": 4,
              "num_upsamplings": 2},
}  # fmt: skip


def build(generator, classes, encoder=False, boundaries=True):
    model = {"type": "PairedTranslator", "generator": generator}
    model |= {"discriminator": DISCRIMINATOR, "adversarial": {"type": "LeastSquaresGAN"}}
    if encoder:
        model["encoder"] = {"type": "InstanceEncoder", "base_channels": 4, "num_downsamplings": 1}
    preprocessor = {"type": "LabelPreprocessor", "boundaries": boundaries}
    config = ConfigDict(model=model, data_preprocessor=preprocessor)
    info = class_table(classes).metainfo("test")
    return build_translator(config, info), config, info


def save(path, translator, config, info):
    saved = {"config": json.dumps(config.to_dict()), "meta": {"dataset_meta": info, "epoch": 1},
             "state_dict": translator.state_dict()}  # fmt: skip
    torch.save(saved, path)
    return path


def scene(classes, names, instances):
    """The condition of a label map of these classes."""
    label = torch.tensor([classes.index(name) for name in names], dtype=torch.uint8)
    label = label.reshape(1, 1, 8, 8).repeat_interleave(8, 2).repeat_interleave(8, 3)
    return {"name": ["s"], "label": label, "instance": instances}


@pytest.mark.parametrize("kind", GENERATORS)
@pytest.mark.parametrize("encoder", [False, True], ids=["", "encoder"])
def test_scenes_of_the_old_classes_look_as_they_did(tmp_path, kind, encoder):
    """The law of matching by name: on label maps that both systems know, both give one image."""
    if encoder and kind == "SPADE":
        pytest.skip("SPADE takes no features")
    old, config, info = build(GENERATORS[kind], OLD, encoder)
    path = save(tmp_path / "old.pth", old, config, info)
    new, _, _ = build(GENERATORS[kind], NEW, encoder)
    initial = read_initial_weights(new, NEW, path, SIZE)
    load_initial_weights(new, {}, initial)
    names = [OLD[k] for k in torch.randint(3, (64,), generator=torch.Generator().manual_seed(1))]
    instances = torch.randint(0, 5, (1, 1, 8, 8)).repeat_interleave(8, 2).repeat_interleave(8, 3)
    images, answers = [], []
    for translator, classes in ((old, OLD), (new, NEW)):
        condition = translator.data_preprocessor(scene(classes, names, instances.int()))[
            "condition"
        ]
        features = torch.full((1, 3, *SIZE), 0.3) if encoder else None
        translator.eval()
        with torch.no_grad():
            images.append(translator.forward(condition, features))
            step = translator.make_step(condition, images[-1], images[-1], None)
        answers.append(step.real_outputs[0][-1])
    assert torch.allclose(images[0], images[1], atol=1e-5)
    assert torch.allclose(answers[0], answers[1], atol=1e-5)
    assert initial.new_classes == ["person", "void"] and initial.left_classes == []
    assert not initial.fresh and not initial.unused


def test_a_new_class_begins_as_the_mean_of_the_old_ones(tmp_path):
    old, config, info = build(GENERATORS["global"], OLD)
    new, _, _ = build(GENERATORS["global"], NEW)
    initial = read_initial_weights(new, NEW, save(tmp_path / "o.pth", old, config, info), SIZE)
    (name,) = (n for n in initial.matched if n.startswith("generator"))
    weight, before = initial.state[name], old.state_dict()[name]
    assert torch.allclose(weight[:, NEW.index("person")], before[:, :3].mean(1))
    assert torch.equal(weight[:, len(NEW)], before[:, 3]), "the boundary map stays what it was"


def test_classes_in_another_order_are_matched_although_every_shape_fits(tmp_path):
    old, config, info = build(GENERATORS["global"], OLD)
    turned = OLD[::-1]
    new, _, _ = build(GENERATORS["global"], turned)
    initial = read_initial_weights(new, turned, save(tmp_path / "o.pth", old, config, info), SIZE)
    (name,) = (n for n in initial.matched if n.startswith("generator"))
    assert torch.equal(initial.state[name][:, :3], old.state_dict()[name][:, [2, 1, 0]])


def test_the_styles_of_a_class_keep_its_name(tmp_path):
    old, config, info = build(GENERATORS["global"], OLD, encoder=True)
    old.style_bank.counts.copy_(torch.tensor([5, 6, 7]))
    new, _, _ = build(GENERATORS["global"], NEW, encoder=True)
    initial = read_initial_weights(new, NEW, save(tmp_path / "o.pth", old, config, info), SIZE)
    assert initial.state["style_bank.counts"].tolist() == [7, 0, 5, 6, 0]


def test_a_system_without_the_boundary_map_takes_the_classes_and_a_channel_begins_fresh(tmp_path):
    old, config, info = build(GENERATORS["global"], OLD, boundaries=False)
    new, _, _ = build(GENERATORS["global"], OLD)
    own = {name: value.clone() for name, value in new.state_dict().items()}
    initial = read_initial_weights(new, OLD, save(tmp_path / "o.pth", old, config, info), SIZE)
    (name,) = (n for n in initial.matched if n.startswith("generator"))
    assert torch.equal(initial.state[name][:, :3], old.state_dict()[name])
    assert torch.equal(initial.state[name][:, 3], own[name][:, 3])


def test_a_small_system_grows_into_a_larger_one(tmp_path):
    """The released recipe: 512p is trained first, and 1024p begins with it."""
    wide = {**GENERATORS["global"], "base_channels": 8}
    small, config, info = build(wide, OLD)
    large, _, _ = build(GENERATORS["enhanced"], OLD)
    initial = read_initial_weights(large, OLD, save(tmp_path / "o.pth", small, config, info), SIZE)
    load_initial_weights(large, {}, initial)
    taken = [n for n in initial.sources if n.startswith("generator.coarse")]
    assert taken and all(torch.equal(large.state_dict()[n], small.state_dict()[n]) for n in taken)
    assert any("enhancers" in name for name in initial.fresh)
    assert "fresh" in "\n".join(initial.lines())


def test_another_kind_of_generator_is_refused(tmp_path):
    old, config, info = build(GENERATORS["CRN"], OLD)
    new, _, _ = build(GENERATORS["U-Net"], OLD)
    path = save(tmp_path / "o.pth", old, config, info)
    with pytest.raises(UserError, match="takes none of the weights"):
        read_initial_weights(new, OLD, path, SIZE)


def test_channels_are_named_by_what_they_show():
    translator, _, _ = build(GENERATORS["global"], OLD)
    names = channel_names(translator.data_preprocessor, OLD)
    assert names == ["class sky", "class road", "class car", "instances"]


@pytest.mark.parametrize(
    "value", [7, {"moments": True}, {"checkpoint": 3}, {"checkpoint": "a", "x": 1}]
)
def test_a_malformed_start_is_refused(value):
    with pytest.raises(UserError, match="start_from must be the path of a checkpoint"):
        parse_start_from(value)


def config_of(path, work_dir, **changes):
    return load_config(path, overrides=changes, work_dir=work_dir)


@pytest.fixture
def trained(tiny_config, tmp_path):
    train(config_of(tiny_config, tmp_path / "first"))
    return tmp_path / "first" / "epoch_0002.pth"


def test_a_run_begins_with_the_weights_and_on_request_the_moments(tiny_config, tmp_path, trained):
    before = read_checkpoint(trained)
    for moments in (False, True):
        start = {"checkpoint": str(trained), "moments": moments}
        config = config_of(tiny_config, tmp_path / f"m{moments}", start_from=start)
        runner = build_runner(Stage(config))
        own = runner.model.state_dict()
        assert all(torch.equal(own[name], value) for name, value in before["state_dict"].items())
        state = runner.optim_wrapper["generator"].optimizer.state
        assert bool(state) == moments
        (hook,) = (h for h in runner.hooks if isinstance(h, Checkpoints))
        assert hook.started_from


def test_the_command_begins_and_goes_on_and_says_what_it_did(
    tiny_config, tmp_path, trained, capsys
):
    arguments = ["train", str(tiny_config), "--work-dir", str(tmp_path / "second")]
    main(None, [*arguments, "--start-from", str(trained)])
    said = capsys.readouterr()
    assert "begins with the weights of" in said.err and "0 by class name" in said.err
    assert said.out.startswith("trained: ")
    main(None, [*arguments, "--start-from", str(trained)])
    said = capsys.readouterr()
    assert "start_from is not used again" in said.err
    assert said.out.startswith("already trained: ")


def test_resuming_a_finished_run_elsewhere_says_that_nothing_is_left(
    tiny_config, tmp_path, trained
):
    config = config_of(tiny_config, tmp_path / "third")
    with pytest.raises(UserError, match="nothing is left to train.*--start-from"):
        train(config, resume=True, resume_from=trained)
    assert not list((tmp_path / "third").glob("*.pth"))


def test_resuming_with_other_classes_names_them_and_the_way(
    tiny_config, paired_root, tmp_path, trained
):
    classes = json.loads((paired_root / "classes.json").read_text())
    (paired_root / "classes.json").write_text(json.dumps([*classes, "person"]))
    config = config_of(
        tiny_config, tmp_path / "third", **{"train_cfg.max_epochs": 4, "protocol": None}
    )
    with pytest.raises(UserError, match=r"other classes .*\(person\).*--start-from"):
        train(config, resume=True, resume_from=trained)
    config = config_of(tiny_config, tmp_path / "third", start_from=str(trained), protocol=None)
    train(config)
    saved = read_checkpoint(tmp_path / "third" / "epoch_0002.pth")
    assert (
        saved["meta"]["dataset_meta"]["classes"][-1] == "person" and saved["meta"]["started_from"]
    )
