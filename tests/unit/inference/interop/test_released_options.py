"""Official files of a checkpoint: the options beside them, and switches the released code lacks."""

import json

import pytest
import torch
from mmengine.config import ConfigDict

from i2ibench.data.classes import CITYSCAPES_CLASSES
from i2ibench.errors import UserError
from i2ibench.inference.interop.folder import export_folder
from i2ibench.models.translators.build import build_translator

SIZES = {"base_channels": 2, "num_downsamplings": 2, "num_blocks": 1}
GENERATOR = {"type": "CoarseToFineGenerator", **SIZES}
UNET = {"type": "UNetGenerator", "base_channels": 2, "num_levels": 6}
LABELS = {"type": "LabelPreprocessor"}


def export(folder, generator, preprocessor=LABELS, **model):
    """The options beside the official files of a new network."""
    model = {"type": "PairedTranslator", "generator": generator, **model}
    config = {"model": model, "data_preprocessor": preprocessor}
    metainfo = CITYSCAPES_CLASSES.metainfo("Cityscapes")
    state = build_translator(ConfigDict(config), metainfo).state_dict()
    checkpoint = {
        "config": json.dumps(config),
        "meta": {"epoch": 1, "dataset_meta": metainfo},
        "state_dict": state,
    }
    torch.save(checkpoint, folder / "native.pth")
    written = export_folder(folder / "native.pth", folder / "official")
    assert written[-1].name == "opt.txt"
    lines = (folder / "official" / "opt.txt").read_text().splitlines()
    return dict(line.split(": ") for line in lines if ": " in line)


def test_the_options_are_those_of_the_released_program(tmp_path):
    options = export(tmp_path, {**GENERATOR, "num_enhancers": 1, "num_enhancer_blocks": 2})
    expected = {
        "netG": "local", "ngf": "2", "n_blocks_local": "2", "n_local_enhancers": "1",
        "n_downsample_global": "2", "label_nc": "35", "no_instance": "False", "norm": "instance",
    }  # fmt: skip
    assert expected.items() <= options.items()


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_of_a_u_net_is_written_beside_its_weights(tmp_path, dropout):
    options = export(tmp_path, {**UNET, "dropout": dropout}, {"type": "ImagePreprocessor"})
    assert options["no_dropout"] == str(not dropout) and options["netG"] == "unet_64"
    assert "label_nc" not in options


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"generator": {**GENERATOR, "padding_mode": "reflect"}}, "padding_mode='reflect'"),
        ({"generator": {**GENERATOR, "hard_condition": True}}, "hard_condition=True"),
        ({"generator": {**UNET, "dropout": 0.3}}, r"dropout=0\.3"),
        ({"generator": UNET, "discriminator": {"type": "PatchDiscriminator", "base_channels": 2},
          "adversarial": {"type": "VanillaGAN"}}, "padding=2 in its discriminator"),
    ],
)  # fmt: skip
def test_a_switch_that_the_released_code_lacks_is_refused(tmp_path, changes, message):
    with pytest.raises(UserError, match=message):
        export(tmp_path, **changes)
    assert not (tmp_path / "official").exists()


def test_a_default_that_is_spelt_out_is_not_refused(tmp_path):
    export(tmp_path, {**GENERATOR, "padding_mode": "zeros", "hard_condition": False})


def test_what_the_released_program_cannot_do_is_said(tmp_path, capsys):
    export(tmp_path, {**GENERATOR, "norm_type": "batch"},
           {"type": "ConditionPreprocessor", "condition": ["labels", "edges"],
            "edges_of": "labels"})  # fmt: skip
    said = " ".join(capsys.readouterr().err.split())
    assert "condition of" in said and "labels + edges, which pix2pixHD cannot make" in said
    assert "batch norm in evaluation mode" in said
