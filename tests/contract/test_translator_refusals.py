"""Each broken promise of a translator is told in a sentence, by a contract test or when built."""

import argparse
import copy
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import nn

from i2ibench.cli.arguments import add_settings_argument
from i2ibench.errors import UserError
from i2ibench.inference import Inference
from i2ibench.inference.trial_translation import try_translation
from i2ibench.models.translators.base import Translator, method_named
from i2ibench.models.translators.scene_noise import scene_noise
from i2ibench.registry import TRANSLATORS
from i2ibench.structures import Losses
from i2ibench.testing import test_translators
from i2ibench.testing import translator_fixtures as methods
from i2ibench.testing.parts import Workshop


@dataclass(frozen=True)
class Steps:
    """Settings."""

    steps: int = 2


class Sound(Translator):
    """A method that keeps every promise: it refines noise in steps, and a critic watches."""

    TRAINING_ONLY: ClassVar[tuple[str, ...]] = ("critic",)
    Settings: ClassVar[type] = Steps
    contract_options: ClassVar = {"critic": True}
    batched, varies = True, True

    def __init__(self, data_preprocessor, critic=False, **options):
        super().__init__(data_preprocessor, **options)
        made = self.image_channels
        self.painter = nn.Conv2d(data_preprocessor.condition_channels + made, made, 3, padding=1)
        self.critic = nn.Conv2d(made, 1, 3, padding=1) if critic else None

    def losses(self, batch):
        fake = self.refined(batch, torch.randn_like(batch["real"]), 1)
        real_score, fake_score = self.critic(batch["real"]), self.critic(fake.detach())
        totals = {
            "critic": (fake_score - real_score).square().mean(),
            "painter": (fake - batch["real"]).abs().mean() - self.critic(fake).mean(),
        }
        return Losses(totals, {"gap": totals["critic"]})

    def synthesise(self, batch, settings):
        noise = scene_noise(batch, self.image_channels, batch["condition"].shape[-2:])
        return self.refined(batch, noise, settings.steps)

    def refined(self, batch, image, steps):
        for _ in range(steps):
            image = self.painter(torch.cat([batch["condition"], image], 1)).tanh()
        return image


class WithoutTotal(Sound):
    def losses(self, batch):
        losses = super().losses(batch)
        return Losses({"painter": losses.totals["painter"]}, losses.logs)


class WithoutLogs(Sound):
    def losses(self, batch):
        return Losses(super().losses(batch).totals, {})


class AsDict(Sound):
    def losses(self, batch):
        return super().losses(batch).totals


class ByValues(Sound):
    def losses(self, batch):
        losses = super().losses(batch)
        return Losses(losses.totals, {"gap": torch.tensor(losses.logs["gap"].item())})


class Unused(Sound):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.painter.idle = nn.Parameter(torch.ones(1))


class Forgotten(Sound):
    def networks(self):
        return {"painter": self.trainable_parameters("painter"), "critic": {}}


class Renamed(Sound):
    def networks(self):
        return {k: {f"x.{n}": p for n, p in v.items()} for k, v in super().networks().items()}


class Standing(Sound):
    def train_step(self, data, optim_wrapper):
        return self.losses(self.data_preprocessor(data)).logs


class HalfTrained(Sound):
    def train_step(self, data, optim_wrapper):
        losses = self.losses(self.data_preprocessor(data[0] if isinstance(data, list) else data))
        optim_wrapper["painter"].update(losses.totals["painter"])
        return {name: value.detach() for name, value in losses.logs.items()}


class Meddling(Sound):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.fixed = nn.Conv2d(1, 1, 1).requires_grad_(False)

    def train_step(self, data, optim_wrapper):
        self.fixed.weight.data.add_(1)
        return super().train_step(data, optim_wrapper)


class Unbounded(Sound):
    def refined(self, batch, image, steps):
        return 9 * super().refined(batch, image, steps)


class Halved(Sound):
    def synthesise(self, batch, settings):
        return super().synthesise(batch, settings)[..., ::2, ::2]


class Diverging(Sound):
    def synthesise(self, batch, settings):
        return super().synthesise(batch, settings) * torch.nan


class Counting(Sound):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.register_buffer("calls", torch.zeros(()))

    def synthesise(self, batch, settings):
        self.calls += 1
        return super().synthesise(batch, settings)


class Strided(Sound):
    def refined(self, batch, image, steps):
        image = super().refined(batch, image, steps)
        return nn.functional.interpolate(nn.functional.avg_pool2d(image, 4), scale_factor=4)


class DrawingGlobally(Sound):
    def synthesise(self, batch, settings):
        return self.refined(batch, torch.randn_like(batch["condition"][:, :3]), settings.steps)


class AlwaysRGB(Sound):
    def synthesise(self, batch, settings):
        return super().synthesise(batch, settings)[:, :1].expand(-1, 3, -1, -1)


class Neighbourly(Sound):
    def refined(self, batch, image, steps):
        image = super().refined(batch, image, steps)
        return image - image.mean(0, keepdim=True)


class Unvaried(Sound):
    varies = False


class SaysItVaries(Sound):
    def synthesise(self, batch, settings):
        return self.refined(batch, torch.zeros_like(batch["condition"][:, :3]), settings.steps)


class ByClock(Sound):
    numbers: ClassVar = iter(range(99))

    def synthesise(self, batch, settings):
        return super().synthesise(batch, settings) * 0.9 ** next(self.numbers)


class WithoutSettings(Sound):
    def __init__(self, data_preprocessor, critic=False):
        super().__init__(data_preprocessor, critic)


class WithFixedSettings(Sound):
    def __init__(self, data_preprocessor, critic=False, settings=None):
        super().__init__(data_preprocessor, critic)


class Peeking(Sound):
    def synthesise(self, batch, settings):
        return super().synthesise(batch, settings) * batch["real"]


class Unregistered(Sound):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.shades = (torch.rand(3, 1, 1),)

    def synthesise(self, batch, settings):
        return super().synthesise(batch, settings) * self.shades[0].to(batch["condition"])

    def load_state_dict(self, *arguments, **options):
        self.shades = (torch.rand(3, 1, 1),)
        return super().load_state_dict(*arguments, **options)


class Bound(Sound):
    def __deepcopy__(self, memo):
        copied = copy.copy(self)
        copied.refined = lambda *arguments: -Sound.refined(self, *arguments)
        return copied


class AlwaysWatched(Sound):
    def __init__(self, data_preprocessor, critic=True, **options):
        super().__init__(data_preprocessor, True, **options)


class SeesItsCritic(Sound):
    def synthesise(self, batch, settings):
        made = super().synthesise(batch, settings)
        return made if self.critic is None else made * self.critic(made).sigmoid()


class NeedsItsCritic(Sound):
    def __init__(self, data_preprocessor, critic, **options):
        super().__init__(data_preprocessor, critic, **options)


class NamesNoOption(Sound):
    TRAINING_ONLY: ClassVar = ("critic", "judge")


class NamesNoPart(Sound):
    def translation_parts(self):
        return ("generator",)


class WithoutNames(Sound):
    def previous_names(self, own, before):
        return {name: name for name in own if "weight" in name}


class StrangeNames(Sound):
    def previous_names(self, own, before):
        return {name: f"old.{name}" for name in own}


BROKEN = [
    (WithoutTotal, "losses_and_images_run_on", "exactly one total"),
    (WithoutTotal, "losses_are_finite", "one total for each network"),
    (WithoutLogs, "losses_are_finite", "WithoutLogs names nothing"),
    (AsDict, "losses_are_finite", "AsDict gave dict"),
    (ByValues, "losses_and_images_run_on", "ByValues.losses does not run on tensors without cont"),
    (AlwaysRGB, "as_many_channels", "AlwaysRGB.synthesise gives images of the shape"),
    (Unused, "trains_every_parameter", "Unused's painter.idle gets none"),
    (Forgotten, "trains_every_parameter", "No optimiser would train critic.weight"),
    (Renamed, "trains_every_parameter", "No optimiser would train painter.weight"),
    (Standing, "training_step", "Standing's '(painter|critic)' has not changed"),
    (HalfTrained, "training_step", "HalfTrained's 'critic' has not changed"),
    (Meddling, "training_step", r"Meddling changes \['fixed.weight'\]"),
    (Unbounded, "finite_images", r"must give images in \[-1, 1\]; Unbounded gave"),
    (Halved, "finite_images", r"of the batch's size, \(2, 3, 32, 48\); Halved gave \(2, 3, 16"),
    (Diverging, "finite_images", "must give finite images; Diverging's are not"),
    (Counting, "finite_images", "Counting changes calls"),
    (Strided, "any_size", "Strided gave .*say the `stride`"),
    (DrawingGlobally, "neighbours", "DrawingGlobally draws from torch's own generator"),
    (Neighbourly, "neighbours", "Neighbourly's differs by .*say batched = False"),
    (Unvaried, "samples", "unless varies = True; Unvaried's differ"),
    (SaysItVaries, "samples", "SaysItVaries says varies = True"),
    (ByClock, "samples", "ByClock gives two images for one name"),
    (WithoutSettings, "settings_reach", "must pass `settings` on .*no option 'settings'"),
    (WithFixedSettings, "settings_reach", "WithFixedSettings's 'steps' stays 2"),
    (Peeking, "without_the_photo", "without the photo.* Peeking reads 'real'"),
    (Unregistered, "state_dict", "Unregistered must make the same images after loading"),
    (Bound, "copied", "a deep copy of Bound must make the same images"),
    (SeesItsCritic, "without_what_only_training", "SeesItsCritic must translate alike without cri"),
    (NeedsItsCritic, "without_what_only_training", "NeedsItsCritic: .*needs the option 'critic'"),
    (NamesNoOption, "names_real_parts", "NamesNoOption has no 'judge'"),
    (NamesNoPart, "names_real_parts", "NamesNoPart names generator"),
    (WithoutNames, "stage_before", "WithoutNames's answer differs in"),
    (StrangeNames, "stage_before", "StrangeNames gives 'old."),
]
TESTS = {name: test for name, test in vars(test_translators).items() if name.startswith("test_")}


@pytest.fixture
def register():
    names = []

    def add(part):
        TRANSLATORS.register_module(name=part.__name__, module=part)
        names.append(part.__name__)
        return part.__name__

    yield add
    for name in names:
        TRANSLATORS.module_dict.pop(name)


def run(test, name, tmp_path):
    marks = [mark for mark in test.pytestmark if mark.name == "parametrize"]
    more = {mark.args[0]: mark.args[1][0] for mark in marks}
    test(name, contract_part=Workshop(lambda name: tmp_path), **more)


@pytest.mark.parametrize("part", [Sound, AlwaysWatched])
def test_a_sound_translator_passes(part, register, tmp_path):
    name = register(part)
    for test in TESTS.values():
        run(test, name, tmp_path)


@pytest.mark.parametrize(
    ("part", "where", "told"), BROKEN, ids=[f"{p.__name__}-{w}" for p, w, _ in BROKEN]
)
def test_a_broken_promise_is_told_with_the_part_and_the_fix(part, where, told, register, tmp_path):
    (test,) = (found for name, found in TESTS.items() if where in name)
    name = register(part)
    with pytest.raises((AssertionError, pytest.fail.Exception, UserError), match=told):
        run(test, name, tmp_path)


class NoTranslator(nn.Module):
    pass


class WithoutLosses(Translator):
    synthesise = Sound.synthesise


class Listed(Sound):
    TRAINING_ONLY: ClassVar = "critic"


class ThawedSettings(Sound):
    @dataclass
    class Settings:
        steps: int = 2


class UndefinedSettings(Sound):
    @dataclass(frozen=True)
    class Settings:
        steps: int


class ListSettings(Sound):
    @dataclass(frozen=True)
    class Settings:
        steps: tuple[int, ...] = (1, 2)


class WrongDefault(Sound):
    @dataclass(frozen=True)
    class Settings:
        steps: int = None


@pytest.mark.parametrize(
    ("part", "told"),
    [
        (NoTranslator, "'NoTranslator' is not a translator: let its class inherit from"),
        (
            WithoutLosses,
            "WithoutLosses has no losses: define the methods that i2ibench.models.translators.base",
        ),
        (Listed, r"Listed.TRAINING_ONLY is 'critic': write a tuple"),
        (ThawedSettings, r"ThawedSettings.Settings is not a frozen dataclass.*frozen=True"),
        (UndefinedSettings, "UndefinedSettings.Settings.steps has no default"),
        (ListSettings, "ListSettings.Settings.steps is tuple.* a setting is an int, float"),
        (WrongDefault, "WrongDefault.Settings.steps is .*int.* with the default None"),
    ],
)
def test_a_class_that_keeps_no_contract_is_refused_before_it_is_built(part, told, register):
    with pytest.raises(UserError, match=told):
        method_named(register(part))


class Stridden(Sound):
    stride = 0


def test_a_promise_of_a_wrong_kind_is_refused_when_built(register, tmp_path):
    with pytest.raises(UserError, match="Stridden says stride = 0, which is no int from 1 on"):
        methods.built(register(Stridden), Workshop(lambda name: tmp_path))


def test_a_method_that_reads_the_photo_is_refused_before_it_trains(register, tmp_path):
    translator = methods.built(register(Peeking), Workshop(lambda name: tmp_path))
    with pytest.raises(UserError, match="Peeking.synthesise reads 'real' of the batch"):
        try_translation(Inference(translator.eval()), 32, 48)


class Percent(Sound):
    @dataclass(frozen=True)
    class Settings:
        share: str = "5%d"


def test_a_method_without_its_contract_and_any_default_leave_the_help_of_others(register, capsys):
    register(NoTranslator), register(Percent)
    parser = argparse.ArgumentParser()
    add_settings_argument(parser)
    parser.print_help()
    assert "share='5%d'" in " ".join(capsys.readouterr().out.split())
