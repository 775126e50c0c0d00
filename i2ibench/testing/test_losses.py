"""A loss promises a scalar that falls as the generated image becomes better."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from i2ibench.registry.contracts import AdversarialLoss, Loss
from i2ibench.structures import DiscriminatorOutput, Step
from i2ibench.testing.parts import NUM_CLASSES, Workshop

adversarial = pytest.mark.contract("loss", of=AdversarialLoss)
other = pytest.mark.contract("loss", of=Loss)


def _adversarial(name: str, contract_part: Workshop, takes_step: bool) -> AdversarialLoss:
    """Return an adversarial loss at test size; skip the test if it reads something else."""
    loss: AdversarialLoss = contract_part("loss", name)
    if loss.takes_step != takes_step:
        pytest.skip(f"it says takes_step = {loss.takes_step}")
    return loss


@adversarial
def test_an_adversarial_loss_says_what_it_reads(name, contract_part):
    loss: AdversarialLoss = contract_part("loss", name)
    label = torch.randint(0, NUM_CLASSES, (2, 1, 8, 8), dtype=torch.uint8)
    step = _labelled_step(label[:, 0].long(), label)
    try:
        loss.generator(step if loss.takes_step else step.fake_outputs)
    except Exception as error:
        given, other = ("the Step", "False") if loss.takes_step else ("the scores", "True")
        raise AssertionError(
            f"{name} says takes_step = {loss.takes_step}, so generator is given {given}, and fails "
            f"({type(error).__name__}: {error}): let it read that, or say takes_step = {other}"
        ) from error


def _scales(requires_grad: bool = False) -> DiscriminatorOutput:
    return [
        [torch.randn(2, c, 4, 5, requires_grad=requires_grad) for c in (4, 1)] for _ in range(2)
    ]


def _step() -> Step:
    fake = torch.rand(2, 3, 32, 32, requires_grad=True)
    return Step(torch.rand(2, 6, 32, 32), fake, torch.rand(2, 3, 32, 32), _scales(True), _scales())


@other
def test_a_loss_is_a_finite_scalar_with_gradient(name, contract_part):
    loss = contract_part("loss", name)(_step())
    assert loss.shape == (), f"a loss must be a scalar; {name} gave {tuple(loss.shape)}"
    assert loss.isfinite(), f"a loss must be finite; {name} gave {loss.item()}"
    assert loss.requires_grad, f"a loss must pass a gradient on to the fake; {name}'s has none"


@other
def test_a_loss_says_whether_it_needs_a_discriminator(name, contract_part):
    loss, step = contract_part("loss", name), _step()
    if loss.needs_discriminator:
        pytest.skip("it says so")
    try:
        loss(replace(step, fake_outputs=None, real_outputs=None, discriminate=None))
    except Exception as error:
        raise AssertionError(
            f"{name} fails where the model has no discriminator ({type(error).__name__}: {error}): "
            "let it say needs_discriminator = True"
        ) from error


@other
def test_a_loss_is_zero_for_a_perfect_fake_and_positive_otherwise(name, contract_part):
    some = _step()
    perfect = Step(some.condition, some.real, some.real, some.real_outputs, some.real_outputs)
    loss = contract_part("loss", name)
    at_best, otherwise = loss(perfect).item(), loss(some).item()
    assert at_best == pytest.approx(0, abs=1e-6), (
        f"a loss must be 0 where the fake is the photo; {name} gave {at_best:.3g}"
    )
    assert otherwise > 0, f"a loss must be positive for a bad fake; {name} gave {otherwise:.3g}"


@adversarial
def test_an_adversarial_loss_gives_scalars_for_both_sides(name, contract_part):
    loss, fake = _adversarial(name, contract_part, takes_step=False), _scales(True)
    answer = loss.discriminator(_scales(), fake)
    assert isinstance(answer, tuple) and len(answer) == 2, (
        "an adversarial loss's discriminator(real, fake) must give two losses, on the photos and "
        f"on the fakes; {name} gave {type(answer).__name__}"
    )
    for side, value in zip(
        ("G", "D on photos", "D on fakes"), (loss.generator(fake), *answer), strict=True
    ):
        assert value.shape == () and value.isfinite(), (
            f"an adversarial loss must give finite scalars; {name}'s for {side} is {value}"
        )


@adversarial
def test_an_adversarial_loss_rewards_what_its_side_wants(name, contract_part):
    loss = _adversarial(name, contract_part, takes_step=False)
    high, low = ([[torch.full((1, 1, 3, 3), v)]] for v in (1.0, 0.0))
    assert loss.generator(high) < loss.generator(low), (
        f"the generator's loss must fall as the scores of its images rise; {name}'s does not"
    )
    assert loss.discriminator(high, low)[0] < loss.discriminator(low, low)[0], (
        f"the discriminator's loss on photos must fall as their scores rise; {name}'s does not"
    )
    assert loss.discriminator(high, low)[1] < loss.discriminator(high, high)[1], (
        f"the discriminator's loss on fakes must fall as their scores fall; {name}'s does not"
    )


@adversarial
def test_an_adversarial_loss_names_the_factors_in_its_terms(name, contract_part):
    weights = contract_part("loss", name).discriminator_weights
    assert all(factor > 0 for factor in weights.values()), (
        "discriminator_weights must map names of the discriminator's terms to positive factors, by "
        f"which the log divides them; {name} has {weights}"
    )


@adversarial
def test_an_adversarial_loss_counts_every_scale(name, contract_part):
    loss = _adversarial(name, contract_part, takes_step=False)
    one = [[torch.full((1, 1, 2, 2), 0.3)]]
    single, triple = loss.generator(one).item(), loss.generator(one * 3).item()
    assert triple == pytest.approx(3 * single, rel=1e-4), (
        "an adversarial loss must be summed over scales: three equal scales must give three times "
        f"the loss of one; {name} gave {triple:.4g} instead of {3 * single:.4g}"
    )


def _labelled_step(classes: Tensor, label: Tensor) -> Step:
    """Return a step whose discriminator gives the same class scores for fake and real image."""
    scores = 5.0 * F.one_hot(classes, NUM_CLASSES + 1).permute(0, 3, 1, 2).float()

    def discriminate(image: Tensor) -> DiscriminatorOutput:
        return [[image[:, :1], scores + 0 * image[:, :1]]]

    condition, image = torch.rand(2, 6, 8, 8), torch.rand(2, 3, 8, 8, requires_grad=True)
    return Step(
        condition, image, image, discriminate(image), discriminate(image), label, discriminate
    )


@adversarial
def test_an_adversarial_loss_that_reads_the_step_rewards_what_its_side_wants(name, contract_part):
    loss = _adversarial(name, contract_part, takes_step=True)
    label = torch.randint(0, NUM_CLASSES, (2, 1, 8, 8), dtype=torch.uint8)
    right = label[:, 0].long()
    passed, found_out = (
        _labelled_step(classes, label) for classes in (right, torch.full_like(right, NUM_CLASSES))
    )
    sides = {"G": (loss.generator(passed), loss.generator(found_out))}
    terms, others = loss.discriminator(passed), loss.discriminator(found_out)
    assert isinstance(terms, dict) and {"real", "fake"} <= terms.keys(), (
        "discriminator(step) must give its losses by name, 'real' and 'fake' among them; "
        f"{name} gave {terms}"
    )
    sides |= {"D on photos": (terms["real"], others["real"])}
    sides |= {"D on fakes": (others["fake"], terms["fake"])}
    for side, (low, high) in sides.items():
        assert low.shape == () and low.isfinite(), f"{name}'s loss for {side} is {low}"
        assert low < high, (
            "the generator's loss and the discriminator's on photos must fall as their pixels are "
            "seen as their classes, and the discriminator's on fakes as they are seen as made; "
            f"{name}'s for {side} does not"
        )
    assert sides["G"][0].requires_grad, f"{name} must pass a gradient on to the fake"
