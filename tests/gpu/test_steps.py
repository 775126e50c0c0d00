"""What only a GPU can show: nothing waits, compiled and half-precision steps go the same way."""

import pytest
import torch
from mmengine.hooks import Hook

from i2ibench.inference import Inference, InferenceOptions
from i2ibench.models.translators.compilation import MODES
from i2ibench.registry.configuration import load_config
from i2ibench.training.optimizers import build_optimizers
from i2ibench.training.runner import build_runner
from i2ibench.training.stage import Stage
from tests.unit.models.translators.test_paired import ADAM, data, translator

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
BOTH = {"generator": ADAM, "discriminator": ADAM}


class Unwatched(Hook):
    """Lets the Runner wait again, after the other hooks of a step."""

    priority = "LOWEST"

    def after_train_iter(self, *arguments, **keywords):
        torch.cuda.set_sync_debug_mode("default")


def test_no_step_off_the_log_interval_waits(tiny_config, tmp_path, monkeypatch):
    """From the preprocessor to the last hook; the first step makes counters and chooses kernels."""
    off = {"hooks.log.interval": 100, "hooks.images": None, "protocol": None}
    off |= {"train_dataloader.num_workers": 1, "hooks.ema": {"type": "ExponentialMovingAverage"}}
    runner = build_runner(Stage(load_config(tiny_config, off, tmp_path / "run")))
    runner.register_hook(Unwatched())
    take_step, steps = runner.model.train_step, []

    def step(*arguments, **keywords):
        steps.append(1)
        if len(steps) > 1:
            torch.cuda.set_sync_debug_mode("error")
        return take_step(*arguments, **keywords)

    monkeypatch.setattr(runner.model, "train_step", step)
    try:
        runner.train()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert len(steps) == 6


@pytest.mark.parametrize("precision", [None, "bf16"])
def test_compiled_steps_give_the_losses_of_plain_ones(precision):
    compiled = {name: {} for name in ("generator", "encoder", "discriminator",
                                      "losses.feature_matching")}  # fmt: skip
    models = [translator(compiled=c).to("cuda") for c in (None, compiled)]
    wrappers = [build_optimizers(m.networks(), BOTH, precision, "cuda") for m in models]
    batch, close = (
        data(),
        {"rtol": 0.05, "atol": 0.02} if precision else {"rtol": 1e-3, "atol": 1e-4},
    )
    for _ in range(3):
        plain, own = (m.train_step(batch, w) for m, w in zip(models, wrappers, strict=True))
        torch.testing.assert_close(own, plain, check_dtype=False, **close)


@pytest.mark.parametrize("mode", MODES)
def test_compiled_images_of_several_sizes_are_those_of_plain_networks(mode):
    model = translator().eval().to("cuda")
    batches = [data(height=h, width=w) for h, w in ((32, 64), (64, 96), (32, 64), (48, 128))]
    expected = [Inference(model).predict(batch)[1]["fake"] for batch in batches]
    compiled = Inference(model, InferenceOptions(compile_mode=mode))
    for batch, image in zip(batches, expected, strict=True):
        again = compiled.predict(batch)[1]["fake"]
        assert (again.int() - image.int()).abs().max() <= 2


def test_the_instance_norms_gradient_is_right_in_every_memory_format():
    from tests.unit.models.layers.test_norms import FORMATS, assert_gradient_is_right

    for batch in (1, 2):
        for one in FORMATS:
            for two in FORMATS:
                assert_gradient_is_right(batch, one, two, "cuda")
