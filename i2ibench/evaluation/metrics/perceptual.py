"""LPIPS, the learned perceptual distance."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.io.weights import ALEXNET, VGG16, load_state
from i2ibench.models.ops.images import to_signed
from i2ibench.registry import METRICS
from i2ibench.registry.contracts import Metric
from i2ibench.structures import Prediction

Floats = NDArray[np.float64]

TRUNKS = {"alex": ALEXNET, "vgg": VGG16}
"""The classifiers that LPIPS takes features from, by their names in the lpips package."""


class PerceptualNetwork:
    """LPIPS v0.1 (Zhang et al. 2018): the lpips package with a trunk of torchvision.

    Args:
        net: "alex" or "vgg".
        weights: the state dict of the trunk. None looks for torchvision's file.

    Attributes:
        unavailable: the reason why the weights cannot be used, or None.
        weight_files: the file of the weights; empty if there is none.
        name: the name of the score.

    Raises:
        UserError: `net` has another value.
    """

    def __init__(self, net: Literal["alex", "vgg"], weights: str | None) -> None:
        if net not in TRUNKS:
            raise UserError(f"net is 'alex' or 'vgg', not {net!r}.")
        self.net = net
        file = Path(weights) if weights else TRUNKS[net].find()
        self.unavailable = None if file else TRUNKS[net].missing()
        if file and not file.is_file():
            self.unavailable = f"There are no weights at {file}."
        self.weight_files = [] if file is None or self.unavailable else [file]
        own = weights and Path(weights).name != TRUNKS[net].filename
        self.name = f"lpips_{net}_{Path(str(weights)).stem}" if own else f"lpips_{net}"
        self._network: nn.Module | None = None

    @torch.inference_mode()
    def features(self, image: Tensor) -> list[Tensor]:
        """Return the trunk's features of an image uint8 [3,H,W], float 1CHW for each layer.

        The feature vector of each pixel has length 1. The first call loads the weights.

        Raises:
            UserError: the weights file does not hold the trunk.
        """
        import lpips

        network = self._loaded(image.device)
        layers = network.net(network.scaling_layer(to_signed(image[None])))
        return [lpips.normalize_tensor(layer) for layer in layers]

    @torch.inference_mode()
    def between(self, first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
        """Return the LPIPS distance of two images of one size, given the `features` of each."""
        network = self._loaded(first[0].device)
        layers = zip(network.lins, first, second, strict=True)
        means = [lin((a - b) ** 2).mean((2, 3), keepdim=True) for lin, a, b in layers]
        return float(sum(means[1:], means[0]))

    def distance(self, first: Tensor, second: Tensor) -> float:
        """Return the LPIPS distance of two images uint8 [3,H,W] of one size; 0 for equal images.

        Raises:
            UserError: the weights file does not hold the trunk.
        """
        return self.between(self.features(first), self.features(second.to(first.device)))

    def _loaded(self, device: torch.device) -> Any:
        if self._network is None:
            self._network = load_lpips(self.net, self.weight_files[0])
        return self._network.to(device)


@METRICS.register_module()
class PerceptualDistance(Metric):
    """LPIPS v0.1 (Zhang et al. 2018) between fake and real images.

    Without the weights of the trunk the score is not computed.

    Args:
        net: "alex", the usual network, or "vgg".
        weights: the state dict of the trunk. None looks for torchvision's file. The name of a file
            with another name becomes part of the score's name.
    """

    needs = ("real",)

    def __init__(self, net: Literal["alex", "vgg"] = "alex", weights: str | None = None) -> None:
        self.network = PerceptualNetwork(net, weights)
        self.unavailable = self.network.unavailable
        self.weight_files = self.network.weight_files
        self.better = {self.network.name: "lower"}

    def measure(self, predictions: Sequence[Prediction]) -> list[Floats]:
        """Return for each scene float64 [2]: 1, and the LPIPS between its fake and its real image.

        Raises:
            UserError: the weights file does not hold the trunk.
        """
        return [np.array([1, self.network.distance(p["fake"], p["real"])]) for p in predictions]

    def scores(self, sums: Floats) -> dict[str, Floats]:
        """Return LPIPS averaged over scenes, by the score's name; nan without a scene.

        Args:
            sums: the rows of `measure`, added over scenes, [...,2].
        """
        return {self.network.name: mean(sums[..., 1], sums[..., 0])}


def mean(total: Floats, count: Floats) -> Floats:
    """Return `total / count` for each element; nan where the count is 0."""
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def load_lpips(net: str, path: Path) -> nn.Module:
    """Build the LPIPS network with the package's linear weights and the trunk's weights of a file.

    The network is on the CPU, in evaluation mode, and needs no gradients.

    Args:
        net: "alex" or "vgg".
        path: a state dict of torchvision's classifier.

    Raises:
        UserError: the file cannot be read or does not hold the trunk.
    """
    import lpips

    trunk = load_state(path)
    # lpips draws random weights, which are replaced below. fork_rng keeps the run's random state.
    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]):
        warnings.simplefilter("ignore")  # lpips uses old signatures of torchvision and torch
        network = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    # lpips calls torchvision's `features.N` `sliceK.N` and drops the classifier.
    own = network.net.state_dict()
    try:
        state = {key: trunk[f"features.{key.split('.', 1)[1]}"] for key in own}
        network.net.load_state_dict(state)
    except (KeyError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} does not hold {TRUNKS[net].name}: {reason}") from None
    return network.eval().requires_grad_(False)
