"""What the tests of methods that make images from noise share."""

import random

import torch
from torch import nn

from i2ibench.inference import Inference
from i2ibench.registry import PREPROCESSORS, TRANSLATORS
from i2ibench.training.optimizers import build_optimizers
from tests.unit.models.translators.test_paired import data


def built(cfg, trained=False):
    """Return a method for five classes; `trained` gives values to layers that begin with zeros.

    The random numbers of what follows, also of training, are the same in each run.
    """
    torch.manual_seed(0)
    random.seed(0)
    preprocessor = PREPROCESSORS.build({"type": "LabelPreprocessor"}, num_classes=5)
    model = TRANSLATORS.build(cfg, data_preprocessor=preprocessor)
    if trained:
        for layer in model.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.normal_(layer.weight, std=0.05)
    return model


def optimizers(model, precision=None, network="denoiser", **options):
    adam = {"type": "AdamW", "lr": 1e-3, **options}
    return build_optimizers(model.networks(), {network: adam}, precision)


class Recorded(nn.Module):
    """Answers with a fixed prediction, and notes what it was asked."""

    def __init__(self, answer):
        super().__init__()
        self.answer, self.asked = answer, []

    def forward(self, mixture, time, condition):
        self.asked.append((mixture, time, condition))
        return self.answer


def images_depend_on_scene_and_sample_only(model):
    """Check that an image is that of its scene and sample, whatever else is in the batch."""
    batch = data(batch=3, height=30, width=50)
    together = Inference(model).predict(batch)
    alone = Inference(model).predict({k: v[1:2] for k, v in batch.items()})
    difference = together[1]["fake"].int() - alone[0]["fake"].int()
    assert together[1]["fake"].shape == (3, 30, 50) and difference.abs().max() <= 1
    other = Inference(model).predict(batch, sample=1)
    assert not torch.equal(other[1]["fake"], together[1]["fake"])
