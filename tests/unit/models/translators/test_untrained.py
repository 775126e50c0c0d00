"""Parameters without an optimiser raise an error that names them."""

import pytest
import torch
from torch import nn

from i2ibench.errors import UserError
from i2ibench.models.translators.paired import PairedTranslator
from i2ibench.registry import LOSSES, PREPROCESSORS, TRANSLATORS
from i2ibench.registry.contracts import Loss
from i2ibench.training.optimizers import require_trained


@LOSSES.register_module(force=True)
class LearntScale(Loss):
    """A loss with a parameter of its own."""

    def __init__(self, frozen: bool = False) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()), requires_grad=not frozen)

    def forward(self, step):
        return self.scale * (step.fake - step.real).abs().mean()


def translator(**options) -> PairedTranslator:
    generator = {"type": "CoarseToFineGenerator", "base_channels": 4, "num_downsamplings": 1,
                 "num_blocks": 1, "num_enhancers": 0}  # fmt: skip
    config = {"type": "PairedTranslator", "generator": generator, **options}
    preprocessor = PREPROCESSORS.build({"type": "LabelPreprocessor"}, num_classes=3)
    return TRANSLATORS.build(config, data_preprocessor=preprocessor)


def test_a_parameter_inside_a_loss_is_named():
    built = translator(losses={"pixel": {"type": "LearntScale"}})
    with pytest.raises(
        UserError, match=r"No optimiser would train loss_terms\.pixel\.scale.*Freeze"
    ):
        require_trained(built, built.networks())


def test_a_network_of_another_name_is_named():
    built = translator(losses={"pixel": {"type": "PixelLoss"}})
    built.mapping = nn.Linear(2, 2)
    with pytest.raises(UserError, match=r"mapping\.weight, mapping\.bias"):
        require_trained(built, built.networks())


def test_frozen_parameters_need_no_optimiser():
    built = translator(losses={"pixel": {"type": "LearntScale", "frozen": True}})
    require_trained(built, built.networks())
