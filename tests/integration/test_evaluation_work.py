"""How often an evaluation reads a file and sends an image through a network."""

from collections import Counter

import torch
from torchvision.models import alexnet

from i2ibench.data import scenes as scenes_module
from i2ibench.evaluation import image_sources as pictures
from i2ibench.evaluation.evaluate import evaluate
from i2ibench.evaluation.metrics import PerceptualDiversity, perceptual
from i2ibench.evaluation.protocols.protocol import build_protocol
from i2ibench.evaluation.segmenters import CompactSegmenter
from i2ibench.evaluation.system_sources import parse_systems
from i2ibench.registry.configuration import load_config
from i2ibench.testing.tiny_datasets import write_paired_scenes
from i2ibench.training.run import train
from tests.conftest import write_tiny_config


def test_one_pass_serves_all_metrics(tmp_path, monkeypatch):
    """A photo: for both rows of the checkpoint, the metrics, the mismatch and the floor's colours.

    Every image is read once and seen by the segmenter once, whatever metrics there are; a second
    evaluation to another folder reads photos no more than its own system asks.
    """
    count = 14  # shown scenes are 6
    config = write_tiny_config(tmp_path / "tiny.py", write_paired_scenes(tmp_path / "p", count))
    config = load_config(config, {"train_cfg.max_epochs": 1}, tmp_path / "run")
    train(config)
    photos, made, segmented = Counter(), Counter(), Counter()
    read_photo, read_made, forward = (
        scenes_module.read_image, pictures.read_image, CompactSegmenter.forward,
    )  # fmt: skip
    monkeypatch.setattr(
        scenes_module,
        "read_image",
        lambda path, wanted: photos.update([path]) or read_photo(path, wanted),
    )
    monkeypatch.setattr(
        pictures,
        "read_image",
        lambda path, wanted: made.update([path]) or read_made(path, wanted),
    )

    def seen(self, images):
        segmented["pictures"] += len(images)
        return forward(self, images)

    monkeypatch.setattr(CompactSegmenter, "forward", seen)
    subjects = parse_systems([str(tmp_path / "run" / "epoch_0001.pth")], [])
    protocol = build_protocol(config.protocol.to_dict())
    evaluate(protocol, subjects, tmp_path / "first", config)
    rows, shown, columns = 5, 6, 3
    assert segmented["pictures"] == rows * count + shown * columns
    # two rows translated, one pass for all metrics, floor's colours, mismatch; sizes are probed
    assert min(photos.values()) == 5 and max(photos.values()) <= 8
    first_samples = {k: n for k, n in made.items() if k.parent.name == "sample_0"}
    assert len(first_samples) == 2 * count
    assert sorted(first_samples.values()) == [1] * 2 * (count - shown) + [2] * 2 * shown
    for counter in (photos, made, segmented):
        counter.clear()
    evaluate(protocol, subjects, tmp_path / "second", config)
    assert segmented["pictures"] == 2 * count + shown * columns
    assert min(photos.values()) == 3


def test_samples_go_through_the_network_once_for_all_pairs(tmp_path, monkeypatch):
    weights = tmp_path / "alexnet-owt-7be5be79.pth"
    torch.save(alexnet(weights=None).state_dict(), weights)
    metric = PerceptualDiversity(weights=str(weights))
    samples = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    plainly = [
        metric.network.distance(samples[i], samples[j]) for i in range(4) for j in range(i + 1, 4)
    ]
    calls = []
    own = perceptual.PerceptualNetwork.features

    def counted(self, image):
        calls.append(1)
        return own(self, image)

    monkeypatch.setattr(perceptual.PerceptualNetwork, "features", counted)
    row = metric.measure([{"samples": samples}])[0]
    assert row.tolist() == [1, sum(plainly) / 6] and len(calls) == 4
    monkeypatch.setattr("i2ibench.evaluation.metrics.diversity.MAX_FEATURE_BYTES", 0)
    assert metric.measure([{"samples": samples}])[0].tolist() == row.tolist()
