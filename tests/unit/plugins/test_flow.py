"""Flow matching: its objective and sampler in a second implementation, and laws of its images.

torchcfm asks for many packages, so it is no dependency of the tests. Numbers of torchcfm 1.0.7 and
torchdiffeq 0.2.5 are recorded; `pip install --no-deps torchcfm pot torchdiffeq` compares anew.
"""

import dataclasses
import math

import pytest
import torch
from i2ibench_plugins.flow import COLOUR_GAIN, Sampling
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

SOURCES = ("noise", "paint", "bridge")
every_source = pytest.mark.parametrize("source", SOURCES)


def translator(source="noise", trained=True, **options):
    """Return a tiny flow."""
    cfg = {"type": "FlowTranslator", "widths": (8, 16), "num_blocks": 1, "source": source}
    return built({**cfg, **options}, trained)


class Pull(nn.Module):
    """A prediction whose velocity is sin(3 t) - x: smooth up to the end, so that orders show."""

    def forward(self, images, time, condition):
        t = time.view(-1, 1, 1, 1)
        return images + (1 - t) * ((3 * t).sin() - images)


def velocity(t, images):
    return math.sin(3 * float(t)) - images


# The objective


def asked_in_training(source, times=64):
    """Return the network's inputs and output for many scenes, and the logged loss."""
    model, batch = translator(source), data(batch=times, height=4, width=4)
    answer = torch.rand(times, 3, 4, 4) * 2 - 1
    model.denoiser = Recorded(answer)
    prepared = model.data_preprocessor(batch)
    losses = model.losses(prepared)
    mixture, time, condition = model.denoiser.asked[0]
    return model, prepared, answer, mixture, time, condition, losses


@every_source
def test_the_loss_is_the_mean_squared_error_of_the_velocity(source):
    """Compare (x^ - x_t) / (1 - t) with (x - x_t) / (1 - t) by pixel; 1 - t is at least 0.05."""
    _, batch, answer, mixture, time, _, losses = asked_in_training(source)
    total, count = 0.0, 0
    for b, t in enumerate(time.tolist()):
        left = max(1 - t, 0.05)
        ours = (answer[b] - mixture[b]) / left
        right = (batch["real"][b] - mixture[b]) / left
        total += float((ours - right).double().square().sum())
        count += answer[b].numel()
    assert losses.logs["velocity"].item() == pytest.approx(total / count, rel=1e-5)
    assert losses.totals.keys() == {"denoiser"}


def test_mixtures_of_noise_are_straight_and_torchcfms_velocity_is_the_target():
    """Compare with x_t and u_t of torchcfm's ConditionalFlowMatcher, if it is installed."""
    _, batch, _, mixture, time, _, _ = asked_in_training("noise")
    t, photo = time.view(-1, 1, 1, 1), batch["real"]
    noise = (mixture - t * photo) / (1 - t)
    assert abs(noise.mean().item()) < 0.1 and noise.std().item() == pytest.approx(1, abs=0.1)
    torchcfm = pytest.importorskip("torchcfm")
    matcher = torchcfm.ConditionalFlowMatcher(sigma=0.0)
    _, between, target = matcher.sample_location_and_conditional_flow(noise, photo, time)
    torch.testing.assert_close(between, mixture, atol=1e-4, rtol=1e-4)
    early = time < 0.9
    ours = ((photo - mixture) / (1 - t))[early]
    torch.testing.assert_close(ours, target[early], atol=1e-3, rtol=1e-3)


def test_a_bridge_has_the_brownian_variance_on_the_way_and_none_at_its_ends():
    """Compare with BBDM's m y + (1 - m) x + sqrt(2 s (m - m^2)) e for m = 1 - t, colours y."""
    model, batch, _, mixture, time, _, _ = asked_in_training("bridge", times=256)
    t, photo = time.view(-1, 1, 1, 1), batch["real"]
    colours = model.paint(batch["condition"])
    noise = (mixture - t * photo - (1 - t) * colours) / (2 * 0.5 * (t - t**2)).sqrt()
    assert abs(noise.mean().item()) < 0.05 and noise.std().item() == pytest.approx(1, abs=0.05)
    torchcfm = pytest.importorskip("torchcfm")
    matcher = torchcfm.SchrodingerBridgeConditionalFlowMatcher(sigma=(2 * 0.5) ** 0.5)
    between = matcher.sample_xt(colours, photo, time, noise)
    torch.testing.assert_close(between, mixture, atol=1e-5, rtol=1e-5)


def test_paint_begins_at_colours_with_noise():
    model, batch, _, mixture, time, _, _ = asked_in_training("paint", times=256)
    t = time.view(-1, 1, 1, 1)
    start = (mixture - t * batch["real"]) / (1 - t)
    noise = (start - model.paint(batch["condition"])) / 0.5
    assert abs(noise.mean().item()) < 0.05 and noise.std().item() == pytest.approx(1, abs=0.05)


def test_a_tenth_of_the_conditions_is_hidden_and_times_are_logit_normal():
    _, batch, _, _, time, condition, _ = asked_in_training("noise", times=1000)
    hidden = condition.flatten(1).abs().sum(1) == 0
    assert 0.07 < hidden.float().mean() < 0.13
    assert torch.equal(condition[~hidden], batch["condition"][~hidden])
    logits = (time / (1 - time)).log()
    assert abs(logits.mean().item()) < 0.1 and logits.std().item() == pytest.approx(1, abs=0.1)


def test_colours_become_the_mean_colours_of_the_classes():
    model, batch = translator("paint", trained=False), data(batch=2, height=32, width=32)
    batch["instance"] = torch.zeros_like(batch["instance"])  # no boundaries
    means = torch.zeros(5, 3)
    prepared = model.data_preprocessor(batch)
    for c in range(5):
        means[c] = prepared["real"].movedim(1, -1)[batch["label"][:, 0] == c].mean(0)
    optimizer = torch.optim.AdamW(model.colours.parameters(), lr=2e-3, weight_decay=0.0)
    for _ in range(200):
        optimizer.zero_grad()
        model.losses(prepared).totals["denoiser"].backward()
        optimizer.step()
    found = model.paint(prepared["condition"]).movedim(1, -1)
    for c in range(5):
        torch.testing.assert_close(found[batch["label"][:, 0] == c][0], means[c], atol=0.02, rtol=0)


def test_the_networks_error_leaves_the_colours_alone():
    model = translator("paint")
    batch = model.data_preprocessor(data())
    found = torch.autograd.grad(model.losses(batch).totals["denoiser"], model.colours.weight)[0]
    alone = (model.paint(batch["condition"]) - batch["real"]).square().mean() / COLOUR_GAIN**2
    torch.testing.assert_close(found, torch.autograd.grad(alone, model.colours.weight)[0])


ENDS = torch.linspace(-2, 2, 96).view(2, 3, 4, 4)
PHOTO = torch.linspace(1, -1, 96).view(2, 3, 4, 4) ** 3
LOGITS = torch.tensor([0.4, -0.7])


def every_24th(images):
    return images.flatten()[::24].tolist()


@pytest.mark.parametrize(
    ("source", "between", "velocity"),
    [
        (
            "noise",
            [-0.203937, -0.324591, 0.014067, 0.643757],
            [3.0, 1.110568, -0.021054, -1.168799],
        ),
        ("bridge", [-0.38164, -0.412507, 0.009912, 0.440202], None),
    ],
)
def test_mixtures_and_velocities_are_those_that_torchcfm_gave(
    source, between, velocity, monkeypatch
):
    """Compare with ConditionalFlowMatcher(0), and with a bridge of sigma 1 from black (s = 0.5)."""
    model, batch = translator(source), data(batch=2, height=4, width=4)
    model.denoiser = Recorded(torch.zeros(2, 3, 4, 4))
    monkeypatch.setattr(model, "noise", lambda *_: ENDS)
    monkeypatch.setattr(model, "paint", lambda _: torch.zeros(()))
    drawn = torch.stack([LOGITS, torch.zeros(2)], 1)[:, :, None, None]
    monkeypatch.setattr("i2ibench_plugins.flow.scene_noise", lambda *_: drawn)
    model.losses({**model.data_preprocessor(batch), "real": PHOTO})
    mixture, time, _ = model.denoiser.asked[0]
    assert every_24th(mixture) == pytest.approx(between, abs=2e-6)
    if velocity:
        found = (PHOTO - mixture) / (1 - time.view(-1, 1, 1, 1))
        assert every_24th(found) == pytest.approx(velocity, abs=1e-5)


# The sampler


def batch_spec(model, batch, **settings):
    prepared = model.data_preprocessor(batch)
    prepared.pop("real")
    with torch.inference_mode():
        return model.synthesise(prepared, Sampling(**settings))


@every_source
def test_one_step_of_euler_is_the_networks_answer_at_the_start(source):
    model, batch = translator(source), data()
    answer = torch.rand(2, 3, 32, 64) * 2 - 1
    model.denoiser = Recorded(answer)
    torch.testing.assert_close(batch_spec(model, batch, steps=1), answer)
    mixture, time, condition = model.denoiser.asked[0]
    assert torch.equal(time, torch.zeros(2)) and len(model.denoiser.asked) == 1
    colours = model.paint(condition)
    assert torch.equal(mixture, colours.expand_as(mixture)) == (source == "bridge")


@every_source
@pytest.mark.parametrize("solver", ["euler", "heun"])
def test_every_source_ends_at_the_photo_that_the_network_predicts(source, solver):
    model, batch = translator(source), data()
    answer = torch.rand(2, 3, 32, 64) * 2 - 1
    model.denoiser = Recorded(answer)
    images = batch_spec(model, batch, steps=7, solver=solver)
    torch.testing.assert_close(images, answer, atol=1e-5, rtol=1e-4)


def test_heun_is_of_second_order_and_euler_of_first():
    """Check that half the step divides the error by 4 and by 2; the last step is Euler's."""
    model, batch = translator(), data()
    model.denoiser = Pull()
    exact = batch_spec(model, batch, steps=4096, solver="heun")
    errors = {
        solver: [
            (batch_spec(model, batch, steps=n, solver=solver) - exact).abs().max() for n in (32, 64)
        ]
        for solver in ("euler", "heun")
    }
    for solver, factor in (("euler", 2), ("heun", 4)):
        coarse, fine = errors[solver]
        assert (coarse / fine).item() == pytest.approx(factor, rel=0.15), solver


@pytest.mark.parametrize(
    ("solver", "recorded"),
    [
        ("euler", [0.280238, 0.367045, 0.453851, 0.540658]),
        ("heun", [0.254771, 0.347151, 0.43953, 0.53191]),
    ],
)
def test_images_are_those_that_torchdiffeq_gave(solver, recorded, monkeypatch):
    """Compare eight steps from 0 to 1, the last one by Euler."""
    model, batch = translator(), data(height=4, width=4)
    model.denoiser = Pull()
    monkeypatch.setattr(model, "noise", lambda *_: ENDS / 4)
    images = batch_spec(model, batch, steps=8, solver=solver)
    assert every_24th(images) == pytest.approx(recorded, abs=2e-6)


@pytest.mark.parametrize("solver", ["euler", "heun"])
def test_the_sampler_agrees_with_torchdiffeqs(solver):
    """Compare with the solver of torchcfm's examples; the last step is by Euler here."""
    torchdiffeq = pytest.importorskip("torchdiffeq")
    model, batch = translator(), data()
    model.denoiser = Pull()
    prepared = model.data_preprocessor(batch)
    start = model.noise(prepared)
    times = torch.linspace(0, 1, 9)
    method = {"euler": "euler", "heun": "heun2"}[solver]
    images = torchdiffeq.odeint(velocity, start, times[:-1], method=method)[-1]
    images = images + (times[-1] - times[-2]) * velocity(times[-2], images)
    ours = batch_spec(model, batch, steps=8, solver=solver)
    torch.testing.assert_close(ours, images.clamp(-1, 1), atol=1e-5, rtol=1e-5)


@every_source
def test_a_bridges_steps_together_have_the_variance_of_the_bridge(source):
    """Check the variance half-way: 2 s t (1 - t) for a bridge, none for straight paths."""
    model, batch = translator(source), data(batch=1, height=64, width=128)
    model.denoiser = Recorded(torch.zeros(1, 3, 64, 128))
    batch_spec(model, batch, steps=8)
    start, half = model.denoiser.asked[0][0], model.denoiser.asked[4][0]
    spread = (half - start / 2).std().item()
    assert spread == pytest.approx(0.5 if source == "bridge" else 0, abs=0.02)


def test_guidance_of_one_is_none_and_more_moves_away_from_the_unconditional_answer():
    model, batch = translator(), data()
    plain = batch_spec(model, batch)
    prepared = model.data_preprocessor(batch)
    assert torch.equal(batch_spec(model, batch, guidance=1.0), plain)
    assert not torch.equal(batch_spec(model, batch, guidance=2.0), plain)
    noise, blank = model.noise(prepared), torch.zeros_like(prepared["condition"])
    with torch.inference_mode():
        told, untold = (model.velocity(noise, 0.3, c, 1) for c in (prepared["condition"], blank))
        guided = model.velocity(noise, 0.3, prepared["condition"], 2.5)
    torch.testing.assert_close(guided, untold + 2.5 * (told - untold))


@pytest.mark.parametrize("solver", ["euler", "heun"])
@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_evaluations_count_the_runs_of_the_network(solver, guidance):
    model, batch = translator(), data()
    model.denoiser = Recorded(torch.zeros(2, 3, 32, 64))
    settings = dict(steps=5, solver=solver, guidance=guidance)
    batch_spec(model, batch, **settings)
    assert len(model.denoiser.asked) == model.evaluations(Sampling(**settings))


# The translator


@every_source
def test_an_image_depends_on_its_scene_and_sample_and_not_on_the_batch(source):
    images_depend_on_scene_and_sample_only(translator(source).eval())


@every_source
@pytest.mark.parametrize("precision", [None, "bf16"])
def test_a_step_moves_every_network_and_needs_one_optimiser(source, precision):
    model = translator(source)
    require_trained(model, model.networks())
    parts = model.parts()
    before = {name: weights(part) for name, part in parts.items()}
    logs = model.train_step([data(), data()], optimizers(model, precision))
    assert all(value.isfinite() for value in logs.values())
    assert logs.keys() == ({"velocity"} if source == "noise" else {"velocity", "colours"})
    assert parts.keys() == ({"denoiser"} if source == "noise" else {"denoiser", "colours"})
    for name, part in parts.items():
        assert weights(part).isfinite().all() and not torch.equal(weights(part), before[name])


def test_training_draws_anew_in_each_step_and_again_the_same_after_the_same_seed():
    model = translator()
    batch = model.data_preprocessor(data())
    state = random_state()
    first, second = (model.losses(batch).logs["velocity"] for _ in range(2))
    restore_random_state(state)
    again = model.losses(batch).logs["velocity"]
    assert torch.equal(first, again) and not torch.equal(first, second)


def test_a_scene_draws_alike_in_any_batch_of_the_same_step():
    """Check that two processes would draw the same noise for a scene as one."""
    model, batch = translator(), data(batch=3)
    model.denoiser = Recorded(torch.zeros(1))
    state = random_state()
    for share in (batch, {k: v[1:2] for k, v in batch.items()}):
        restore_random_state(state)
        model.losses(model.data_preprocessor(share))
    whole, part = model.denoiser.asked
    for one, other in zip(whole[:2], part[:2], strict=True):
        assert torch.equal(one[1:2], other)


@every_source
def test_a_config_is_checked_on_tensors_without_contents(source):
    model = translator(source)
    dry_run(model, 32, 64)
    for settings in ({}, {"steps": 2, "solver": "heun", "guidance": 1.5}):
        try_translation(Inference(model, InferenceOptions(settings=settings)), 30, 62)


@every_source
def test_a_step_never_makes_a_gpu_wait(source):
    model = translator(source).to("meta")
    model.data_preprocessor._device = torch.device("meta")
    batch = model.data_preprocessor(data())
    assert waits_of(lambda: model.losses(batch)) == []
    assert waits_of(lambda: model.synthesise(batch, Sampling(solver="heun"))) == []


def test_settings_are_frozen_and_wrong_ones_are_refused():
    model = translator(settings={"steps": 3})
    assert model.settings == Sampling(steps=3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.settings.steps = 4
    wrong = [
        ({"step": 3}, "no setting 'step'. Did you mean 'steps'"),
        ({"steps": 0}, "'steps' is from 1 on, not 0"),
        ({"steps": 2.5}, "'steps' of FlowTranslator is an integer"),
        ({"solver": "huen"}, "one of 'euler', 'heun', not 'huen'"),
    ]
    for settings, message in wrong:
        with pytest.raises(UserError, match=message):
            translator(settings=settings)


def test_an_unknown_source_is_refused_with_the_near_match():
    with pytest.raises(UserError, match="Did you mean 'bridge'"):
        translator("brige")
