"""Segmentation scores: can a segmenter find the labels again in the translated scene?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import Tensor

from i2ibench.errors import MissingWeightsError
from i2ibench.ops.confusion import class_iou, confusion_matrix, pixel_accuracy
from i2ibench.registry import METRICS, SEGMENTERS
from i2ibench.structures import Prediction


@METRICS.register_module()
class SegmentationScores(BaseMetric):
    """Pixel accuracy and mean IoU of a segmenter's labels against the true ones.

    One confusion matrix over the whole data set. Void pixels (classes that the data set does not
    score) are left out. As in Cityscapes' own script a class counts in the mean if it occurs among
    the true or the predicted labels.

    Args:
        segmenter: config; its class count comes from the data set.
        scored_classes, scored_ids: the data set's metainfo: the classes that count, and for each
            label its row among them or 255.
    """

    default_prefix = "seg"

    def __init__(
        self,
        segmenter: Mapping[str, Any],
        scored_classes: Sequence[str],
        scored_ids: Sequence[int],
    ) -> None:
        super().__init__()
        self.classes = list(scored_classes)
        self.rows = torch.tensor(list(scored_ids))
        self.unavailable: str | None = None
        self.weight_files: list[Path] = []
        try:
            network = SEGMENTERS.build(segmenter, num_classes=len(self.classes))
            self.segmenter = network.eval().requires_grad_(False)
            file = getattr(network, "weights_file", None)
            self.weight_files = [file] if file else []
            if hasattr(network, "weights_file") and not file:
                self.unavailable = "The segmenter has no weights; name them in the evaluator."
        except MissingWeightsError as error:
            self.unavailable = str(error)

    @torch.inference_mode()
    def process(self, data_batch: Any, data_samples: Sequence[Prediction]) -> None:
        """Count the pixels of each scene; one result per scene."""
        for prediction in data_samples:
            fake = prediction["fake"]
            predicted = self.segmenter.to(fake.device)(fake[None])[0]
            target = self.rows.to(predicted.device)[
                prediction["label"][0].to(predicted.device).long()
            ]
            self.results.append(confusion_matrix(predicted, target, len(self.classes)).cpu())

    def compute_metrics(self, results: list[Tensor]) -> dict[str, float]:
        """`pixel_acc`, `miou` (fractions), `classes_counted` and each counted class's `iou/...`."""
        confusion = torch.stack(results).sum(0)
        iou = class_iou(confusion)
        counted = ~iou.isnan()
        scores = {
            "pixel_acc": pixel_accuracy(confusion),
            "miou": iou[counted].mean().item(),
            "classes_counted": int(counted.sum()),
        }
        rows = zip(self.classes, iou.tolist(), counted.tolist(), strict=True)
        return scores | {f"iou/{name}": value for name, value, there in rows if there}
