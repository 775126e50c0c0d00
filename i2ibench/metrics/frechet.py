"""The Fréchet Inception distance, as clean-fid defines it."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from numpy.typing import NDArray
from torch import Tensor

from i2ibench.registry import METRICS
from i2ibench.structures import Prediction
from i2ibench.weights import INCEPTION


@METRICS.register_module()
class FrechetInceptionDistance(BaseMetric):
    """FID between translated scenes and photos (Heusel et al. 2017) with clean-fid's protocol.

    Pictures are resized to 299x299 by clean-fid's antialiased bicubic filter and described by the
    Inception network of 2015-12-05; without that file there is no FID and no substitute.
    """

    default_prefix = "fid"
    compares_with_photo = True

    def __init__(self) -> None:
        super().__init__()
        file = INCEPTION.find()
        self.unavailable = None if file else INCEPTION.missing()
        self.weight_files = [file] if file else []
        self._network: torch.nn.Module | None = None

    def process(self, data_batch: Any, data_samples: Sequence[Prediction]) -> None:
        """The Inception features of each fake and its photo; one result per scene."""
        for prediction in data_samples:
            assert "real" in prediction
            pair = self._features(torch.stack([prediction["fake"].cpu(), prediction["real"].cpu()]))
            self.results.append(pair)

    def compute_metrics(self, results: list[Tensor]) -> dict[str, float]:
        """`fid`, and `n`, the number of scenes; FIDs of different n do not compare."""
        features = torch.stack(results).double().numpy()
        if len(features) < 2:
            return {"fid": float("nan"), "n": len(features)}
        return {"fid": frechet_distance(features[:, 0], features[:, 1]), "n": len(features)}

    @torch.inference_mode()
    def _features(self, images: Tensor) -> Tensor:
        from cleanfid.inception_torchscript import InceptionV3W
        from cleanfid.resize import build_resizer

        if self._network is None:
            folder = str(INCEPTION.require().parent)
            with warnings.catch_warnings():
                # The official file is a TorchScript archive, which newer torch calls deprecated.
                warnings.simplefilter("ignore")
                self._network = InceptionV3W(folder, download=False, resize_inside=False).eval()
        resize = build_resizer("clean")
        small = [torch.from_numpy(resize(i.permute(1, 2, 0).numpy())) for i in images]
        return self._network(torch.stack(small).permute(0, 3, 1, 2).float()).cpu()


def frechet_distance(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Fréchet distance between the Gaussians fitted to two sets of features, [n,d] each.

    Tr sqrt(S_x S_y) is the sum of the singular values of A B^T, where A^T A = S_x and B^T B = S_y:
    exact for any n and d, without a matrix square root.
    """
    mean_x, mean_y = x.mean(0), y.mean(0)
    a = (x - mean_x) / np.sqrt(len(x) - 1)
    b = (y - mean_y) / np.sqrt(len(y) - 1)
    product = a @ b.T if len(x) + len(y) <= 2 * x.shape[1] else _triangular(a) @ _triangular(b).T
    cross = np.linalg.svd(product, compute_uv=False).sum()
    spread = np.square(a).sum() + np.square(b).sum()
    return float(np.square(mean_x - mean_y).sum() + spread - 2 * cross)


def _triangular(a: NDArray[np.float64]) -> NDArray[np.float64]:
    """R of the QR decomposition: R^T R = A^T A with at most d rows."""
    factor: NDArray[np.float64] = np.linalg.qr(a, mode="r")  # type: ignore[assignment]
    return factor
