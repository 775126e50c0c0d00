"""A translator promises losses that train every network, and images that a scene decides."""

import copy
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from i2ibench.errors import UserError
from i2ibench.inference import Inference, InferenceOptions
from i2ibench.inference.trial_translation import try_translation
from i2ibench.models.translators.base import Translator, method_named
from i2ibench.models.translators.build import drop_training_parts
from i2ibench.registry import TRANSLATORS
from i2ibench.structures import Losses
from i2ibench.testing import translator_fixtures as methods
from i2ibench.training.optimizers import require_trained
from i2ibench.training.preflight import dry_run

ATTEMPTS = 8
"""A parameter gets a gradient in one of so many batches: losses may draw what takes part."""

GREY_LEVELS = 1
"""Rounding may change an image by so much."""

contract = pytest.mark.contract("translator")


@contract
def test_a_translator_is_a_class_with_frozen_settings_and_names_real_parts(name, contract_part):
    method = _refused_by_no_one(method_named, name)
    translator = methods.built(name, contract_part)
    known = {*TRANSLATORS.parameters(name), *dict(translator.named_children())}
    for left_out in method.TRAINING_ONLY:
        assert left_out in known, (
            f"TRAINING_ONLY must name options of the constructor or submodules; {name} has no "
            f"{left_out!r}"
        )
    parts, translating = translator.parts(), translator.translation_parts()
    assert translating and set(translating) <= parts.keys(), (
        "translation_parts() must name the parts that make images, of "
        f"{', '.join(parts)}; {name} names {', '.join(translating) or 'none'}"
    )
    assert all(part is getattr(translator, part_name) for part_name, part in parts.items()), (
        f"parts() must give direct submodules under their own names; {name} gives "
        f"{', '.join(parts)}"
    )
    assert translator.evaluations(translator.settings) >= 1, (
        f"evaluations(settings) must count how often a network runs for an image; {name} says "
        f"{translator.evaluations(translator.settings)}"
    )


@contract
def test_a_translators_losses_and_images_run_on_tensors_without_contents(name, contract_part):
    _require_shapes(methods.built(name, contract_part))


@contract
def test_a_translator_makes_as_many_channels_as_the_photos_have_or_refuses(name, contract_part):
    try:
        translator = methods.built(name, contract_part, image_channels=2)
    except UserError:
        return  # no photos but RGB are for it, and it says so
    _require_shapes(translator)


def _require_shapes(translator: Translator) -> None:
    """Fail if losses or a translation do not run on tensors without contents."""
    size = methods.size_for(translator)
    _refused_by_no_one(dry_run, translator, *size)
    _refused_by_no_one(try_translation, Inference(translator.eval()), *size)


@contract
def test_a_translators_losses_are_finite_scalars_one_for_each_network(name, contract_part):
    translator = methods.built(name, contract_part)
    losses = translator.losses(methods.batch_for(translator))
    assert isinstance(losses, Losses), (
        f"losses(batch) must give i2ibench.structures.Losses; {name} gave {type(losses).__name__}"
    )
    trained = {name for name, found in translator.networks().items() if found}
    assert losses.totals.keys() == trained, (
        "losses(batch).totals must have one total for each network that is trained; "
        f"{name} has {', '.join(losses.totals) or 'none'} for {', '.join(sorted(trained))}"
    )
    for key, value in {**losses.totals, **losses.logs}.items():
        assert isinstance(value, Tensor) and value.shape == () and value.isfinite(), (
            f"totals and logs must be finite scalar tensors; {name}'s {key!r} is {value}"
        )
    assert losses.logs, f"losses(batch).logs must name what the log shows; {name} names nothing"


@contract
def test_a_translator_trains_every_parameter_that_is_not_frozen(name, contract_part):
    translator = methods.shaken(methods.built(name, contract_part)).train()
    networks = translator.networks()
    _refused_by_no_one(require_trained, translator, networks)
    own = dict(translator.named_parameters())
    listed = [weight for weights in networks.values() for weight in weights]
    for weight in listed:
        assert weight in own and listed.count(weight) == 1, (
            "networks() must give parameters by their names in named_parameters(), each to one "
            f"optimiser; {name} gives {weight!r} {listed.count(weight)} times"
        )
    without = set(listed)
    for _ in range(ATTEMPTS):
        without -= _reached(translator, networks)
        if not without:
            return
    pytest.fail(
        f"every trained parameter must get a gradient from its network's total; {name}'s "
        f"{', '.join(sorted(without)[:3])} gets none (remove it, freeze it by "
        "requires_grad_(False), or let the loss depend on it)"
    )


def _reached(translator: Any, networks: dict[str, dict[str, nn.Parameter]]) -> set[str]:
    """Return the names of the parameters that get a finite gradient from a random batch.

    Each parameter's gradient is that of the total of its own network.
    """
    totals = translator.losses(methods.batch_for(translator)).totals
    found = set()
    for network, weights in networks.items():
        if weights:
            gradients = torch.autograd.grad(
                totals[network], list(weights.values()), retain_graph=True, allow_unused=True
            )
            pairs = zip(weights, gradients, strict=True)
            found |= {weight for weight, g in pairs if g is not None and g.isfinite().all()}
    return found


@contract
@pytest.mark.parametrize("batches", [1, 2])
def test_a_training_step_changes_every_network_and_nothing_else(name, batches, contract_part):
    translator = methods.built(name, contract_part).train()
    networks = translator.networks()
    before = {key: value.detach().clone() for key, value in translator.named_parameters()}
    data = methods.scenes("ab", methods.size_for(translator))
    logs = translator.train_step(
        data if batches == 1 else [data] * batches, methods.optimizers_of(translator)
    )
    changed = {k for k, v in translator.named_parameters() if not torch.equal(v, before[k])}
    for network, weights in networks.items():
        assert not weights or changed & weights.keys(), (
            f"train_step must update every network; {name}'s {network!r} has not changed"
        )
    strange = changed - {weight for weights in networks.values() for weight in weights}
    assert not strange, (
        f"train_step must leave frozen weights as they are; {name} changes {sorted(strange)[:3]}"
    )
    for key, value in logs.items():
        assert isinstance(value, Tensor) and value.isfinite() and not value.requires_grad, (
            f"train_step must give finite, detached scalars to log; {name}'s {key!r} is {value}"
        )


@contract
def test_a_translator_gives_finite_images_between_minus_one_and_one(name, contract_part):
    translator = methods.shaken(methods.built(name, contract_part))
    before = _state_of(translator)
    made = methods.images(translator, ["a", "b"])
    wanted = (2, 3, *methods.size_for(translator))
    assert made.shape == wanted, (
        f"synthesise must give images B3HW of the batch's size, {wanted}; {name} gave "
        f"{tuple(made.shape)}"
    )
    assert made.isfinite().all(), f"synthesise must give finite images; {name}'s are not"
    extreme = made.abs().max().item()
    assert extreme <= 1 + 1e-4, (
        f"synthesise must give images in [-1, 1]; {name} gave {extreme:.3g} (end with .tanh() or "
        ".clamp(-1, 1))"
    )
    changed = [key for key, value in _state_of(translator).items() if value != before[key]]
    assert not changed, (
        "synthesise must leave weights, buffers and the modes of the networks as they are; "
        f"{name} changes {', '.join(changed[:3])}"
    )


def _state_of(translator: Translator) -> dict[str, Any]:
    """Return a translator's weights and buffers as lists, and by module whether it trains.

    NaN becomes 0, so that states can be compared.
    """
    modes = {f"the mode of {key or 'itself'}": m.training for key, m in translator.named_modules()}
    return modes | {k: v.nan_to_num().tolist() for k, v in translator.state_dict().items()}


@contract
@pytest.mark.parametrize("size", [(33, 50), (5, 7)])
def test_a_translator_makes_images_of_any_size(name, size, contract_part):
    translator = methods.shaken(methods.built(name, contract_part))
    made = methods.predicted(translator, methods.scenes("ab", size))
    assert made.shape == (2, 3, *size) and made.dtype == torch.uint8, (
        f"scenes of {size} must give images of {size}; {name} gave {tuple(made.shape[2:])} (say "
        "the `stride` and `smallest_side` that the networks need)"
    )


@contract
def test_an_image_depends_neither_on_its_neighbours_nor_on_earlier_draws(name, contract_part):
    translator = methods.shaken(methods.built(name, contract_part))
    size = methods.size_for(translator)
    before = torch.get_rng_state()
    together = methods.predicted(translator, methods.scenes("abc", size))
    assert torch.equal(before, torch.get_rng_state()), (
        f"a translator with batched = True must draw by scene_noise alone; {name} draws from "
        "torch's own generator (use i2ibench.models.translators.scene_noise.scene_noise, or say "
        "batched = False)"
    )
    torch.manual_seed(5)
    for number, scene in enumerate("abc"):
        alone = methods.predicted(translator, methods.scenes(scene, size))[0]
        gap = (alone.int() - together[number].int()).abs().max().item()
        assert gap <= GREY_LEVELS, (
            "a scene must give the same image alone and beside others, whatever was drawn "
            f"before; {name}'s differs by {gap} grey levels (say batched = False, or use no "
            "statistics of the batch)"
        )


@contract
def test_samples_of_a_scene_differ_where_a_translator_says_that_it_varies(name, contract_part):
    translator = methods.shaken(methods.built(name, contract_part))
    first, other, again = (methods.images(translator, [n]) for n in ("s", "s/1", "s"))
    assert torch.equal(first, again), (
        f"a scene's name must decide its image; {name} gives two images for one name (draw from "
        "torch's generator or by scene_noise, not from numpy or random)"
    )
    gap = (first - other).abs().max().item()
    assert translator.varies or gap < 1e-4, (
        f"two samples of a scene are equal unless varies = True; {name}'s differ by {gap:.3g}"
    )
    assert not translator.varies or gap > 0, (
        f"{name} says varies = True, and two samples of a scene are equal: say varies = False"
    )


@contract
def test_settings_reach_the_translator_and_every_key(name, contract_part):
    method = _refused_by_no_one(method_named, name)
    plain = methods.built(name, contract_part)
    for field, value in methods.other_settings(method).items():
        options = InferenceOptions(settings={field: value})
        facts = Inference(plain, options).image_options()
        assert facts != Inference(plain).image_options() and json.dumps(facts), (
            f"the setting {field!r} must be a part of results and cache keys; {name}'s is not"
        )
        configured = {**contract_part.options("translator", name).get("settings", {}), field: value}
        try:
            changed = methods.built(name, contract_part, settings=configured)
        except UserError as error:
            pytest.fail(f"the constructor must pass `settings` on to its base class: {error}")
        assert asdict(changed.settings)[field] == value, (
            f"a config's model.settings must become the default; {name}'s {field!r} stays "
            f"{asdict(changed.settings)[field]!r} (pass `settings` on to Translator.__init__)"
        )
        methods.predicted(changed.eval(), methods.scenes("a", methods.size_for(changed)))


@contract
def test_a_translator_makes_images_without_the_photo(name, contract_part):
    translator = methods.shaken(methods.built(name, contract_part))
    inference = Inference(translator)
    data = methods.scenes("a", methods.size_for(translator))
    batch = inference.prepared({key: value for key, value in data.items() if key != "image"})
    features = None
    if translator.encoder is not None:
        height, width = batch["condition"].shape[-2:]
        features = torch.zeros(1, translator.encoder.out_channels, height, width)
    try:
        inference.paint(batch, features)
    except KeyError as error:
        pytest.fail(
            f"synthesise must do without the photo, which is what it is to make; {name} reads "
            f"{error} of the batch"
        )


@contract
def test_a_translator_is_all_in_its_state_dict(name, contract_part):
    first = methods.shaken(methods.built(name, contract_part))
    second = methods.built(name, contract_part).eval()
    second.load_state_dict(first.state_dict())
    _same_images(first, second, f"{name} must make the same images after loading its state_dict"
                   " (register what images depend on as a parameter or buffer)")  # fmt: skip


@contract
def test_a_translator_can_be_copied(name, contract_part):
    first = methods.shaken(methods.built(name, contract_part))
    _same_images(first, copy.deepcopy(first), f"a deep copy of {name} must make the same images"
                   " (hold no function that is bound to the module)")  # fmt: skip


@contract
def test_an_opened_translator_does_without_what_only_training_needs(name, contract_part):
    left_out = method_named(name).TRAINING_ONLY
    trained = methods.shaken(methods.built(name, contract_part))
    try:
        opened = methods.built(name, contract_part, without=left_out)
    except UserError as error:
        pytest.fail(f"every option in TRAINING_ONLY must have a default; {name}: {error}")
    drop_training_parts(opened.eval())
    state = trained.state_dict()
    found = opened.load_state_dict(
        {key: value for key, value in state.items() if key.split(".")[0] not in left_out},
        strict=False,
    )
    assert not found.missing_keys and not found.unexpected_keys, (
        "a translator that is opened without TRAINING_ONLY must have all other weights, and no "
        f"others; {name} differs in {[*found.missing_keys, *found.unexpected_keys][:3]}"
    )
    _same_images(trained, opened, f"{name} must translate alike without {', '.join(left_out)}")


@contract
def test_a_translator_runs_in_bf16(name, contract_part):
    translator = methods.built(name, contract_part)
    batch = methods.batch_for(translator)
    with torch.autocast("cpu", torch.bfloat16):
        totals = translator.losses(batch).totals
    assert all(total.isfinite() for total in totals.values()), (
        f"losses must be finite at bf16 too; {name}'s are {totals}"
    )
    torch.stack([total.float() for total in totals.values()]).sum().backward()
    size = methods.size_for(translator)
    half = InferenceOptions(precision="bf16")
    methods.predicted(methods.shaken(translator), methods.scenes("ab", size), options=half)


@contract
def test_a_translators_weights_have_names_in_the_stage_before(name, contract_part):
    translator = methods.built(name, contract_part).eval()
    own = translator.state_dict()
    found = translator.previous_names(own, own)
    assert found.keys() == own.keys(), (
        "previous_names must say of every own weight what it was called in the stage before, None "
        f"if it is new; {name}'s answer differs in {sorted(found.keys() ^ own.keys())[:3]}"
    )
    strange = [key for key, old in found.items() if old is not None and old not in own]
    assert not strange, (
        "previous_names must give names of the stage before, or None; "
        f"{name} gives {found[strange[0]]!r} for {strange[0]!r}"
    )
    with torch.no_grad():
        translator.run_networks(methods.batch_for(translator))


def _refused_by_no_one(check: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of `check(*arguments)`; fail the test with the message of a UserError."""
    try:
        return check(*arguments)
    except UserError as error:
        pytest.fail(str(error))


def _same_images(one: Translator, other: Translator, promise: str) -> None:
    data = methods.scenes("ab", methods.size_for(one))
    first, second = (methods.predicted(made, data).int() for made in (one, other))
    gap = (first - second).abs().max().item()
    assert gap <= GREY_LEVELS, f"{promise}; they differ by {gap} grey levels"
