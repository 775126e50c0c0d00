"""Official files become checkpoints and come back bit for bit, with the released options."""

import json

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict

from i2ibench.data.classes import CITYSCAPES_CLASSES
from i2ibench.errors import UserError
from i2ibench.inference import Inference
from i2ibench.inference.checkpoints import open_checkpoint
from i2ibench.inference.interop import pix2pixhd
from i2ibench.inference.interop.conversion_options import ConversionOptions
from i2ibench.inference.interop.export_official import export_folder
from i2ibench.inference.interop.import_official import CLUSTERS_FILE, import_folder
from i2ibench.inference.interop.style_clusters import read_clusters
from i2ibench.models.discriminators import MultiScaleDiscriminator
from i2ibench.models.encoders import InstanceEncoder
from i2ibench.models.generators import CoarseToFineGenerator
from i2ibench.models.translators.build import build_translator

CENTRES = {7: np.array([[0.5, -0.25, 0.125]], np.float32), 26: np.eye(3, dtype=np.float32)}


@pytest.fixture
def official(tmp_path):
    """Write a folder as the released code does: 35 labels, boundaries, features, 2 scales."""
    folder = tmp_path / "official"
    folder.mkdir()
    torch.manual_seed(0)
    generator = CoarseToFineGenerator(39, base_channels=4, num_enhancers=1, num_blocks=2,
                                      num_downsamplings=2, num_enhancer_blocks=1)  # fmt: skip
    networks = {
        "G": pix2pixhd.generator_to_official(generator),
        "D": pix2pixhd.discriminator_to_official(MultiScaleDiscriminator(39, 2, 4)),
        "E": pix2pixhd.encoder_to_official(InstanceEncoder(3, base_channels=4)),
    }
    for letter, state in networks.items():
        wrapped = {f"module.{k}": v for k, v in state.items()}
        torch.save(wrapped, folder / f"latest_net_{letter}.pth")
    np.save(folder / CLUSTERS_FILE, np.array(CENTRES, dtype=object), allow_pickle=True)
    return folder


def scene():
    label = torch.full((1, 1, 32, 64), 7, dtype=torch.uint8)
    label[..., 16:, :] = 26
    return {"name": ["s"], "label": label, "instance": label.int() * 1000}


def test_a_folder_becomes_a_checkpoint_that_translates_with_its_styles(official, tmp_path):
    import_folder(official, tmp_path / "native.pth")
    translator = open_checkpoint(tmp_path / "native.pth").translator
    assert translator.style_bank.counts[[7, 26]].tolist() == [1, 3]
    fake = Inference(translator).predict(scene())[0]["fake"]
    state = torch.load(official / "latest_net_G.pth", weights_only=True)
    generator = pix2pixhd.generator_from_official(state)
    batch = translator.data_preprocessor(scene())
    styles = Inference(translator).sample_styles(batch)
    with torch.no_grad():
        image = generator(torch.cat([batch["condition"], styles], 1))
    assert torch.equal(fake, ((image[0] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8))


def test_official_files_come_back_bit_for_bit(official, tmp_path):
    import_folder(official, tmp_path / "native.pth")
    export_folder(tmp_path / "native.pth", tmp_path / "back")
    for letter in "GDE":
        before = torch.load(official / f"latest_net_{letter}.pth", weights_only=True)
        after = torch.load(tmp_path / "back" / f"latest_net_{letter}.pth", weights_only=True)
        assert {k.removeprefix("module.") for k in before} == set(after)
        assert all(torch.equal(v, after[k.removeprefix("module.")]) for k, v in before.items())
    centres = read_clusters(tmp_path / "back" / CLUSTERS_FILE)
    assert centres.keys() == CENTRES.keys()
    assert all(np.array_equal(centres[c], CENTRES[c]) for c in CENTRES)


@pytest.mark.parametrize("exposed", [True, False])
def test_networks_with_batch_norm_come_back_bit_for_bit(exposed):
    networks = {
        "generator": CoarseToFineGenerator(5, base_channels=4, num_enhancers=1, num_blocks=1,
                                           num_downsamplings=2, norm_type="batch"),
        "encoder": InstanceEncoder(base_channels=4, norm_type="batch"),
        "discriminator": MultiScaleDiscriminator(8, 2, 4, norm_type="batch"),
    }  # fmt: skip
    for kind, network in networks.items():
        extra = {"exposed": exposed} if kind == "discriminator" else {}
        official = getattr(pix2pixhd, f"{kind}_to_official")(network, **extra)
        again = getattr(pix2pixhd, f"{kind}_from_official")(official)
        assert network.state_dict().keys() == again.state_dict().keys()
        state = again.state_dict()
        assert all(torch.equal(v, state[k]) for k, v in network.state_dict().items())


def test_a_generator_alone_is_enough(official, tmp_path):
    for name in ("latest_net_D.pth", "latest_net_E.pth", CLUSTERS_FILE):
        (official / name).unlink()
    with pytest.raises(UserError, match="39 channels; say with --labels"):
        import_folder(official, tmp_path / "native.pth")
    config = import_folder(official, tmp_path / "native.pth", ConversionOptions(num_labels=38))
    assert config["data_preprocessor"]["boundaries"] is True
    assert open_checkpoint(tmp_path / "native.pth").translator.encoder is None


def test_a_file_that_does_not_fit_names_the_first_differences(official):
    state = torch.load(official / "latest_net_G.pth", weights_only=True)
    state["module.model9.weight"] = state.pop("module.model.4.weight")
    with pytest.raises(UserError, match=r"2 tensors differ, first: model\.4\.weight, model9"):
        pix2pixhd.generator_from_official(state)
    with pytest.raises(UserError, match="no official pix2pixHD generator"):
        pix2pixhd.generator_from_official({"fc.weight": torch.zeros(1)})
    with pytest.raises(UserError, match="no official pix2pixHD discriminator"):
        pix2pixhd.discriminator_from_official({"fc.weight": torch.zeros(1)})


class Payload:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (open, (self.marker, "w"))


def test_a_hostile_k_means_file_is_refused_and_not_executed(tmp_path):
    marker = tmp_path / "executed"
    holder = np.array({1: Payload(str(marker))}, dtype=object)
    np.save(tmp_path / "evil.npy", holder, allow_pickle=True)
    with pytest.raises(UserError, match=r"asks for (_?io|builtins)\.open"):
        read_clusters(tmp_path / "evil.npy")
    assert not marker.exists()


SIZES = {"base_channels": 2, "num_downsamplings": 2, "num_blocks": 1}
GENERATOR = {"type": "CoarseToFineGenerator", **SIZES}
UNET = {"type": "UNetGenerator", "base_channels": 2, "num_levels": 6}
LABELS = {"type": "LabelPreprocessor"}


def export(folder, generator, preprocessor=LABELS, **model):
    """Return the options beside the official files of a new network."""
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
        ({"generator": {**GENERATOR, "upsampling": "nearest"}}, "upsampling='nearest'"),
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
