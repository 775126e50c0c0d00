"""The pixel loss of pix2pix (its Eq. 3)."""

import torch.nn.functional as F
from torch import Tensor

from i2ibench.registry import LOSSES
from i2ibench.registry.contracts import Loss
from i2ibench.structures import Step


@LOSSES.register_module()
class PixelLoss(Loss):
    """Mean absolute difference between the fake and the real images."""

    def forward(self, step: Step) -> Tensor:
        """Return the mean absolute difference of the step's fake and real images, a scalar."""
        return F.l1_loss(step.fake, step.real)
