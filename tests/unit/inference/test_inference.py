"""Inference: the inputs of a method, its random numbers, and the sizes of its batches."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn

from i2ibench.errors import UserError
from i2ibench.inference import Inference, InferenceOptions
from i2ibench.inference.trial_translation import try_translation
from i2ibench.models.translators.base import Translator
from i2ibench.models.translators.scene_noise import scene_noise
from i2ibench.registry import PREPROCESSORS
from i2ibench.structures import Losses
from i2ibench.training.preflight import dry_run


@dataclass(frozen=True)
class Amount:
    """How much noise is added."""

    noise: float = 0.5


class Noisy(Translator):
    """A convolution whose image is shifted by noise from torch's own numbers."""

    Settings = Amount
    stride = 8

    def __init__(self, **options):
        preprocessor = PREPROCESSORS.build({"type": "LabelPreprocessor"}, num_classes=3)
        super().__init__(preprocessor, **options)
        self.painter = nn.Conv2d(4, 3, kernel_size=1)
        self.shown = []

    def losses(self, batch):
        total = (self.painter(batch["condition"]) - batch["real"]).square().mean()
        return Losses({"painter": total}, {"painter/square": total})

    def synthesise(self, batch, settings):
        self.shown.append(set(batch))
        image = self.painter(batch["condition"])
        return (image + settings.noise * self.noise(batch, image)).tanh()

    def noise(self, batch, image):
        return torch.randn_like(image)


class Batched(Noisy):
    """The same, but with the noise of the scenes."""

    batched = True

    def noise(self, batch, image):
        return scene_noise(batch, 3, image.shape[-2:])


def scenes(batch=2, height=20, width=36):
    torch.manual_seed(2)
    label = torch.randint(0, 3, (batch, 1, height, width), dtype=torch.uint8)
    photo = torch.randint(0, 255, (batch, 3, height, width), dtype=torch.uint8)
    names = [f"s{i}" for i in range(batch)]
    return {"name": names, "label": label, "instance": label.int(), "image": photo}


@pytest.mark.parametrize("method", [Noisy, Batched])
def test_an_image_depends_on_its_scene_and_sample_alone(method):
    model, data = method().eval(), scenes()
    inference = Inference(model)
    together = inference.predict(data)[1]["fake"]
    torch.manual_seed(9)
    alone = inference.predict({key: value[1:] for key, value in data.items()})[0]["fake"]
    assert torch.equal(together, alone) and together.shape == (3, 20, 36)
    assert not torch.equal(inference.predict(data, sample=1)[1]["fake"], together)


def test_the_random_numbers_of_others_continue_as_before():
    inference, data = Inference(Noisy().eval()), scenes()
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    inference.predict(data)
    assert torch.equal(torch.rand(3), expected)


def test_the_photo_is_hidden_and_sides_are_multiples_of_the_stride():
    model = Batched().eval()
    seen = []
    model.painter.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    Inference(model).predict(scenes())
    assert model.shown == [{"names", "condition", "label", "instance"}]
    assert seen == [(2, 4, 24, 40)]


def test_settings_change_the_images_and_the_facts_by_which_they_are_kept():
    model, data = Batched(settings={"noise": 0.25}).eval(), scenes()
    plain, still = Inference(model), Inference(model, InferenceOptions(settings={"noise": 0}))
    assert plain.image_options() == {"settings": {"noise": 0.25}}
    assert still.image_options() == {"settings": {"noise": 0}}
    assert not torch.equal(plain.predict(data)[0]["fake"], still.predict(data)[0]["fake"])
    with pytest.raises(UserError, match="Did you mean 'noise'"):
        Inference(model, InferenceOptions(settings={"nose": 1}))


def test_a_method_that_cannot_work_in_tiles_says_so():
    with pytest.raises(UserError, match="Noisy cannot work in tiles"):
        Inference(Noisy(), InferenceOptions(tile=(64, 64)))


def test_a_method_is_tried_as_shapes_without_numbers():
    model = Noisy()
    dry_run(model, 20, 36)
    try_translation(Inference(model), 20, 36)
    assert model.shown == []


class ReadsValues(Noisy):
    """Decides by the value of a tensor."""

    def losses(self, batch):
        return super().losses(batch) if batch["condition"].sum().item() else Losses({}, {})

    def synthesise(self, batch, settings):
        return super().synthesise(batch, settings)[:, :, : int(batch["condition"].sum())]


class OtherName(Noisy):
    """Gives the total of a network that it does not have."""

    def losses(self, batch):
        found = super().losses(batch)
        return Losses({"generator": found.totals["painter"]}, found.logs)


class Small(Noisy):
    """Makes images of half the size."""

    def synthesise(self, batch, settings):
        return super().synthesise(batch, settings)[..., ::2, ::2]


def test_losses_that_depend_on_values_are_refused_before_training():
    with pytest.raises(UserError, match=r"ReadsValues\.losses does not run on tensors without"):
        dry_run(ReadsValues(), 16, 16)
    with pytest.raises(UserError, match=r"ReadsValues\.synthesise does not run on tensors without"):
        try_translation(Inference(ReadsValues()), 16, 16)


def test_totals_and_networks_have_the_same_names():
    with pytest.raises(UserError, match="totals for generator, and OtherName.networks names paint"):
        dry_run(OtherName(), 16, 16)


def test_images_of_another_size_are_refused():
    with pytest.raises(UserError, match=r"Small\.synthesise gives images of the shape \(1, 3, 8, "):
        try_translation(Inference(Small()), 16, 16)


class Loose(Noisy):
    """Returns what is said, and has a layer that nothing uses."""

    def __init__(self, found=lambda total: Losses({"painter": total}, {})):
        super().__init__()
        self.painter = nn.ModuleDict({"used": self.painter, "idle": nn.Conv2d(1, 1, 1)})
        self.found = found

    def losses(self, batch):
        return self.found(self.painter["used"](batch["condition"]).square().mean((1, 2, 3)))

    def synthesise(self, batch, settings):
        return self.painter["used"](batch["condition"]).tanh()


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (lambda total: {"painter": total}, r"Loose\.losses returns dict: it must return .*Losses"),
        (lambda total: Losses({"painter": total}, {}), r"shape \(1,\) for 'painter'.*a scalar"),
        (
            lambda total: Losses({"painter": total.sum().detach().requires_grad_()}, {}),
            "depends on none of its weights",
        ),
    ],
)
def test_losses_that_cannot_train_their_network_are_refused_before_training(found, said):
    with pytest.raises(UserError, match=said):
        dry_run(Loose(found), 16, 16)


def test_weights_that_no_loss_reaches_are_named(capsys):
    dry_run(Loose(lambda total: Losses({"painter": total.sum()}, {})), 16, 16)
    assert "painter: no loss depends on painter.idle.weight, painter.idle.bias" in said(capsys)


def said(capsys):
    captured = capsys.readouterr()
    return captured.out + captured.err


class BreaksPromise(Noisy):
    """Promises to draw by the scenes' names alone, and does not."""

    batched = True


def test_a_method_that_draws_torchs_own_numbers_in_a_batch_is_refused():
    with pytest.raises(UserError, match="BreaksPromise draws from torch's own generator"):
        Inference(BreaksPromise().eval()).predict(scenes())


class NeedsEven(Noisy):
    """Works at even sides only, and does not say so."""

    stride = 1

    def synthesise(self, batch, settings):
        halves = nn.functional.avg_pool2d(batch["condition"], 2)
        whole = halves.repeat_interleave(2, 2).repeat_interleave(2, 3)
        return self.painter(whole + batch["condition"])


def test_the_error_for_a_size_that_a_method_refuses_names_its_stride():
    try_translation(Inference(NeedsEven()), 16, 16)
    with pytest.raises(
        UserError, match=r"fails for a scene of 16x15: .*multiples of its stride, 1"
    ):
        try_translation(Inference(NeedsEven()), 15, 16)
