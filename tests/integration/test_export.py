"""Exported files give the images of the system that they were made from, in other programs."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import i2ibench
from i2ibench.inference.export import files
from i2ibench.inference.export.graph import example_inputs
from i2ibench.testing.tiny_datasets import write_paired_scenes
from tests.conftest import write_tiny_config
from tests.integration.runs import SHORT, command, refusal

FLOW = """
_base_ = "tiny.py"
model = dict(_delete_=True, type="FlowTranslator", widths=(8, 8), num_blocks=1)
optimizers = dict(_delete_=True, denoiser=dict(type="Adam", lr=1e-3))
hooks = dict(styles=None)
"""
DROPOUT = """
_base_ = "tiny.py"
model = dict(
    generator=dict(_delete_=True, type="UNetGenerator", num_levels=3, base_channels=4), encoder=None
)
hooks = dict(styles=None)
"""
PLAIN = """
_base_ = "tiny.py"
model = dict(encoder=None)
data_preprocessor = dict(boundaries=False)
hooks = dict(styles=None)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    write_tiny_config(folder / "tiny.py", write_paired_scenes(folder / "paired", count=2))
    for name, text in (("flow", FLOW), ("dropout", DROPOUT), ("plain", PLAIN)):
        (folder / f"{name}.py").write_text(text)
    return folder


def trained(folder, name):
    torch.manual_seed(0)
    return i2ibench.train(folder / f"{name}.py", SHORT, folder / f"run_{name}")


@pytest.fixture(scope="module")
def run(folder):
    return trained(folder, "tiny")


@pytest.fixture(scope="module")
def exported(run):
    """The run as ONNX, with its description beside it."""
    command("export", run, run.parent / "model.onnx")
    return run.parent / "model.onnx"


def by_onnx(path, given):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, given)[0]


def by_torch(path, given):
    module = torch.export.load(path).module()
    return module(*(torch.from_numpy(value) for value in given.values())).detach().numpy()


@pytest.mark.parametrize("ending", ["onnx", "pt2"])
def test_a_file_gives_the_image_of_the_system_in_chosen_modes(
    run, exported, tmp_path, capsys, ending
):
    target, open_file = exported, by_onnx
    if ending == "pt2":
        target, open_file = tmp_path / "model.pt2", by_torch
        command("export", run, target)
        assert capsys.readouterr().out.count("grey levels apart") == 3
    model = i2ibench.load(run, device="cpu")
    for height, width in ((64, 32), (33, 50)):
        scene = example_inputs((height, width), 4, 3)
        label, instance = scene["label"].numpy(), scene["instance"].numpy()
        numbers = [int(i) for i in np.unique(instance)]
        counts = model.opened.inference.bank.counts
        classes = {n: np.bincount(label[instance == n]).argmax() for n in numbers}
        styles = {n: k % int(counts[classes[n]]) for k, n in enumerate(numbers)}
        # A pixel's mode is that of its own class; in Python the instance has one.
        label = np.vectorize(classes.__getitem__)(instance).astype(np.uint8)
        modes = np.vectorize(styles.__getitem__)(instance).astype(np.uint8)
        ids = np.array([c.id for c in model.classes], np.uint8)[label]
        expected = model(ids, instance, styles=styles, output="numpy")
        made = open_file(target, {"label": label, "instance": instance, "modes": modes})
        assert made.dtype == np.uint8 and made.shape == expected.shape
        assert np.abs(made.astype(int) - expected).max() <= 1


def test_the_description_says_what_a_program_needs(exported):
    described = json.loads(exported.with_name("model.onnx.json").read_text())
    assert described["inputs"] == ["label", "instance", "modes"]
    assert [c["name"] for c in described["classes"]] == ["sky", "road", "car", "void"]
    assert described["classes"][2]["thing"] and described["classes"][2]["modes"] > 0
    assert [p["largest"] <= 1 for p in described["parity"]] == [True] * 3
    properties = onnx.load(exported).metadata_props
    (inside,) = [json.loads(p.value) for p in properties if p.key == "i2ibench"]
    assert inside["sha256"] == described["sha256"]


def test_16_bit_floats_make_the_file_smaller(run, exported, tmp_path):
    command("export", run, tmp_path / "half.onnx", "--fp16")
    assert (tmp_path / "half.onnx").stat().st_size < exported.stat().st_size
    parity = json.loads((tmp_path / "half.onnx.json").read_text())["parity"]
    assert max(p["largest"] for p in parity) <= 8


def test_a_flow_takes_its_noise_as_an_input(folder, tmp_path):
    command("export", trained(folder, "flow"), tmp_path / "flow.onnx", "--set", "steps=1")
    described = json.loads((tmp_path / "flow.onnx.json").read_text())
    assert described["inputs"] == ["label", "instance", "noise"]
    given = example_inputs((32, 64), 4, 3)
    names = {name: given[name].numpy() for name in described["inputs"]}
    first = by_onnx(tmp_path / "flow.onnx", names)
    other = by_onnx(tmp_path / "flow.onnx", {**names, "noise": -names["noise"]})
    assert first.shape == (32, 64, 3) and not np.array_equal(first, other)


def test_a_system_without_instances_takes_the_label_map_alone(folder, tmp_path):
    command("export", trained(folder, "plain"), tmp_path / "plain.pt2")
    assert json.loads((tmp_path / "plain.pt2.json").read_text())["inputs"] == ["label"]


def test_what_cannot_be_exported_is_refused_and_nothing_is_written(
    folder, run, tmp_path, capsys, monkeypatch
):
    said = refusal(capsys, "export", trained(folder, "dropout"), tmp_path / "unet.onnx")
    assert "stays in training mode or draws random numbers" in said
    assert "ends in .onnx or .pt2" in refusal(capsys, "export", run, tmp_path / "model.tflite")
    assert "is a folder" in refusal(capsys, "export", run, tmp_path)
    monkeypatch.setattr(files, "find_spec", lambda name: None)
    said = refusal(capsys, "export", run, tmp_path / "model.onnx")
    assert "pip install 'i2ibench[export]'" in said
    assert not list(tmp_path.iterdir())


def test_a_file_that_gives_other_images_is_not_kept(run, tmp_path, capsys, monkeypatch):
    (tmp_path / "model.pt2").write_bytes(b"an earlier file")
    opened = files._program_runner

    def wrong(path, names):
        right = opened(path, names)
        return lambda inputs: right(inputs) // 2

    monkeypatch.setattr(files, "_program_runner", wrong)
    said = refusal(capsys, "export", run, tmp_path / "model.pt2")
    assert "is not written, because its images differ" in said
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"an earlier file"]
