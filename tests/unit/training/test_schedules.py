"""Schedules: for all optimisers or for each, by epochs or by updates; mistakes are said."""

import pytest
import torch
from torch import nn

from i2ibench.errors import UserError
from i2ibench.training.optimizers import build_optimizers
from i2ibench.training.schedules import schedules_of

NETWORKS = {"generator": {"g": nn.Parameter(torch.zeros(1))},
            "discriminator": {"d": nn.Parameter(torch.zeros(1))}, "judge": {}}  # fmt: skip
WARM_UP = {"type": "LinearLR", "start_factor": 0.1, "begin": 0, "end": 20, "by_epoch": False}
DECAY = {"type": "LinearLR", "start_factor": 1.0, "end_factor": 0.0, "begin": 2}


def of(entries, epochs=4, updates=10):
    adam = {"type": "Adam", "lr": 0.5}
    optimizers = build_optimizers(NETWORKS, {"generator": adam, "discriminator": adam})
    schedules = schedules_of({"param_scheduler": entries}, NETWORKS, optimizers, epochs, updates)
    for optimizer in optimizers.values():
        assert optimizer.param_groups[0]["lr"] == 0.5  # trying them has changed nothing
    return schedules


def test_a_list_is_for_every_optimizer():
    assert of([WARM_UP, DECAY]) == dict.fromkeys(("generator", "discriminator"), [WARM_UP, DECAY])
    assert of([]) == of(None) == {"generator": [], "discriminator": []}


def test_a_dict_has_a_list_for_each_optimizer_and_the_others_keep_their_rate():
    of_generator = {"generator": [WARM_UP], "judge": [DECAY]}
    assert of(of_generator) == {"generator": [WARM_UP], "discriminator": []}


def test_epochs_can_be_converted_to_updates():
    converted = {**DECAY, "convert_to_iter_based": True}
    assert of([converted])["generator"] == [converted]


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ({"generatr": [DECAY]},
         "no optimizer 'generatr'. Did you mean 'generator'. Optimizers: generator, discriminator"),
        ({"generator": DECAY}, r"param_scheduler.generator must be a list of schedules, not \{"),
        (["LinearLR"], "a dict with a 'type', not 'LinearLR'"),
        ([{"type": "LinearLRR"}], "'LinearLR'"),
        ([{"type": "os.system"}], "has no parameter scheduler 'os.system'"),
        ([{**DECAY, "start": 1}], "no option 'start'. Did you mean 'start_factor'"),
        ([{**DECAY, "begin": 4}], "LinearLR refuses its options: end should be larger than begin"),
        ([{**DECAY, "start_factor": 3.0}], "LinearLR refuses its options: Starting"),
        ([{**WARM_UP, "begin": 20}], "end should be larger than begin"),
        ([{**DECAY, "by_epoch": False, "convert_to_iter_based": True}], "Only epoch-based"),
        ([{"type": "MultiStepLR"}], "milestones"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_schedule_is_refused_with_its_name(entries, said):
    with pytest.raises(UserError, match=said):
        of(entries)
