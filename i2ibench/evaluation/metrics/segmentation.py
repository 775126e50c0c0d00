"""Segmentation scores: can a segmenter find the labels again in the translated scene?"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2ibench.errors import MissingWeightsError, UserError
from i2ibench.evaluation.metrics import boundaries, confusion, instances
from i2ibench.models.ops.confusion import full_confusion
from i2ibench.registry import METRICS, SEGMENTERS
from i2ibench.registry.contracts import SegmentationMetric, Segmenter
from i2ibench.structures import Prediction


@METRICS.register_module()
class SegmentationScores(SegmentationMetric):
    """A segmenter's labels against the true ones: by pixel, by border and by instance.

    One confusion matrix over the whole data set. `confusion_scores`, `boundary_scores` and
    `instance_scores` (where the data has instances of things) say what each score is.

    Args:
        segmenter: config; its classes come from the data set.
        scored_classes, scored_ids, thing_ids: the data set's metainfo: the classes that count, for
            each label its row among them or 255, and by label of each thing the class's own id.
    """

    needs = ("label",)

    def __init__(
        self,
        segmenter: Mapping[str, Any],
        scored_classes: Sequence[str],
        scored_ids: Sequence[int],
        thing_ids: Mapping[str, int],
    ) -> None:
        if not scored_classes:
            raise UserError("Segmentation scores need label classes, and the data has none.")
        self.classes = list(scored_classes)
        count = len(self.classes)
        self.rows = torch.tensor([row if row < count else count for row in scored_ids])
        things = {int(label): group for label, group in thing_ids.items()}
        self.thing_rows = {int(self.rows[i]): group for i, group in things.items()}
        self.thing_rows.pop(count, None)  # a thing that is not scored
        self.better = confusion.BETTER | boundaries.BETTER
        if self.thing_rows:
            self.better = self.better | instances.BETTER
        self.unavailable: str | None = None
        self.weight_files: list[Path] = []
        try:
            facts = {"num_classes": count, "scored_classes": self.classes}
            network: Segmenter = SEGMENTERS.build_for(segmenter, facts)
            self.segmenter = network.eval().requires_grad_(False)
            file = network.weights_file
            self.weight_files = [file, *network.weight_files] if file else []
            if network.needs_weights and not file:
                self.unavailable = "The segmenter has no weights; name them in the protocol."
        except MissingWeightsError as error:
            self.unavailable = str(error)

    @torch.inference_mode()
    def measure(self, predictions: Sequence[Prediction]) -> list[NDArray[np.float64]]:
        """The counts of each scene, float64 [D]."""
        labels = self.predict([prediction["fake"] for prediction in predictions])
        return [self._row(*pair) for pair in zip(labels, predictions, strict=True)]

    def predict(self, images: Sequence[Tensor]) -> list[Tensor]:
        """The segmenter's rows for images uint8 [3,H,W], int64 [H,W] each; N = something else."""
        if len({image.shape for image in images}) > 1:
            return [self.predict([image])[0] for image in images]
        batch = torch.stack(list(images))
        return list(self.segmenter.to(batch.device)(batch))

    def true_rows(self, label: Tensor) -> Tensor:
        """The scored rows of a label map uint8 [1,H,W], int64 [H,W]; N = void."""
        return self.rows.to(label.device)[label[0].long()]

    def _row(self, predicted: Tensor, prediction: Prediction) -> NDArray[np.float64]:
        truth, count = self.true_rows(prediction["label"].to(predicted.device)), len(self.classes)
        counts = full_confusion(predicted, truth, count).flatten().tolist()
        guess, real = predicted.cpu().numpy(), truth.cpu().numpy()
        row = counts + boundaries.boundary_row(guess, real, void=count)
        if self.thing_rows:
            ids = prediction.get("instance")
            # Without instance maps the objects are unknown, not absent.
            row += (
                instances.instance_row(guess, real, ids[0].cpu().numpy(), self.thing_rows, count)
                if ids is not None
                else [0.0] * (2 * len(instances.SIZES) + instances.PER_CLASS * len(self.thing_rows))
            )
        return np.array(row, np.float64)

    def scores(self, sums: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        """Every score by name for sums of rows [..., D]."""
        count = len(self.classes) + 1
        square, rest = sums[..., : count**2], sums[..., count**2 :]
        counts = square.reshape(*sums.shape[:-1], count, count)
        scores = confusion.confusion_scores(counts, self.classes)
        scores |= boundaries.boundary_scores(rest[..., : boundaries.SIZE])
        if self.thing_rows:
            scores |= instances.instance_scores(rest[..., boundaries.SIZE :])
        return scores
