"""The training step as the released pix2pixHD takes it.

The discriminator judges the fake twice (once detached, once for the generator) and the photo; the
generator's backward pass computes gradients for all weights it meets, the discriminator's and a
frozen G1's too, which are then thrown away; instances are averaged in a loop; Adam is not fused.
"""

from contextlib import contextmanager

import pytest
import torch
import torch.nn.functional as F

from i2ibench.models.losses import feature_matching, perceptual
from i2ibench.structures import Step
from plain.ops import instance_average


class PlainStep:
    """Steps of a translator's networks, in the plain way.

    Args:
        translator: its networks and losses are used; no preprocessor.
        adam: options of torch's Adam; None for a step without an update.
    """

    def __init__(self, translator, adam=None):
        self.translator = translator
        self.networks = translator.networks()
        self.optimizers = {
            name: torch.optim.Adam(parameters.values(), foreach=False, fused=False, **adam)
            for name, parameters in self.networks.items()
            if adam is not None
        }
        self.frozen = [p for p in translator.parameters() if not p.requires_grad]

    def __call__(self, batch):
        """One step down the gradients of a prepared batch; the losses of G and D."""
        for parameter in self.frozen:
            parameter.requires_grad_(True)
        generator_loss, discriminator_loss = self.losses(batch)
        self._update("generator", generator_loss)
        self._update("discriminator", discriminator_loss)
        for parameter in self.frozen:
            parameter.requires_grad_(False)
            parameter.grad = None
        return generator_loss.detach(), discriminator_loss.detach()

    def losses(self, batch):
        """The two sums of losses, with their graph."""
        own = self.translator
        condition, real = batch["condition"], batch["real"]
        inputs = condition
        if own.encoder is not None:
            features = instance_average(own.encoder.layers(real), batch["instance"])
            inputs = torch.cat([condition, features], 1)
        fake = own.generator(inputs)
        detached_outputs = self._judge(condition, fake.detach())
        real_outputs = self._judge(condition, real)
        fake_outputs = self._judge(condition, fake)
        on_real, on_fake = own.adversarial.discriminator(real_outputs, detached_outputs)
        step = Step(condition, fake, real, fake_outputs, real_outputs)
        with torchs_distance():
            others = sum(own.weights[name] * loss(step) for name, loss in own.loss_terms.items())
        return own.adversarial.generator(fake_outputs) + others, on_real + on_fake

    def _judge(self, condition, image):
        return self.translator.discriminator(torch.cat([condition, image], 1))

    def _update(self, name, loss):
        for parameter in self.networks[name].values():
            parameter.grad = None
        loss.backward()
        if name in self.optimizers:
            self.optimizers[name].step()


@contextmanager
def torchs_distance():
    """The losses take torch's l1_loss, which keeps both of its inputs."""
    with pytest.MonkeyPatch.context() as patch:
        for losses in (perceptual, feature_matching):
            patch.setattr(losses, "mean_distance", lambda x, y: F.l1_loss(x, y.detach()))
        yield
