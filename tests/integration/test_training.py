"""Training, resuming, evaluating and translating, as functions and on a tiny system."""

import json
import traceback

import pytest
import torch
from PIL import Image

from i2ibench.errors import UserError
from i2ibench.inference.checkpoints import latest_checkpoint, open_checkpoint, read_checkpoint
from i2ibench.registry.configuration import load_config
from i2ibench.reports.training_curves import read_scalars
from i2ibench.training.run import train
from i2ibench.training.runner import build_runner
from i2ibench.training.stage import Stage


def run(config_path, work_dir, **overrides):
    overrides = {key.replace("__", "."): value for key, value in overrides.items()}
    return train(load_config(config_path, overrides, work_dir))


def weights(checkpoint):
    return read_checkpoint(checkpoint)["state_dict"]


def assert_equal_weights(one, two):
    assert one.keys() == two.keys()
    different = [name for name in one if not torch.equal(one[name], two[name])]
    assert not different


@pytest.fixture
def trained(tiny_config, tmp_path):
    return run(tiny_config, tmp_path / "run")


def test_a_run_leaves_checkpoint_logs_and_images(trained):
    assert [p.name for p in sorted(trained.glob("*.pth"))] == ["epoch_0001.pth", "epoch_0002.pth"]
    assert (trained / "pictures" / "epoch_0002.png").stat().st_size > 0
    scalars = read_scalars(trained)
    assert {"train/G/adversarial", "train/feature_matching", "val/seg/miou"} <= set(scalars)
    assert [step for step, _ in scalars["train/D/real"]] == [2, 4, 6]
    assert not list(trained.glob("**/*.tmp"))


def test_a_checkpoint_opens_without_pickle_and_needs_nothing_else(trained):
    saved = torch.load(latest_checkpoint(trained), weights_only=True)
    assert json.loads(saved["config"])["model"]["type"] == "PairedTranslator"
    opened = open_checkpoint(latest_checkpoint(trained))
    assert opened.epoch == 2 and opened.metainfo["classes"][:2] == ["sky", "road"]
    assert opened.translator.discriminator is None
    assert opened.translator.style_bank.counts.sum() > 0


def test_a_run_from_a_cache_equals_one_from_the_files(tiny_config, tmp_path, paired_root):
    from_files = run(tiny_config, tmp_path / "a")
    from_cache = run(tiny_config, tmp_path / "b", train_dataloader__cache=True)
    assert_equal_weights(*(weights(latest_checkpoint(r)) for r in (from_files, from_cache)))
    assert len(list((paired_root / "i2ibench_cache").glob("*.scenes"))) == 1
    run(tiny_config, from_cache)  # a cache is no change of the run


def test_no_step_off_the_log_interval_reads_a_number_back(tiny_config, tmp_path, monkeypatch):
    """Each would make a GPU wait; counted from one step's beginning to the next's, with hooks.

    Adam is fused, as it is on a GPU: otherwise it reads its own step counts, on the host.
    """
    off = {"hooks.log.interval": 100, "hooks.images": None, "protocol": None}
    off |= {f"optimizers.{name}.fused": True for name in ("generator", "discriminator")}
    runner = build_runner(Stage(load_config(tiny_config, off, tmp_path / "run")))
    read, at_step = [], []
    for name in ("item", "tolist", "__float__", "__int__", "__bool__"):
        monkeypatch.setattr(torch.Tensor, name, counted(getattr(torch.Tensor, name), read))
    take_step = runner.model.train_step

    def step(*arguments, **keywords):
        at_step.append(len(read))
        return take_step(*arguments, **keywords)

    monkeypatch.setattr(runner.model, "train_step", step)
    runner.train()
    assert len(at_step) == 6 and len(read) > 0
    first, second = at_step[:3], at_step[3:]  # two epochs
    assert len(set(first)) == len(set(second)) == 1, read[first[0] : first[0] + 5]


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
def test_runs_go_on_compiled_and_plain(tiny_config, tmp_path):
    """Weights, moments and averages have the same names; switching is a change of the config."""
    compiled = {"generator": {"backend": "eager"}, "discriminator": {"backend": "eager"}}
    options = {"model.compiled": compiled, "train_cfg.max_epochs": 1, "protocol": None}
    options["hooks.ema"] = {"type": "ExponentialMovingAverage"}
    options["param_scheduler"] = []
    plain = {**options, "model.compiled": None}
    both = [tmp_path / "compiled", tmp_path / "plain"]
    for folder, first in zip(both, (options, plain), strict=True):
        train(load_config(tiny_config, first, folder))
    assert_equal_weights(*(weights(folder / "epoch_0001.pth") for folder in both))
    more = {"train_cfg.max_epochs": 2}
    for folder, second in zip(both, (plain, options), strict=True):
        with pytest.raises(UserError, match="model, train_cfg changed since"):
            train(load_config(tiny_config, second | more, folder))
        train(load_config(tiny_config, second | more, folder), resume=True)
    assert_equal_weights(*(weights(folder / "epoch_0002.pth") for folder in both))
    opened = open_checkpoint(both[1] / "epoch_0002.pth", weights="average")
    assert not opened.translator.compiled


def counted(method, calls):
    def call(tensor, *arguments):
        calls.append((method.__name__, traceback.format_stack(limit=3)))
        return method(tensor, *arguments)

    return call


def test_two_runs_of_one_seed_are_equal_and_another_seed_differs(tiny_config, tmp_path):
    first = weights(latest_checkpoint(run(tiny_config, tmp_path / "a")))
    again = weights(latest_checkpoint(run(tiny_config, tmp_path / "b")))
    other = weights(latest_checkpoint(run(tiny_config, tmp_path / "c", seed=1)))
    assert_equal_weights(first, again)
    name = "generator.head.1.weight"
    assert not torch.equal(first[name], other[name])


def test_a_resumed_run_ends_equal_to_an_uninterrupted_one(tiny_config, tmp_path):
    whole = run(tiny_config, tmp_path / "whole", train_cfg__max_epochs=4)
    parts = run(
        tiny_config, tmp_path / "parts", train_cfg__max_epochs=4, hooks__checkpoints__keep=0
    )
    for name in ("epoch_0003.pth", "epoch_0004.pth"):
        (parts / name).unlink()
    run(tiny_config, parts, train_cfg__max_epochs=4, hooks__checkpoints__keep=0)
    assert_equal_weights(weights(whole / "epoch_0004.pth"), weights(parts / "epoch_0004.pth"))


def test_a_finished_run_is_left_as_it_is(tiny_config, trained):
    before = latest_checkpoint(trained).read_bytes()
    run(tiny_config, trained)
    assert latest_checkpoint(trained).read_bytes() == before


def test_a_changed_config_does_not_silently_continue_an_old_run(tiny_config, trained):
    with pytest.raises(UserError, match=r"another config: optimizers changed.*--fresh"):
        run(tiny_config, trained, optimizers__generator__lr=1.0)


def test_starting_fresh_keeps_the_old_run_aside(tiny_config, trained):
    train(load_config(tiny_config, {}, trained), fresh=True)
    aside = list(trained.parent.glob("run.before-*"))
    assert len(aside) == 1 and (aside[0] / "epoch_0002.pth").is_file()


def test_a_size_that_the_generator_cannot_take_names_the_nearest(tiny_config, tmp_path):
    transforms = [{"type": "Resize", "width": 62, "height": 30}]
    with pytest.raises(UserError, match=r"62x30.*multiples of 8; the nearest size is 64x32"):
        run(tiny_config, tmp_path / "run", train_dataloader__dataset__transforms=transforms)
    assert not (tmp_path / "run").exists()


def test_a_bad_label_stops_before_training(tiny_config, paired_root, tmp_path):
    from i2ibench.testing.tiny_datasets import save

    label = next((paired_root / "train" / "label").glob("s4.png"))
    save(label, torch.full((32, 64), 9, dtype=torch.uint8).numpy())
    with pytest.raises(UserError, match=r"s4\.png has the value 9 at 2048"):
        run(tiny_config, tmp_path / "run")


def test_changed_data_is_checked_before_a_run_goes_on_with_it(tiny_config, paired_root, tmp_path):
    from i2ibench.testing.tiny_datasets import save

    run(tiny_config, tmp_path / "run", train_cfg__max_epochs=1)
    save(paired_root / "train/label/s4.png", torch.full((32, 64), 9, dtype=torch.uint8).numpy())
    for _ in range(2):  # the refused files are not taken for known ones
        with pytest.raises(UserError, match=r"s4\.png has the value 9 at 2048"):
            train(load_config(tiny_config, work_dir=tmp_path / "run"), resume=True)


def test_a_truncated_validation_photo_stops_before_training(tiny_config, paired_root, tmp_path):
    photo = paired_root / "val" / "image" / "s2.png"
    photo.write_bytes(photo.read_bytes()[:-20])
    with pytest.raises(UserError, match=r"s2\.png is broken"):
        run(tiny_config, tmp_path / "run")


def test_an_unwritable_work_dir_stops_before_training(tiny_config, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot be written"):
        run(tiny_config, tmp_path / "file" / "run")


def test_a_checkpoint_of_another_architecture_names_the_first_differences(trained):
    path = latest_checkpoint(trained)
    saved = torch.load(path, weights_only=True)
    config = json.loads(saved["config"])
    config["model"]["generator"]["num_blocks"] = 2
    torch.save({**saved, "config": json.dumps(config)}, path)
    with pytest.raises(UserError, match="does not fit .* weights differ, first: generator.coarse"):
        open_checkpoint(path)


class Payload:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (open, (self.marker, "w"))


def test_a_hostile_checkpoint_is_refused_and_not_executed(tmp_path):
    marker = tmp_path / "executed"
    torch.save({"config": "{}", "state_dict": Payload(str(marker))}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match="cannot be read as a checkpoint"):
        open_checkpoint(tmp_path / "evil.pth")
    assert not marker.exists()


def test_a_truncated_checkpoint_is_reported(trained):
    path = latest_checkpoint(trained)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UserError, match="cannot be read"):
        open_checkpoint(path)


def test_amp_trains_on_the_cpu(tiny_config, tmp_path):
    assert latest_checkpoint(run(tiny_config, tmp_path / "run", amp="bf16")).is_file()


def refused(tiny_config, tmp_path, match, **overrides):
    with pytest.raises(UserError, match=match):
        run(tiny_config, tmp_path / "run", **overrides)
    assert not (tmp_path / "run").exists()


def test_scenes_of_several_sizes_need_batches_of_one(tiny_config, paired_root, tmp_path):
    for kind in ("label", "instance", "image"):
        path = paired_root / "val" / kind / "s3.png"
        with Image.open(path) as image:
            smaller = image.crop((0, 0, 48, 32))
        smaller.save(path)
    refused(tiny_config, tmp_path, r"val scenes have several sizes \(48x32, 64x32\)")
    run(tiny_config, tmp_path / "run", val_dataloader__batch_size=1)


@pytest.mark.parametrize(
    ("override", "match"),
    [
        ({"model__adversarial__type": "PixelLoss"}, "not an adversarial loss"),
        ({"model__losses__x": {"type": "LeastSquaresGAN"}}, "is adversarial"),
        ({"model__discriminator": None, "model__adversarial": None}, "needs a discriminator"),
        ({"protocol__segmenter__weigths": "x"}, "Did you mean 'weights'"),
        (
            {"optimizers__encoder__lr": 1},
            r"\(generator, discriminator\). There is no network 'encoder'",
        ),
        ({"seed": -1}, "'seed'"),
        (
            {
                "model__losses__feature_matching": None,
                "model__discriminator": None,
                "model__adversarial": None,
            },
            "nothing to train",
        ),
        ({"vis_backends__0__type": "LocalVisBackent"}, "'LocalVisBackend'"),
    ],
)
def test_a_wrong_part_is_refused_before_anything_is_written(tiny_config, tmp_path, override, match):
    refused(tiny_config, tmp_path, match, **override)


def test_a_mistake_with_fresh_leaves_the_old_run_in_its_place(tiny_config, trained):
    with pytest.raises(UserError, match="nun_blocks"):
        train(load_config(tiny_config, {"model.generator.nun_blocks": 1}, trained), fresh=True)
    assert (trained / "epoch_0002.pth").is_file()


def test_training_says_which_scores_it_goes_without(tiny_config, tmp_path, capsys):
    run(tiny_config, tmp_path / "run", protocol__segmenter__weights="no.pth")
    assert "validation without segmentation: No segmenter weights" in capsys.readouterr().err


def test_random_numbers_go_on_where_they_were(tiny_config, tmp_path):
    """The state in the second checkpoint is the same with and without an interruption."""
    whole = run(tiny_config, tmp_path / "whole")
    parts = run(tiny_config, tmp_path / "parts")
    (parts / "epoch_0002.pth").unlink()
    run(tiny_config, parts)
    one, two = (read_checkpoint(d / "epoch_0002.pth")["random_state"] for d in (whole, parts))
    assert torch.equal(one["torch"], two["torch"])


def test_a_run_is_not_resumed_with_other_optimizers(tiny_config, trained):
    config = load_config(tiny_config, {"optimizers.generator.lr": 0.5}, trained)
    for arguments in ({"resume": True}, {"resume_from": latest_checkpoint(trained)}):
        with pytest.raises(UserError, match="cannot be resumed with other optimizers"):
            train(config, **arguments)


def test_more_epochs_may_be_asked_for_on_resume(tiny_config, trained):
    train(load_config(tiny_config, {"train_cfg.max_epochs": 3}, trained), resume=True)
    assert latest_checkpoint(trained).name == "epoch_0003.pth"
