"""Feature matching: the fake should excite the discriminator as the photo does (Eq. 4)."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from i2ibench.registry import LOSSES
from i2ibench.structures import Step


@LOSSES.register_module()
class FeatureMatching(nn.Module):
    """Mean absolute difference of the discriminator's activations on fake and photo.

    Averaged over layers (times 4) and over scales, the score layer left out, as the released code
    does: its factors 4 / (n_layers + 1) and 1 / num_D. The paper's Eq. 4 and 5 sum over both.
    """

    needs_discriminator = True

    def forward(self, step: Step) -> Tensor:
        """Scalar; the gradient flows through the fake alone."""
        assert step.fake_scales is not None and step.real_scales is not None
        distances = [
            F.l1_loss(fake, real.detach())
            for fake_layers, real_layers in zip(step.fake_scales, step.real_scales, strict=True)
            for fake, real in zip(fake_layers[:-1], real_layers[:-1], strict=True)
        ]
        return 4 * torch.stack(distances).mean()
