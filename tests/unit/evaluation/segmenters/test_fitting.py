"""Training a segmenter on photos."""

import pytest
import torch
import torch.nn.functional as F

from i2ibench.cli.main import main
from i2ibench.data.loaders import build_dataset, build_loader
from i2ibench.evaluation.segmenters import CompactSegmenter, SMPSegmenter
from i2ibench.evaluation.segmenters.fitting import fit_segmenter, save_segmenter, score_segmenter

CLASSES = ["sky", "road", "car"]


def loader(root):
    cfg = {"dataset": {"type": "PairedFolder", "split": "train"}, "batch_size": 3}
    return build_loader(build_dataset(cfg, str(root)), cfg, training=True)


def pspnet():
    pytest.importorskip("segmentation_models_pytorch")
    return SMPSegmenter(CLASSES)


def compact():
    return CompactSegmenter(3, base_channels=8)


def loss(segmenter, data, scored_ids):
    target = torch.tensor(scored_ids)[data["label"][:, 0].long()]
    with torch.no_grad():
        return F.cross_entropy(segmenter.logits(data["image"]), target, ignore_index=255).item()


@pytest.mark.parametrize("build", [pspnet, compact])
def test_a_few_steps_lower_the_loss_and_the_saved_weights_score_the_same(
    paired_root, tmp_path, build
):
    segmenter, scenes = build(), loader(paired_root)
    data, ids = next(iter(scenes)), scenes.dataset.metainfo["scored_ids"]
    before = loss(segmenter.train(), data, ids)
    fit_segmenter(segmenter, scenes, num_epochs=4)
    assert loss(segmenter.train(), data, ids) < 0.7 * before
    path = tmp_path / "new" / "weights.pth"
    save_segmenter(segmenter.eval(), path)
    assert [p.name for p in path.parent.iterdir()] == ["weights.pth"]
    options = {"base_channels": 8} if build is compact else {}
    facts = 3 if build is compact else CLASSES
    again = type(segmenter)(facts, weights=str(path), **options).eval()
    first, second = (score_segmenter(network, scenes) for network in (segmenter, again))
    assert first == pytest.approx(second, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["compact", "pspnet"])
def test_the_command_trains_either_segmenter(tiny_config, tmp_path, capsys, kind):
    if kind == "pspnet":
        pytest.importorskip("segmentation_models_pytorch")
    output = tmp_path / "out" / "x.pth"
    main("train_segmenter", [str(tiny_config), str(output), "--segmenter", kind,
                             "--epochs", "1", "--batch-size", "2", "--device", "cpu"])  # fmt: skip
    assert "validation pixel_acc: 0." in capsys.readouterr().out
    reloaded = SMPSegmenter if kind == "pspnet" else CompactSegmenter
    reloaded(CLASSES if kind == "pspnet" else 3, weights=str(output))
