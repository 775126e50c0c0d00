"""The estimate of a config's memory, against a count over the same steps with contents."""

from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from i2ibench.cli.main import main
from i2ibench.cli.train import smallest_card
from i2ibench.data.loaders import batch_spec, build_dataset, prepare_dataset
from i2ibench.errors import UserError
from i2ibench.models.ops.peak_memory import TensorMemoryCounter
from i2ibench.registry.configuration import list_stages, load_config
from i2ibench.training.memory_estimate import estimate_memory
from i2ibench.training.runner import build_runner
from i2ibench.training.stage import Stage

PIX2PIX = {
    "model.encoder": None,
    "model.generator": {
        "_delete_": True,
        "type": "UNetGenerator",
        "num_levels": 4,
        "base_channels": 8,
    },
    "model.discriminator": {"_delete_": True, "type": "PatchDiscriminator", "base_channels": 8},
    "model.losses": {"_delete_": True, "pixel": {"type": "PixelLoss", "weight": 100.0}},
    "model.discriminator_first": True,
    "train_dataloader.accumulate": 3,
}  # fmt: skip


def test_operations_are_those_of_a_real_step(tiny_config):
    config = list_stages(load_config(tiny_config, {"amp": None}))[0]
    estimate = estimate_memory(config, None)
    runner = build_runner(Stage(config))
    data, model = next(iter(runner.train_dataloader)), runner.model.train()
    with FlopCounterMode(display=False) as flop:
        model.train_step(data, runner.optim_wrapper)
    assert estimate.step_flop == flop.get_total_flops()
    condition = model.data_preprocessor(data)["condition"]
    with FlopCounterMode(display=False) as flop, torch.no_grad():
        model.eval().generator(torch.cat([condition, model.blank_features(condition)], 1))
    assert estimate.image_flop == flop.get_total_flops() // len(condition)


def counted(config, precision):
    """The peak of the second of two real steps with weights, in bytes."""
    config.amp = precision
    runner = build_runner(Stage(config))
    loader, model = runner.train_dataloader, runner.model.train()
    with TensorMemoryCounter() as counter:
        for data in list(loader)[:1] * 2:
            counter.restart()
            model.train_step(data, runner.optim_wrapper)
    weights = sum(x.nbytes for x in [*model.parameters(), *model.buffers()])
    return weights + counter.peak


@pytest.mark.parametrize("precision", [None, "bf16"])
@pytest.mark.parametrize("changes", [{}, PIX2PIX], ids=["pix2pixHD", "pix2pix"])
def test_the_estimate_is_within_half_a_percent_of_a_count_over_real_steps(
    tiny_config, changes, precision
):
    config = load_config(tiny_config, changes, tiny_config.parent / "work")
    estimate = estimate_memory(config, precision)
    assert estimate.step == pytest.approx(counted(config, precision), rel=0.005)


def test_the_parts_add_up(tiny_config):
    config = load_config(tiny_config, {"hooks.ema": {"type": "ExponentialMovingAverage"}})
    estimate = estimate_memory(config, None)
    networks = estimate.networks.values()
    fixed = sum(n.weights + n.state for n in networks) + estimate.average
    assert estimate.step == fixed + estimate.gradients + estimate.activations
    assert estimate.average > estimate.networks["generator"].weights
    for name in ("generator", "encoder", "discriminator"):
        network = estimate.networks[name]
        assert network.gradients == 4 * network.trained == 4 * network.parameters
        assert network.state >= 2 * network.gradients  # Adam's two moments
    assert estimate.translation < estimate.step


def test_compiled_parts_are_counted_as_they_are_written(tiny_config):
    compiled = load_config(tiny_config, {"model.compiled": {"generator": {"backend": "eager"}}})
    assert estimate_memory(compiled, None) == estimate_memory(load_config(tiny_config), None)


def test_a_generator_that_draws_noise_takes_the_scenes_of_a_batch_one_after_the_other(tiny_config):
    def growth(z_size):
        """What three scenes more in a batch take to translate, in bytes."""
        spade = {"_delete_": True, "type": "SPADEGenerator", "base_channels": 4,
                 "hidden_channels": 8, "num_upsamplings": 2, "z_size": z_size}  # fmt: skip
        one, four = (
            load_config(tiny_config, {"model.encoder": None, "model.generator": spade,
                                      "val_dataloader.batch_size": size})
            for size in (1, 4)
        )  # fmt: skip
        return estimate_memory(four, None).translation - estimate_memory(one, None).translation

    assert 0 < growth(z_size=8) < growth(z_size=0) / 4


def test_frozen_parts_have_neither_gradients_nor_state(tiny_config):
    config = load_config(tiny_config, {"model.frozen": ["generator"]})
    generator = estimate_memory(config, None).networks["generator"]
    assert (generator.trained, generator.gradients, generator.state) == (0, 0, 0)
    assert generator.parameters


GIB = 2**30


@pytest.mark.parametrize(
    ("stage", "precision", "checkpointed", "most"),
    [(2, "bf16", True, 9.0), (2, None, True, 11.0), (1, "bf16", True, 8.0), (0, "bf16", False, 6.0),
     (2, None, False, 16.0)],
)  # fmt: skip
def test_the_2048x1024_system_trains_within_9_GiB_of_tensors(stage, precision, checkpointed, most):
    """At the paper's sizes and widths, VGG and Adam included: a count, no GPU is asked."""
    path = Path(__file__).parents[3] / "configs/pix2pixhd_cityscapes.py"
    changes = {"model.generator.checkpointed": ["coarse", "enhancers", "head"]}
    config = list_stages(load_config(path, changes if checkpointed else {}))[stage]
    estimate = estimate_memory(config, precision)
    assert estimate.train.width == (2048 if stage else 1024)
    assert estimate.networks["generator"].parameters > 182_000_000
    assert estimate.step <= most * GIB


def test_cityscapes_and_camvid_need_not_be_there_and_toystreet_is_not_drawn(tmp_path):
    size = {"type": "ScaleWidth", "width": 96}
    for kind, expected in (("Cityscapes", (96, 48)), ("CamVid", (96, 72)), ("ToyStreet", (96, 48))):
        loader = {"dataset": {"type": kind, "split": "train", "transforms": [size]}}
        images = batch_spec(loader, str(tmp_path / "nowhere"))
        assert (images.width, images.height) == expected
        assert images.metainfo["dataset"] == kind
    assert not (tmp_path / "nowhere").exists()


def test_what_a_data_set_knows_is_what_it_has(tmp_path):
    cfg = {
        "dataset": {"type": "ToyStreet", "num_scenes": 1, "width": 64, "height": 32},
        "batch_size": 1,
    }
    images = batch_spec(cfg, str(tmp_path))
    prepare_dataset(cfg, str(tmp_path))
    dataset = build_dataset(cfg, str(tmp_path))
    assert dataset.metainfo == images.metainfo
    assert dataset[0]["label"].shape == (1, images.height, images.width)


def test_the_size_of_other_data_is_its_files(tiny_config):
    config = load_config(tiny_config)
    images = batch_spec(config.train_dataloader, config.data_root)
    assert (images.width, images.height, images.batch_size) == (64, 32, 2)


def test_a_size_that_does_not_suit_the_networks_is_refused(tiny_config):
    changes = {
        "train_dataloader.dataset.transforms": [{"type": "Resize", "width": 60, "height": 32}]
    }
    with pytest.raises(UserError, match="60x32"):
        estimate_memory(load_config(tiny_config, changes), None)


def test_other_data_has_to_be_there(tiny_config, tmp_path):
    config = load_config(tiny_config, {"data_root": str(tmp_path / "nowhere")})
    with pytest.raises(UserError, match="nowhere"):
        estimate_memory(config, None)


def command(capsys, *arguments):
    with pytest.raises(SystemExit) as end:
        main("train", [*map(str, arguments), "--estimate-memory"])
        raise SystemExit(0)
    return end.value.code, capsys.readouterr()


def test_the_command_prints_each_stage_at_each_precision_and_writes_nothing(
    tiny_config, capsys, monkeypatch
):
    monkeypatch.chdir(tiny_config.parent)
    stages = "stages = dict(first=dict(train_dataloader=dict(batch_size=1)), second=dict())"
    tiny_config.write_text(f"{tiny_config.read_text()}{stages}\n")
    before = sorted(tiny_config.parent.rglob("*"))
    code, said = command(capsys, tiny_config)
    assert code == 0
    assert sorted(tiny_config.parent.rglob("*")) == before
    for part in ("1_first", "2_second", "generator", "encoder", "discriminator",
                 "step bf16, 1 of 64x32", "step float32, 2 of 64x32", "translation, 2 of 64x32",
                 "MiB", "8 GB"):  # fmt: skip
        assert part in said.out
    code, said = command(capsys, tiny_config, "--amp", "none")
    assert "float32" in said.out and "bf16" not in said.out


def test_the_command_refuses_what_training_refuses(tiny_config, capsys):
    code, said = command(capsys, tiny_config, "--cfg-options", "model.generator.base_chanels=4")
    assert code == 2 and "base_channels" in said.err
    code, said = command(capsys, tiny_config, "--cfg-options", "optimizers.generator.type=Adan")
    assert code == 2 and "Adam" in said.err
    code, said = command(capsys, tiny_config, "--fresh")
    assert code == 2 and "--fresh" in said.err


def test_the_smallest_card_leaves_a_tenth_and_a_gibibyte_free():
    assert smallest_card(0) == "8 GB"
    assert smallest_card(6 * GIB) == "8 GB"
    assert smallest_card(7 * GIB) == "12 GB"
    assert smallest_card(60 * GIB) == "80 GB"
    assert smallest_card(500 * GIB) == "none"
