"""The average of the weights."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from i2ibench.errors import UserError
from i2ibench.models.translators.base import Translator
from i2ibench.training.hooks import ExponentialMovingAverage


class Model(Translator):
    TRAINING_ONLY = ("discriminator",)

    def __init__(self):
        super().__init__(nn.Identity())
        self.generator = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        self.discriminator = nn.Linear(2, 1)

    def losses(self, batch):
        raise NotImplementedError

    def synthesise(self, batch, settings):
        raise NotImplementedError


@pytest.fixture
def runner():
    return SimpleNamespace(model=Model())


def steps(hook, runner, count):
    """The weights after each of some steps that set them at random."""
    seen = []
    for _ in range(count):
        with torch.no_grad():
            for parameter in runner.model.parameters():
                parameter.normal_()
        runner.model.generator[1].num_batches_tracked += 1
        seen.append(runner.model.generator[0].weight.detach().double().clone())
        hook.after_train_iter(runner, 0)
    return seen


def saved(hook, runner):
    checkpoint = {"state_dict": runner.model.state_dict()}
    hook.before_save_checkpoint(runner, checkpoint)
    return checkpoint


def test_the_average_is_the_sum_over_all_steps(runner):
    hook = ExponentialMovingAverage(decay=0.3)
    expected = runner.model.generator[0].weight.detach().double().clone()
    hook.before_run(runner)
    for t, weights in enumerate(steps(hook, runner, 8), start=1):
        decay = min(0.3, (1 + t) / (10 + t))
        expected = decay * expected + (1 - decay) * weights
    average = saved(hook, runner)["ema_state_dict"]
    torch.testing.assert_close(average["generator.0.weight"].double(), expected)
    assert int(average["generator.1.num_batches_tracked"]) == 8


def test_the_discriminator_has_no_average(runner):
    hook = ExponentialMovingAverage()
    hook.before_run(runner)
    assert not [k for k in saved(hook, runner)["ema_state_dict"] if "discriminator" in k]


def test_showing_the_average_exchanges_it_and_a_checkpoint_meanwhile_is_right(runner):
    hook = ExponentialMovingAverage(decay=0.5)
    hook.before_run(runner)
    steps(hook, runner, 3)
    before = {k: v.clone() for k, v in runner.model.state_dict().items()}
    outside = saved(hook, runner)
    outside = {k: {n: x.clone() for n, x in outside[k].items()} for k in outside if "dict" in k}
    with pytest.raises(KeyboardInterrupt), hook.averaged(runner.model):
        shown = runner.model.state_dict()["generator.0.weight"]
        assert torch.equal(shown, outside["ema_state_dict"]["generator.0.weight"])
        inside = saved(hook, runner)
        for kind in outside:
            assert all(torch.equal(inside[kind][n], x) for n, x in outside[kind].items())
        raise KeyboardInterrupt
    assert all(torch.equal(x, before[name]) for name, x in runner.model.state_dict().items())


@pytest.mark.parametrize("decay", [-0.1, 1, 1.5])
def test_a_decay_that_averages_nothing_is_refused(decay):
    with pytest.raises(UserError, match="from 0 to below 1"):
        ExponentialMovingAverage(decay=decay)
