"""SDM: its schedule, objective and sampler beside those of diffusers, and laws of its images."""

import dataclasses
import sys

import numpy as np
import pytest
import torch
from i2ibench_plugins.sdm import (
    Sampling,
    Step,
    divergence,
    image_surprise,
    reverse_steps,
    spaced_times,
)
from i2ibench_plugins.sdm_unet import SemanticNorm
from torch import nn

from i2ibench.errors import UserError
from i2ibench.inference import Inference, InferenceOptions
from i2ibench.inference.trial_translation import try_translation
from i2ibench.training.hooks.random_states import random_state, restore_random_state
from i2ibench.training.optimizers import require_trained
from i2ibench.training.preflight import dry_run
from tests.unit.models.translators.test_paired import data, weights
from tests.unit.models.translators.test_waiting import waits_of
from tests.unit.plugins.denoisers import (
    Recorded,
    built,
    images_depend_on_scene_and_sample_only,
    optimizers,
)

ALL_TIMES = range(1000)


def translator(trained=True, **options):
    """Return a tiny SDM."""
    cfg = {"type": "SDMTranslator", "widths": (8, 16), "num_blocks": 1, "hidden_channels": 4}
    return built({**cfg, **options}, trained)


class Smooth(nn.Module):
    """A prediction that depends on image, time and condition, with both halves."""

    def forward(self, noisy, time, condition):
        t = time.view(-1, 1, 1, 1)
        told = condition.mean(1, keepdim=True)
        return torch.cat([(noisy + t + told).sin(), (2 * noisy - t).cos()], 1)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def scheduler(kind="DDPMScheduler", **options):
    diffusers = pytest.importorskip("diffusers", reason="pip install -e '.[diffusion]'")
    return getattr(diffusers, kind)(**options)


# The schedule


def test_noisy_images_are_those_of_diffusers_at_every_time():
    theirs = scheduler()
    image, noise = torch.full((1000, 1, 1, 1), 0.7), normal(1000, 1, 1, 1)
    found = torch.stack([s.mix(image[t], noise[t]) for t, s in enumerate(reverse_steps(ALL_TIMES))])
    wanted = theirs.add_noise(image, noise, torch.arange(1000))
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


def test_variances_and_means_are_those_of_ddpms_formulas():
    """Compute Eq. 6 and 7 of DDPM in a loop, by products of alphas."""
    betas, product = np.linspace(1e-4, 0.02, 1000), 1.0
    for t, (step, beta) in enumerate(zip(reverse_steps(ALL_TIMES), betas, strict=True)):
        before, product = product, product * (1 - beta)
        assert np.exp(step.high) == pytest.approx(beta)
        assert step.mean_image == pytest.approx(before**0.5 * beta / (1 - product))
        assert step.mean_noisy == pytest.approx((1 - beta) ** 0.5 * (1 - before) / (1 - product))
        if t:
            assert np.exp(step.low) == pytest.approx(beta * (1 - before) / (1 - product))
    first, second = reverse_steps(ALL_TIMES)[:2]
    assert (first.mean_image, first.mean_noisy) == (pytest.approx(1), 0)
    assert first.low == second.low


@pytest.mark.parametrize("steps", [1, 2, 25, 37, 1000])
def test_fewer_times_are_evenly_spaced_and_keep_the_noise_of_each_time(steps):
    times = spaced_times(steps)
    assert len(set(times)) == steps and times == sorted(times) and times[-1] == 999
    assert times[0] == (0 if steps > 1 else 999)
    gaps = np.diff(times)
    assert steps == 1 or gaps.max() - gaps.min() <= 1
    every = reverse_steps(ALL_TIMES)
    for t, step in zip(times, reverse_steps(times), strict=True):
        assert step[:2] == pytest.approx(every[t][:2]) and np.isfinite(step).all()


def test_an_image_comes_back_from_its_noisy_image_and_noise():
    image, noise = normal(2, 3, 4, 4), normal(2, 3, 4, 4, seed=1)
    for step in reverse_steps([0, 300, 700]):
        torch.testing.assert_close(
            step.unmix(step.mix(image, noise), noise), image, atol=1e-4, rtol=1e-4
        )


# The objective


def asked_in_training(times=64):
    """Return the network's inputs and output for many scenes, and the losses."""
    model, batch = translator(), data(batch=times, height=4, width=4)
    answer = torch.cat([normal(times, 3, 4, 4, seed=3), normal(times, 3, 4, 4, seed=4).tanh()], 1)
    answer.requires_grad_()
    model.denoiser = Recorded(answer)
    prepared = model.data_preprocessor(batch)
    losses = model.losses(prepared)
    noisy, time, condition = model.denoiser.asked[0]
    return prepared, answer, noisy, time, condition, losses


def bound_by_distributions(real, noisy, found, between, t):
    """Return Eq. 5 and 6 of arXiv 2102.09672 for one scene in float64, with torch.distributions."""
    step = reverse_steps(ALL_TIMES)[t]
    real, noisy, found, between = (x.double() for x in (real, noisy, found, between))
    mean = step.mean_image * (noisy - step.noise * found) / step.image + step.mean_noisy * noisy
    share = (between + 1) / 2
    deviation = (np.exp(step.high) ** share * np.exp(step.low) ** (1 - share)).sqrt()
    model = torch.distributions.Normal(mean, deviation)
    if t:
        true = torch.distributions.Normal(
            step.mean_image * real + step.mean_noisy * noisy, np.exp(step.low / 2)
        )
        return torch.distributions.kl_divergence(true, model).mean().item()
    above = torch.where(real > 0.999, 1.0, model.cdf(real + 1 / 255))
    below = torch.where(real < -0.999, 0.0, model.cdf(real - 1 / 255))
    return -(above - below).clamp(min=1e-12).log().mean().item()


def test_the_hybrid_loss_is_that_of_a_second_implementation():
    batch, answer, noisy, time, _, losses = asked_in_training()
    steps, simple, bound = reverse_steps(ALL_TIMES), 0.0, 0.0
    for b, t in enumerate((time * 1000).round().int().tolist()):
        real, found, between = batch["real"][b], *answer[b].detach().chunk(2)
        found = found + steps[t].noise * noisy[b]  # the best linear guess
        noise = (noisy[b] - steps[t].image * real) / steps[t].noise
        simple += (found - noise).square().mean().item() / len(time)
        bound += 1000 * bound_by_distributions(real, noisy[b], found, between, t) / len(time)
    assert losses.logs["simple"].item() == pytest.approx(simple, rel=1e-3)
    assert losses.logs["vlb"].item() == pytest.approx(bound, rel=1e-3)
    assert losses.totals["denoiser"].item() == pytest.approx(simple + 0.001 * bound, rel=1e-3)


def test_the_bound_trains_the_variance_and_not_the_noise():
    _, answer, _, _, _, losses = asked_in_training()
    from_bound = torch.autograd.grad(losses.logs["vlb"], answer, retain_graph=True)[0]
    from_simple = torch.autograd.grad(losses.logs["simple"], answer)[0]
    assert from_bound[:, :3].abs().max() == 0 and from_bound[:, 3:].abs().max() > 0
    assert from_simple[:, 3:].abs().max() == 0 and from_simple[:, :3].abs().max() > 0


def test_the_last_term_is_the_probability_of_the_images_values():
    """Check against torch.distributions, and that all 256 values together have probability 1."""
    real = torch.linspace(-1, 1, 256).view(1, 1, 16, 16)
    mean, variance = torch.full_like(real, 0.3), torch.full_like(real, -4.0)
    found = image_surprise(real, mean, variance, 256)
    assert (-found).exp().sum().item() == pytest.approx(1, abs=1e-4)
    step = reverse_steps(ALL_TIMES)[0]
    noisy, answer = step.mix(real, normal(*real.shape)), normal(*real.shape, seed=1)
    between = normal(*real.shape, seed=2).tanh()
    ours = image_surprise(
        real,
        step.mean(step.unmix(noisy, answer), noisy),
        step.log_variance(between),
        256,
    )
    wanted = bound_by_distributions(real, noisy, answer, between, 0)
    assert ours.mean().item() == pytest.approx(wanted, rel=1e-3)


def test_the_divergence_of_equal_distributions_is_zero():
    mean, variance = normal(1, 3, 4, 4), normal(1, 3, 4, 4, seed=1)
    assert divergence(mean, variance, mean, variance).abs().max() < 1e-6
    assert (divergence(mean, variance, mean + 0.1, variance) > 0).all()


def test_a_tenth_of_the_conditions_is_hidden_and_times_are_uniform():
    batch, _, _, time, condition, _ = asked_in_training(times=1000)
    hidden = condition.flatten(1).abs().sum(1) == 0
    assert 0.07 < hidden.float().mean() < 0.13
    assert torch.equal(condition[~hidden], batch["condition"][~hidden])
    ordered = time.sort().values
    assert (ordered - torch.linspace(0, 1, 1000)).abs().max() < 0.06  # Kolmogorov-Smirnov
    assert time.min() >= 0 and time.max() < 1


def test_a_network_that_says_nothing_gives_the_best_linear_guess_of_the_noise():
    """Compare with the regression of the noise on noisy images of unit variance."""
    model = translator()
    model.denoiser = Recorded(torch.zeros(64, 6, 32, 32))
    image, noise = normal(64, 3, 32, 32), normal(64, 3, 32, 32, seed=1)
    for t in (10, 400, 999):
        noisy = reverse_steps(ALL_TIMES)[t].mix(image, noise)
        slope = (noisy * noise).mean() / noisy.square().mean()
        found, _ = model.answer(noisy, torch.full((64,), t), torch.zeros(64, 6, 32, 32))
        torch.testing.assert_close(found, slope * noisy, atol=0.05, rtol=0)


# The sampler


def sampled(model, batch, **settings):
    prepared = model.data_preprocessor(batch)
    prepared.pop("real")
    with torch.inference_mode():
        return model.synthesise(prepared, Sampling(**settings))


@pytest.mark.parametrize("steps", [2, 5, 30])
def test_ddpm_is_that_of_diffusers_with_learned_variance(steps, monkeypatch):
    """Compare all steps, with the same noise in each."""
    model, batch = translator(), data(height=8, width=8)
    model.denoiser = Smooth()
    ours = sampled(model, batch, steps=steps, guidance=1.0)
    theirs = scheduler(variance_type="learned_range", clip_sample=True)
    times = spaced_times(steps)
    theirs.set_timesteps(timesteps=times[::-1])
    prepared = model.data_preprocessor(batch)
    images = model.noise(prepared)
    for t in times[::-1]:
        noise = model.noise(prepared, f" at {t}")
        monkeypatch.setattr(
            "diffusers.schedulers.scheduling_ddpm.randn_tensor", lambda *_, n=noise, **__: n
        )
        answer = torch.cat(model.answer(images, torch.full((2,), t), prepared["condition"]), 1)
        images = theirs.step(answer, t, images).prev_sample
    torch.testing.assert_close(ours, images.clamp(-1, 1), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("steps", [1, 4, 30])
def test_ddim_moves_as_its_equation_says(steps):
    """Compute Eq. 12 of arXiv 2010.02502 without noise, the noise recomputed after clipping."""
    pytest.importorskip("diffusers")
    model, batch = translator(), data(height=8, width=8)
    model.denoiser = Smooth()
    ours = sampled(model, batch, steps=steps, solver="ddim", guidance=1.0)
    prepared = model.data_preprocessor(batch)
    images, times = model.noise(prepared), spaced_times(steps)
    products = np.cumprod(1 - np.linspace(1e-4, 0.02, 1000))
    for t, before in zip(times[::-1], [*times[:-1][::-1], None], strict=True):
        now, then = products[t], 1.0 if before is None else products[before]
        answer = torch.cat(model.answer(images, torch.full((2,), t), prepared["condition"]), 1)
        image = (images - (1 - now) ** 0.5 * answer[:, :3]) / now**0.5
        image = image.clamp(-1, 1)
        noise = (images - now**0.5 * image) / (1 - now) ** 0.5
        images = then**0.5 * image + (1 - then) ** 0.5 * noise
    torch.testing.assert_close(ours, images.clamp(-1, 1), atol=1e-4, rtol=1e-4)


def test_ddim_of_a_divisor_of_1000_is_diffusers_own_schedule():
    """Compare one step at a time with a plain DDIMScheduler of 1000 times, every 40th of them."""
    from i2ibench_plugins.sdm import ddim_scheduler

    plain = scheduler("DDIMScheduler")
    plain.set_timesteps(25)
    times = plain.timesteps.tolist()[::-1]
    ours = ddim_scheduler(reverse_steps(times))
    images, answer = normal(1, 3, 4, 4), normal(1, 3, 4, 4, seed=1)
    for number, t in enumerate(times):
        torch.testing.assert_close(
            ours.step(answer, number, images).prev_sample,
            plain.step(answer, t, images).prev_sample,
            atol=1e-4,
            rtol=1e-4,
        )


@pytest.mark.parametrize("solver", ["ddpm", "ddim"])
def test_the_image_of_the_true_noise_is_found(solver):
    """Check that the sampler ends at the image from whose noise the network's answers come."""
    if solver == "ddim":
        pytest.importorskip("diffusers")
    model, batch = translator(), data()
    real = model.data_preprocessor(batch)["real"]
    steps = {t: s for t, s in enumerate(reverse_steps(ALL_TIMES))}

    class Oracle(nn.Module):
        def forward(self, noisy, time, condition):
            step = steps[round(float(time[0]) * 1000)]
            noise = (noisy - step.image * real) / step.noise
            return torch.cat([noise - step.noise * noisy, torch.zeros_like(noise)], 1)

    model.denoiser = Oracle()
    images = sampled(model, batch, steps=6, solver=solver, guidance=1.0)
    torch.testing.assert_close(images, real, atol=2e-3, rtol=0)


def test_guidance_of_one_is_none_and_more_moves_away_from_the_unconditional_noise():
    model, batch = translator(), data()
    prepared = model.data_preprocessor(batch)
    noise, condition = model.noise(prepared), prepared["condition"]
    with torch.inference_mode():
        told, place = model.predict(noise, 300, condition, 1)
        untold, _ = model.predict(noise, 300, torch.zeros_like(condition), 1)
        guided, guided_place = model.predict(noise, 300, condition, 2.5)
    torch.testing.assert_close(guided, untold + 2.5 * (told - untold))
    assert torch.equal(guided_place, place) and not torch.equal(told, untold)


@pytest.mark.parametrize("solver", ["ddpm", "ddim"])
@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_evaluations_count_the_runs_of_the_network(solver, guidance):
    if solver == "ddim":
        pytest.importorskip("diffusers")
    model, batch = translator(), data()
    model.denoiser = Recorded(torch.zeros(2, 6, 32, 64))
    settings = dict(steps=5, solver=solver, guidance=guidance)
    sampled(model, batch, **settings)
    assert len(model.denoiser.asked) == model.evaluations(Sampling(**settings))


def test_ddim_without_diffusers_names_the_extra_and_the_other_solver(monkeypatch):
    monkeypatch.setitem(sys.modules, "diffusers", None)
    model = translator()
    sampled(model, data(), steps=1)
    with pytest.raises(UserError, match=r'pip install "i2ibench\[diffusion\]", or use solver=ddpm'):
        sampled(model, data(), steps=1, solver="ddim")


# The network


def test_the_condition_reaches_the_decoder_alone():
    model, batch = translator(), data()
    prepared, seen = model.data_preprocessor(batch), {}
    unet = model.denoiser
    for name in ("attention", "bottom"):
        getattr(unet, name).register_forward_hook(
            lambda _, __, out, name=name: seen.setdefault(name, []).append(out)
        )
    noise, time = model.noise(prepared), torch.full((2,), 0.5)
    with torch.inference_mode():
        for condition in (prepared["condition"], prepared["condition"].flip(0)):
            unet(noise, time, condition)
    assert torch.equal(*seen["attention"]) and not torch.equal(*seen["bottom"])


def test_a_norm_begins_around_a_group_norm():
    layer, x = SemanticNorm(16, 3, 4), normal(2, 16, 6, 6)
    nn.init.zeros_(layer.modulation.weight)
    torch.testing.assert_close(layer(x, normal(2, 3, 6, 6)), nn.functional.group_norm(x, 8))


@pytest.mark.parametrize("widths", [(), (8, 12), (0,)])
def test_widths_that_groups_do_not_divide_are_refused(widths):
    with pytest.raises(UserError, match="widths are multiples of 8"):
        translator(widths=widths)


# The translator


def test_an_image_depends_on_its_scene_and_sample_and_not_on_the_batch():
    images_depend_on_scene_and_sample_only(translator(settings={"steps": 4}).eval())


ENCODER = dict(type="InstanceEncoder", base_channels=4, num_downsamplings=1)


@pytest.mark.parametrize("precision", [None, "bf16"])
@pytest.mark.parametrize("encoder", [None, ENCODER])
def test_a_step_moves_every_network_and_needs_one_optimiser(precision, encoder):
    model = translator(encoder=encoder)
    require_trained(model, model.networks())
    parts = model.parts()
    before = {name: weights(part) for name, part in parts.items()}
    logs = model.train_step([data(), data()], optimizers(model, precision))
    assert all(value.isfinite() for value in logs.values()) and logs.keys() == {"simple", "vlb"}
    assert parts.keys() == ({"denoiser", "encoder"} if encoder else {"denoiser"})
    for name, part in parts.items():
        assert weights(part).isfinite().all() and not torch.equal(weights(part), before[name])


def test_training_draws_anew_in_each_step_and_again_the_same_after_the_same_seed():
    model = translator()
    batch = model.data_preprocessor(data())
    state = random_state()
    first, second = (model.losses(batch).logs["simple"] for _ in range(2))
    restore_random_state(state)
    again = model.losses(batch).logs["simple"]
    assert torch.equal(first, again) and not torch.equal(first, second)


def test_a_scene_draws_alike_in_any_batch_of_the_same_step():
    """Check that two processes would draw the same noise for a scene as one."""
    model, batch = translator(), data(batch=3)
    state = random_state()
    asked = []
    for share in (batch, {k: v[1:2] for k, v in batch.items()}):
        model.denoiser = Recorded(torch.zeros(len(share["label"]), 6, 32, 64))
        restore_random_state(state)
        model.losses(model.data_preprocessor(share))
        asked += model.denoiser.asked
    for one, other in zip(*asked, strict=True):
        assert torch.equal(one[1:2], other)


@pytest.mark.parametrize("encoder", [None, ENCODER])
def test_a_config_is_checked_on_tensors_without_contents(encoder):
    model = translator(encoder=encoder)
    dry_run(model, 32, 64)
    for settings in ({}, {"steps": 2, "guidance": 1.0}):
        try_translation(Inference(model, InferenceOptions(settings=settings)), 30, 62)


def test_a_ddim_translation_is_checked_on_tensors_without_contents():
    pytest.importorskip("diffusers")
    options = InferenceOptions(settings={"solver": "ddim"})
    try_translation(Inference(translator(), options), 30, 62)


def test_a_step_never_makes_a_gpu_wait():
    model = translator().to("meta")
    model.data_preprocessor._device = torch.device("meta")
    batch = model.data_preprocessor(data())
    assert waits_of(lambda: model.losses(batch)) == []
    assert waits_of(lambda: model.synthesise(batch, Sampling(steps=3))) == []


def test_settings_are_frozen_and_wrong_ones_are_refused():
    model = translator(settings={"steps": 3})
    assert model.settings == Sampling(steps=3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.settings.steps = 4
    wrong = [
        ({"step": 3}, "no setting 'step'. Did you mean 'steps'"),
        ({"steps": 0}, "'steps' is from 1 to 1000, not 0"),
        ({"steps": 1001}, "'steps' is from 1 to 1000, not 1001"),
        ({"solver": "ddmi"}, "one of 'ddpm', 'ddim', not 'ddmi'"),
    ]
    for settings, message in wrong:
        with pytest.raises(UserError, match=message):
            translator(settings=settings)


def test_the_schedule_is_no_weight():
    model = translator()
    assert "schedule" not in model.state_dict()
    assert torch.equal(model.schedule[7], torch.tensor(reverse_steps(ALL_TIMES)[7]))
    assert Step(*model.schedule[7]).noise > 0
