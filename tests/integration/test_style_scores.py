"""Styles in an evaluation: measured where they are sampled, resumed, drawn in the report."""

import shutil

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from i2ibench.data.datasets.toystreet import drawn_streets
from i2ibench.errors import UserError
from i2ibench.evaluation.evaluate import evaluate
from i2ibench.evaluation.metrics.style_control import StyleControl
from i2ibench.evaluation.protocol_scenes import prepare_scenes
from i2ibench.evaluation.protocols.protocol import build_protocol
from i2ibench.evaluation.style_probes import StyleProbe
from i2ibench.evaluation.system_sources import parse_systems
from i2ibench.inference import Inference
from i2ibench.registry.configuration import load_config
from i2ibench.reports.page import render
from i2ibench.training.run import train
from tests.conftest import TINY_CONFIG

SIZE = "width=64, height=32"
OTHERS = ("segmentation", "edges", "distribution", "lpips", "pixels", "diversity", "objects")
SAMPLED, ENCODED = "run, styles sampled", "run, styles from the photo"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A tiny system after an epoch on twelve drawn scenes."""
    folder = tmp_path_factory.mktemp("styles")
    text = TINY_CONFIG.format(root=str(folder / "toys"), segmenter="toystreet")
    text = text.replace('"CompactSegmenter", base_channels=4', '"CompactSegmenter"')
    for split in ("train", "val"):
        text = text.replace(
            f'type="PairedFolder", split="{split}"',
            f'type="ToyStreet", split="{split}", num_scenes=12, {SIZE}',
        )
    (folder / "tiny.py").write_text(text)
    options = {"train_cfg.max_epochs": 1}
    train(load_config(folder / "tiny.py", options, folder / "run"))
    return folder


def scores(folder, output, folders=()):
    size = {"num_scenes": 24, "width": 64, "height": 32}
    protocol = build_protocol({"type": "toystreet", **size, "metrics": dict.fromkeys(OTHERS)})
    subjects = parse_systems([str(folder / "run" / "epoch_0001.pth")], map(str, folders))
    config = load_config(folder / "tiny.py")
    prepare_scenes(protocol, config, None)
    return evaluate(protocol, subjects, output, config)


def test_styles_are_scored_drawn_and_not_measured_twice(trained, tmp_path, monkeypatch):
    results = scores(trained, tmp_path / "e")
    own = results["systems"][SAMPLED]
    assert own["style/pictures"]["value"] > 0
    assert 0 <= own["style/control"]["value"] <= own["style/hit"]["value"] <= 1
    assert own["style/r2/car"]["n"] == 24 and "low" in own["style/r2/car"]
    assert own["div/colour"]["value"] > 0 and own["div/colour_photos"]["value"] > 10
    for name in ("style_features", "style_control"):
        assert results["systems"][ENCODED][name]["status"] == "not applicable"
    page = render(tmp_path / "e", results)
    assert "intended and obtained colours" in page and "features by true colour" in page

    def refuse(*_):
        raise AssertionError("measured twice")

    monkeypatch.setattr(StyleControl, "measure", refuse)
    again = scores(trained, tmp_path / "e")
    assert again["systems"] == results["systems"] and again["figures"] == results["figures"]


def test_a_folder_of_images_has_no_styles(trained, tmp_path):
    data = drawn_streets(trained / "toys", "test", 24, 64, 32)
    (tmp_path / "theirs").mkdir()
    for files in data.scenes.files:
        shutil.copy(files.image, tmp_path / "theirs" / f"{files.name}.png")
    results = scores(trained, tmp_path / "e", [tmp_path / "theirs"])
    entry = results["systems"]["theirs"]["style_control"]
    assert entry["status"] == "not applicable" and "folder" in entry["reason"]
    assert "theirs" not in results["figures"]


def test_without_its_training_photos_control_is_not_computed(trained, tmp_path, monkeypatch):
    def gone(*_):
        raise UserError("there is no folder")

    monkeypatch.setattr("i2ibench.evaluation.style_probes.build_dataset", gone)
    own = scores(trained, tmp_path / "e")["systems"][SAMPLED]
    assert own["style_control"]["status"] == "not computed"
    assert "there is no folder" in own["style_control"]["reason"]
    assert own["style/r2/car"]["status"] == "ok"


def test_data_that_records_no_appearance_has_no_feature_scores(tiny_config, tmp_path):
    train(load_config(tiny_config, {"train_cfg.max_epochs": 1}, tmp_path / "run"))
    styles = dict.fromkeys(OTHERS) | {
        "features": {"type": "StyleFeatures"},
        "control": {"type": "StyleControl"},
    }
    protocol = build_protocol({"type": "own", "metrics": styles, "samples": 2})
    subjects = parse_systems([str(tmp_path / "run" / "epoch_0001.pth")], [])
    own = evaluate(protocol, subjects, tmp_path / "e", load_config(tiny_config))["systems"][SAMPLED]
    assert "no record of how its instances truly look" in own["features"]["reason"]
    assert own["style/pictures"]["status"] == "ok"


def test_the_probe_sees_what_encoder_and_bank_say(trained):
    from i2ibench.inference.checkpoints import open_checkpoint

    opened = open_checkpoint(trained / "run" / "epoch_0001.pth")
    translator, bank = opened.translator, opened.translator.style_bank
    sample = drawn_streets(trained / "toys", "train", 12, 64, 32)[3]
    probe = StyleProbe(opened)
    scene = probe.on(sample)
    features = Inference(translator).encode(scene.batch)[0]
    label, instance = sample["label"][0], sample["instance"][0]
    for number, (values, mode) in scene.encoded().items():
        here = instance == number
        torch.testing.assert_close(torch.tensor(values), features[:, here].mean(1))
        classes, counts = label[here].unique(return_counts=True)
        row = int(classes[counts.argmax()])
        centres = bank.centres[row, : bank.counts[row]]
        assert mode == int((centres - torch.tensor(values)).square().sum(1).argmin())
    number = int(instance.max())
    images = scene.repaint(number, [0, 1])
    plain = Inference(translator).predict(default_collate([sample]))[0]["fake"]
    assert torch.equal(images[0], plain) and images.shape == (3, 3, 32, 64)
    assert not torch.equal(images[1], images[2])
    assert np.isfinite(probe.colours.numpy()).any()
