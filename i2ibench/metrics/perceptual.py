"""LPIPS, the learned perceptual distance."""

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from torch import nn

from i2ibench.ops.images import to_signed
from i2ibench.registry import METRICS
from i2ibench.structures import Prediction
from i2ibench.weights import ALEXNET, load_state


@METRICS.register_module()
class PerceptualDistance(BaseMetric):
    """LPIPS v0.1 with AlexNet (Zhang et al. 2018) between translated scene and photo.

    Without torchvision's AlexNet weights there is no LPIPS and no substitute.
    """

    default_prefix = "lpips"
    compares_with_photo = True

    def __init__(self) -> None:
        super().__init__()
        file = ALEXNET.find()
        self.unavailable = None if file else ALEXNET.missing()
        self.weight_files = [file] if file else []
        self._network: nn.Module | None = None

    @torch.inference_mode()
    def process(self, data_batch: Any, data_samples: Sequence[Prediction]) -> None:
        """The distance of each scene from its photo; one result per scene."""
        if self._network is None:
            self._network = load_lpips()
        for prediction in data_samples:
            assert "real" in prediction
            fake = to_signed(prediction["fake"][None])
            real = to_signed(prediction["real"][None]).to(fake.device)
            self.results.append(self._network.to(fake.device)(fake, real).item())

    def compute_metrics(self, results: list[float]) -> dict[str, float]:
        """`lpips_alex`: the mean over scenes."""
        return {"lpips_alex": sum(results) / len(results)}


def load_lpips() -> nn.Module:
    """The LPIPS network: lpips' own linear weights over torchvision's AlexNet.

    Raises:
        UserError: the AlexNet weights are missing.
    """
    import lpips

    trunk = load_state(ALEXNET.require())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lpips uses torchvision's and torch's older signatures
        network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    # lpips files torchvision's `features.N` under `sliceK.N`, and drops the classifier.
    own = network.net.state_dict()
    network.net.load_state_dict({key: trunk[f"features.{key.split('.', 1)[1]}"] for key in own})
    return network.eval().requires_grad_(False)
