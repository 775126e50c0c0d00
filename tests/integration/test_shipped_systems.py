"""The trained systems in the package: small, scored, and of use at once."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

import i2ibench
from i2ibench.apps.editor.editor import open_editor
from i2ibench.apps.editor.server import create_app
from i2ibench.evaluation.segmenters import CompactSegmenter
from i2ibench.inference.checkpoint_names import example_scenes, shipped_systems
from i2ibench.inference.checkpoints import open_checkpoint, read_checkpoint
from i2ibench.io.provenance import sha256
from tests.integration.runs import command
from tests.unit.apps.editor.tab import Tab

SYSTEMS = shipped_systems()


def pixels(path):
    with Image.open(path) as image:
        return np.array(image)


def texts_in(content):
    """Every text in JSON values, keys included."""
    if isinstance(content, dict):
        yield from content
        content = [*content.values()]
    if isinstance(content, list | tuple):
        for one in content:
            yield from texts_in(one)
    elif isinstance(content, str):
        yield content


def scenes(name):
    folder = example_scenes(SYSTEMS[name])
    return [
        [folder / kind / path.name for kind in ("label", "instance", "image")]
        for path in sorted((folder / "label").glob("*.png"))
    ]


def test_toystreet_is_there():
    assert "toystreet" in SYSTEMS


@pytest.mark.parametrize("name", SYSTEMS)
def test_it_is_small_and_names_no_machine(name):
    path = SYSTEMS[name]
    assert path.stat().st_size <= 8 * 10**6
    saved = read_checkpoint(path)
    results = json.loads(path.with_name("results.json").read_text())
    for content in (json.loads(saved["config"]), saved["meta"], results):
        assert not [text for text in texts_in(content) if Path(text).is_absolute()]
    assert all(v.dtype != torch.float64 for v in saved["state_dict"].values())


@pytest.mark.parametrize("name", SYSTEMS)
def test_its_scores_are_those_of_this_very_file(name):
    path = SYSTEMS[name]
    results = json.loads(path.with_name("results.json").read_text())
    assert {one["sha256"] for one in results["origins"].values()} == {sha256(path)}
    model = i2ibench.load(name, device="cpu")
    assert model.scores["seg/miou"] > 0.6
    assert "scores: " in repr(model) and sum(model.styles.values()) > 0


def test_its_images_of_the_example_scenes_show_what_the_labels_say():
    model = i2ibench.load("toystreet", device="cpu")
    scored = model.opened.metainfo["scored_classes"]
    rows = np.array(model.opened.metainfo["scored_ids"])
    segmenter = CompactSegmenter(len(scored), "toystreet").eval()
    right, counted = 0, 0
    for label, instance, photo in scenes("toystreet"):
        image = model(label, instance, output="tensor")
        assert image.shape[1:] == pixels(photo).shape[:2]
        found = segmenter(image[None])[0].numpy()
        meant = rows[pixels(label)]
        counts = meant != 255
        right, counted = right + (found == meant)[counts].sum(), counted + counts.sum()
    assert right / counted > 0.9


def test_three_lines_give_an_image_that_the_seed_varies():
    label, instance, _ = scenes("toystreet")[0]
    model = i2ibench.load("toystreet", device="cpu")
    image = model(label, instance)
    assert image.size == pixels(label).shape[::-1]
    assert np.array_equal(np.array(model(label, instance)), np.array(image))
    assert not np.array_equal(np.array(model(label, instance, seed=1)), np.array(image))


def test_its_editor_opens_a_scene_at_once(tmp_path):
    opened = open_checkpoint(SYSTEMS["toystreet"])
    editor = open_editor(opened, example_scenes(opened.path))
    app = create_app(editor, tmp_path, "127.0.0.1", 8000)
    with TestClient(app, base_url="http://127.0.0.1:8000") as client, Tab(client) as tab:
        welcome = tab.told["welcome"]
        assert welcome["scenes"] == [label.stem for label, _, _ in scenes("toystreet")]
        assert welcome["styles"] and welcome["photo"] and welcome["notes"] == []


def test_every_command_takes_its_name(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command("translate", "toystreet", example_scenes(SYSTEMS["toystreet"]), "images")
    assert len(list((tmp_path / "images").glob("*.png"))) == len(scenes("toystreet"))
    command("styles", "list", "toystreet")
    assert "car" in capsys.readouterr().out
    sizes = ["split=test", "num_scenes=2", "width=256", "height=128", "scene_seed=0"]
    command("prepare_data", "toystreet", "data/toystreet", "--options", *sizes)
    command(
        "eval", "toystreet", "--output", "scores", "--protocol-options", "num_scenes=2",
        "samples=1", "metrics.style_features=None", "metrics.style_control=None",
        "metrics.colour_diversity=None",
    )  # fmt: skip
    results = json.loads((tmp_path / "scores" / "results.json").read_text())
    assert "toystreet, styles sampled" in results["systems"]


def test_it_is_exported(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command("export", "toystreet", "model.onnx")
    assert "grey levels apart" in capsys.readouterr().out
    described = json.loads((tmp_path / "model.onnx.json").read_text())
    assert described["sha256"] == sha256(SYSTEMS["toystreet"])
