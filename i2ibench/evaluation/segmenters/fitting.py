"""Training of a segmenter on the labelled images of a data set."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from i2ibench.data.classes import VOID
from i2ibench.data.loaders import SceneLoader
from i2ibench.errors import UserError
from i2ibench.evaluation.segmenters.compact import CompactSegmenter
from i2ibench.evaluation.segmenters.libraries import SMPSegmenter
from i2ibench.io.files import write_file
from i2ibench.io.progress import Progress
from i2ibench.models.ops.confusion import class_iou, confusion_matrix, pixel_accuracy
from i2ibench.models.ops.images import as_rgb

TrainableSegmenter = CompactSegmenter | SMPSegmenter


def fit_segmenter(
    segmenter: TrainableSegmenter,
    loader: SceneLoader,
    num_epochs: int,
    rate: float = 2e-3,
    device: str = "cpu",
) -> None:
    """Train a segmenter with cross entropy and AdamW; the learning rate falls to 0 (cosine).

    Pixels without a scored class are ignored. Brightness, contrast and noise of the images are
    varied at random, so that the segmenter also works on the slightly different images of a
    translator. Mirroring is left to the loader's transforms.

    Args:
        segmenter: the segmenter, whose weights are changed; afterwards it is on `device` and in
            evaluation mode. It is not written to a file.
        loader: real images with label maps.
        num_epochs: passes through the loader.
        rate: the learning rate at the start.
        device: the device that computes.

    Raises:
        UserError: the images do not have 8 bits, or are neither RGB nor grey.
    """
    rows = torch.tensor(loader.dataset.metainfo["scored_ids"], device=device)
    segmenter.to(device).train()
    optimizer = torch.optim.AdamW(segmenter.parameters(), lr=rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_epochs * len(loader))
    with Progress("fitting the segmenter", num_epochs * len(loader)) as progress:
        for epoch in range(num_epochs):
            loader.sampler.set_epoch(epoch)
            for data in loader:
                target = rows[data["label"][:, 0].to(device).long()]
                logits = segmenter.logits(_disturb(_rgb_images(data).to(device)))
                loss = F.cross_entropy(logits, target, ignore_index=VOID)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                progress.advance(1, f"loss {loss.item():.3f}")
    segmenter.eval()


def _rgb_images(data: Mapping[str, Any]) -> Tensor:
    """Return the real images of a batch of scenes as RGB, uint8 B3HW."""
    images: Tensor = data["image"]
    if images.dtype != torch.uint8:
        raise UserError("A segmenter is trained on images of 8 bits, and these have 16.")
    return as_rgb(images, "A segmenter")


@torch.inference_mode()
def score_segmenter(
    segmenter: TrainableSegmenter, loader: SceneLoader, device: str = "cpu"
) -> Mapping[str, float]:
    """Segment a loader's real images and return {"pixel_acc": ..., "miou": ...}, each in 0..1.

    Both come from one confusion matrix of all images. Pixels without a scored class are ignored,
    and the mean IoU leaves out classes that do not occur. The segmenter must be on `device`.

    Raises:
        UserError: the images do not have 8 bits, or are neither RGB nor grey.
    """
    metainfo = loader.dataset.metainfo
    rows = torch.tensor(metainfo["scored_ids"], device=device)
    count = len(metainfo["scored_classes"])
    confusion = torch.zeros(count, count + 1, dtype=torch.int64)
    for data in loader:
        target = rows[data["label"][:, 0].to(device).long()]
        confusion += confusion_matrix(segmenter(_rgb_images(data).to(device)), target, count).cpu()
    return {
        "pixel_acc": pixel_accuracy(confusion),
        "miou": class_iou(confusion).nanmean().item(),
    }


def save_segmenter(segmenter: TrainableSegmenter, path: Path) -> None:
    """Write a segmenter's weights to a file, as a state dict with float16 numbers.

    A segmenter reads the file by its option `weights`. An existing file is replaced, whole or not
    at all.
    """
    network = segmenter.network if isinstance(segmenter, SMPSegmenter) else segmenter
    state: dict[str, Any] = {
        name: value.half() if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    write_file(path, lambda aside: torch.save(state, aside))


def _disturb(images: Tensor) -> Tensor:
    """Return copies of images uint8 B3HW with random brightness, contrast and noise, uint8 B3HW."""
    shape = (len(images), 1, 1, 1)
    contrast = torch.empty(shape, device=images.device).uniform_(0.8, 1.25)
    brightness = torch.empty(shape, device=images.device).uniform_(-20, 20)
    noise = torch.randn(images.shape, device=images.device)
    strength = torch.empty(shape, device=images.device).uniform_(0, 10)
    varied = (images.float() - 127.5) * contrast + 127.5 + brightness + noise * strength
    return varied.clamp_(0, 255).round_().to(torch.uint8)
