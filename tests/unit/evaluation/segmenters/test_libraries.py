"""Segmenters from other libraries and from exported files."""

import sys

import pytest
import torch
import torchvision

from i2ibench.errors import MissingWeightsError, UserError
from i2ibench.evaluation.protocols import build_protocol
from i2ibench.evaluation.segmenters import (
    OnnxSegmenter,
    SMPSegmenter,
    TorchScriptSegmenter,
    TorchvisionSegmenter,
    TransformersSegmenter,
)
from i2ibench.evaluation.segmenters.framing import IMAGENET
from i2ibench.registry import SEGMENTERS
from i2ibench.testing.network_files import Linear, write_onnx, write_torchscript, write_transformers

CLASSES = ["sky", "road", "car"]
IMAGES = torch.randint(0, 255, (2, 3, 40, 56), dtype=torch.uint8)
LRASPP = "lraspp_mobilenet_v3_large"


@pytest.mark.parametrize(
    ("kind", "write"), [(TorchScriptSegmenter, write_torchscript), (OnnxSegmenter, write_onnx)]
)
def test_an_exported_network_gives_the_classes_of_the_network_itself(tmp_path, kind, write):
    segmenter = kind(
        CLASSES, str(write(tmp_path, num_outputs=4)), outputs=[None, "car", "sky", "road"]
    )
    with torch.no_grad():
        outputs = Linear(4)(IMAGENET.prepared(IMAGES.float())).argmax(1)
    expected = torch.tensor([3, 2, 0, 1])[outputs]
    assert torch.equal(segmenter(IMAGES), expected)
    assert segmenter.weights_file.parent == tmp_path


def test_onnx_networks_of_one_size_run_with_that_frame_only(tmp_path):
    path = str(write_onnx(tmp_path, 3, size=(24, 32)))
    assert OnnxSegmenter(CLASSES, path, width=32, height=24)(IMAGES).shape == (2, 40, 56)
    with pytest.raises(UserError, match="64x64.*width and height"):
        OnnxSegmenter(CLASSES, path)


@pytest.mark.parametrize(
    ("kind", "write"), [(TorchScriptSegmenter, write_torchscript), (OnnxSegmenter, write_onnx)]
)
def test_wrong_counts_and_broken_files_are_refused_when_built(tmp_path, kind, write):
    path = str(write(tmp_path, num_outputs=4))
    with pytest.raises(UserError, match="4 outputs.*describe 2"):
        kind(CLASSES, path, outputs=["sky", None])
    broken = tmp_path / "broken"
    broken.write_bytes(b"nothing")
    with pytest.raises(UserError, match="cannot be read as"):
        kind(CLASSES, str(broken))
    with pytest.raises(MissingWeightsError):
        kind(CLASSES, str(tmp_path / "absent"))


def test_a_transformers_folder_gives_the_librarys_own_classes(tmp_path):
    transformers = pytest.importorskip("transformers")
    folder = write_transformers(tmp_path, 4)
    segmenter = TransformersSegmenter(CLASSES, str(folder)).eval()
    model = transformers.AutoModelForSemanticSegmentation.from_pretrained(folder).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(folder, do_resize=False)
    with torch.no_grad():
        output = model(**processor(images=list(IMAGES), return_tensors="pt"))
    expected = processor.post_process_semantic_segmentation(output, [(40, 56)] * 2)
    assert torch.equal(segmenter(IMAGES), torch.stack(list(expected)))
    assert segmenter.weights_file == folder / "model.safetensors"


def test_a_transformers_name_that_is_not_in_the_cache_is_missing_and_not_downloaded(tmp_path):
    pytest.importorskip("transformers")
    with pytest.raises(MissingWeightsError, match="save_pretrained"):
        TransformersSegmenter(CLASSES, "nobody/has-this")


def test_a_transformers_folder_without_its_image_processor_is_refused(tmp_path):
    folder = write_transformers(tmp_path, 4)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(UserError, match="transformers cannot load"):
        TransformersSegmenter(CLASSES, str(folder))


def test_a_transformers_folder_without_a_head_is_refused(tmp_path):
    transformers = pytest.importorskip("transformers")
    folder = write_transformers(tmp_path, 4)
    whole = transformers.SegformerForSemanticSegmentation.from_pretrained(folder)
    whole.segformer.save_pretrained(folder)
    with pytest.raises(UserError, match="no trained segmentation network"):
        TransformersSegmenter(CLASSES, str(folder))


@pytest.mark.parametrize("architecture", ["PSPNet", "Unet"])
def test_an_smp_state_dict_loads_by_name_and_decides_the_number_of_outputs(tmp_path, architecture):
    smp = pytest.importorskip("segmentation_models_pytorch")
    network = smp.create_model(architecture, "resnet18", encoder_weights=None, classes=5)
    torch.save(network.state_dict(), tmp_path / "x.pth")
    weights = str(tmp_path / "x.pth")
    segmenter = SMPSegmenter(CLASSES, weights, architecture=architecture).eval()
    images = IMAGES[..., :32, :32]
    with torch.no_grad():
        expected = network.eval()(IMAGENET.prepared(images.float()))
        torch.testing.assert_close(segmenter.logits(images), expected)
        assert torch.equal(segmenter(images), expected.argmax(1).clamp(max=3))
    with pytest.raises(UserError, match="5 outputs.*describe 1"):
        SMPSegmenter(CLASSES, weights, outputs=["sky"], architecture=architecture)
    with pytest.raises(UserError, match="does not fit"):
        SMPSegmenter(CLASSES, weights, architecture="FPN")


@pytest.mark.parametrize("names", [{"architecture": "PSPnot"}, {"encoder": "resnet1818"}])
def test_a_name_that_smp_does_not_have_is_refused(names):
    pytest.importorskip("segmentation_models_pytorch")
    with pytest.raises(UserError, match="segmentation-models-pytorch has no"):
        SMPSegmenter(CLASSES, **names)


def test_a_torchvision_state_dict_loads_by_name_and_decides_the_number_of_outputs(tmp_path):
    first = TorchvisionSegmenter([*CLASSES, "bus"], architecture=LRASPP).eval()
    torch.save(first.network.state_dict(), tmp_path / "x.pth")
    second = TorchvisionSegmenter(
        CLASSES, str(tmp_path / "x.pth"), outputs=["sky", "road", "car", None], architecture=LRASPP
    ).eval()
    with torch.no_grad():
        assert torch.equal(first(IMAGES), second(IMAGES))
        expected = first.network(IMAGENET.prepared(IMAGES.float()))["out"]
        torch.testing.assert_close(second.logits(IMAGES), expected)
    with pytest.raises(UserError, match="4 outputs.*describe 1"):
        TorchvisionSegmenter(CLASSES, str(tmp_path / "x.pth"), outputs=["sky"], architecture=LRASPP)
    with pytest.raises(UserError, match="Did you mean 'fcn_resnet50'"):
        TorchvisionSegmenter(CLASSES, architecture="fcn_resnet5")


def test_torchvision_weights_with_an_auxiliary_head_load(tmp_path):
    build = torchvision.models.segmentation.deeplabv3_mobilenet_v3_large
    with torch.device("meta"):
        network = build(weights=None, weights_backbone=None, num_classes=3, aux_loss=True)
    state = {name: torch.zeros_like(v, device="cpu") for name, v in network.state_dict().items()}
    torch.save(state, tmp_path / "x.pth")
    TorchvisionSegmenter(CLASSES, str(tmp_path / "x.pth"))


@pytest.mark.parametrize(
    ("kind", "module"),
    [
        (SMPSegmenter, "segmentation_models_pytorch"),
        (TransformersSegmenter, "transformers"),
        (OnnxSegmenter, "onnxruntime"),
    ],
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(
    tmp_path, monkeypatch, kind, module
):
    monkeypatch.setitem(sys.modules, module, None)
    weights = tmp_path / "x"
    weights.write_bytes(b"")
    with pytest.raises(UserError, match=rf'{module}.*pip install "i2ibench\[segmenters\]"'):
        kind(CLASSES, str(weights))


@pytest.mark.parametrize(
    ("name", "outputs", "size"),
    [("cityscapes_segformer", 19, (2048, 1024)), ("ade20k_segformer", 150, (640, 640))],
)
def test_the_segformer_protocols_score_with_a_folder_of_such_a_network(
    tmp_path, name, outputs, size
):
    folder = write_transformers(tmp_path, outputs)
    protocol = build_protocol({"type": name, "weights": str(folder), "samples": 2})
    assert protocol.name == name and protocol.samples == 2 and protocol.resize == "bicubic"
    config = dict(protocol.metrics["segmentation"]["segmenter"])
    assert (config["width"], config["height"]) == size
    small = {**config, "width": 64, "height": 32}  # the network's own size takes a minute here
    names = [str(number) for number in range(outputs)]
    segmenter = SEGMENTERS.build(small, scored_classes=names).eval()
    labels = segmenter(IMAGES)
    assert labels.shape == (2, 40, 56) and int(labels.max()) < outputs
    with pytest.raises(MissingWeightsError, match="transformers finds no model.safetensors"):
        SEGMENTERS.build({**config, "weights": "nobody/has-this"}, scored_classes=names)
