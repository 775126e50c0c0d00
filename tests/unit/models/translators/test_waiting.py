"""No training step makes the host wait for a GPU: steps on fake GPU tensors.

Such tensors have a device and a size but no numbers, so that whatever asks for a number, or for a
size that depends on numbers, fails or is seen. What the Runner adds is counted in
tests/integration/test_training.py; a GPU checks the same in tests/gpu.
"""

from importlib import import_module
from types import SimpleNamespace

import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from i2ibench.registry import PREPROCESSORS
from i2ibench.training.hooks import (
    ExponentialMovingAverage,
    SkipNonFinite,
    StopAtNonFinite,
    TrainingLog,
)
from i2ibench.training.optimizers import build_optimizers
from tests.unit.models.translators.test_compilation import LOCAL, UNET, random_perceptual
from tests.unit.models.translators.test_paired import ADAM, data, translator
from tests.unit.models.translators.test_updates import pieces

ASKING = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "_unique", "equal", "item",
          "bincount", "repeat_interleave")  # fmt: skip
"""Beginnings of the names of operators whose result the host waits for."""


class Waits(TorchDispatchMode):
    """The operators that would make the host wait."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        name = func.__name__.partition(".")[0]
        asks = name.startswith(ASKING)
        masks = name.startswith("index") and any(
            isinstance(x, torch.Tensor) and x.dtype == torch.bool for x in tree_leaves(args[1:2])
        )
        if asks or masks or self._copies(name, args, kwargs, result):
            self.found.append(str(func))
        return result

    def _copies(self, name, args, kwargs, result):
        """Return whether an operator copies to or from the device while the host waits."""
        blocking = not (kwargs.get("non_blocking") or (name == "copy_" and True in args[2:]))
        tensors = [x for x in tree_leaves((args, result)) if isinstance(x, torch.Tensor)]
        devices = {x.device.type for x in tensors if x.dim() or name in ("_to_copy", "copy_")}
        return len(devices) > 1 and (blocking or result.device.type == "cpu")


def waits_of(function):
    with Waits() as waits:
        function()
    return waits.found


@pytest.fixture
def pretended():
    with FakeTensorMode():
        yield


gpu = pytest.mark.usefixtures("pretended")
"""Tensors without numbers that claim to be on a GPU."""


@gpu
@pytest.mark.parametrize(
    ("ask", "seen"),
    [
        (lambda x: x.cpu(), True),
        (lambda x: x.to("cpu", non_blocking=True), True),
        (lambda x: torch.zeros(3).to("cuda"), True),
        (lambda x: torch.zeros(3).to("cuda", non_blocking=True), False),
        (lambda x: x.sum() + 1, False),
    ],
)
def test_waiting_operators_are_detected(ask, seen):
    assert bool(waits_of(lambda: ask(torch.zeros(3, device="cuda")))) == seen


@gpu
@pytest.mark.parametrize("ask", [
    lambda x: x.sum().item(), lambda x: x[x > 0], lambda x: x.nonzero(), lambda x: x.unique(),
    lambda x: torch.tensor([1.0], device="cuda"), lambda x: bool(x.any()),
])  # fmt: skip
def test_operators_that_read_values_fail_or_are_detected(ask):
    x = torch.zeros(3, device="cuda")
    try:
        found = waits_of(lambda: ask(x))
    except Exception as error:
        found = [type(error).__name__]
    assert found


SYSTEMS = {
    "pix2pixHD": {},
    "accumulated, D first": {"discriminator_first": True},
    "frozen and checkpointed parts": {
        "generator": {**LOCAL, "checkpointed": ["coarse", "head"]},
        "frozen": ["generator.coarse"],
    },
    "U-Net": {"generator": UNET, "encoder": None},
    "CRN": {"generator": dict(type="CRNGenerator", height=32, max_channels=8),
            "encoder": None, "discriminator": None, "adversarial": None,
            "losses": dict(pixel=dict(type="PixelLoss"))},
}  # fmt: skip


def on(device, **changes):
    """Return a system on a device with all of its losses, and a perceptual loss."""
    with torch.device(device):
        model = translator(**changes)
        model.loss_terms["perceptual"], model.weights["perceptual"] = random_perceptual(), 1.0
    model.loss_terms["perceptual"].imagenet_statistics = True
    model.data_preprocessor._device = torch.device(device)
    return model


@gpu
@pytest.mark.parametrize("system", SYSTEMS)
def test_no_network_and_no_loss_waits(system):
    """Run on a fake GPU, on which gradients cannot be computed."""
    model, batch = on("cuda", **SYSTEMS[system]), data(batch=2)

    def forward():
        step = model.forward_step(model.data_preprocessor(batch, training=True))
        model.generator_losses(step)
        model.discriminator_losses(step)

    assert waits_of(forward) == []


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_step_with_its_hooks_waits_for_nothing(system, monkeypatch):
    """Run on the meta device, which is not the CPU either."""
    monkeypatch.setattr(import_module("torch.optim.optimizer"),
                        "_get_fused_kernels_supported_devices", lambda *_: ["meta"])  # fmt: skip
    model = on("meta", **SYSTEMS[system])
    fused = {**ADAM, "fused": True}
    wrappers = build_optimizers(model.networks(), {"generator": fused, "discriminator": fused})
    hooks = [TrainingLog(100), StopAtNonFinite(100), SkipNonFinite(100, 100)]
    hooks.append(ExponentialMovingAverage())
    runner = SimpleNamespace(model=model, optim_wrapper=wrappers, iter=0, max_iters=2)
    runner.train_dataloader = SimpleNamespace(waited=0.0)
    hooks[-1].before_run(runner)
    hooks[2].before_train(runner)
    hooks[0].before_train(runner)
    batch = data(batch=2)
    batch = pieces(batch, 1) if "accumulated" in system else batch

    def step():
        losses = model.train_step(batch, wrappers)
        for hook in hooks:
            hook.after_train_iter(runner, runner.iter, batch, losses)
        runner.iter += 1

    step()  # the first makes counters and moments on the device
    waits = waits_of(step)
    hooks[0].close()
    assert waits == []


PREPROCESSED = {
    "LabelPreprocessor": {"num_classes": 5},
    "ColourPreprocessor": {"palette": [[i, i, i] for i in range(5)]},
    "ImagePreprocessor": {},
    "ConditionPreprocessor": {"condition": ["edges", "labels", "instances"], "num_classes": 5},
}


@gpu
@pytest.mark.parametrize("kind", PREPROCESSED)
def test_a_batch_goes_to_the_device_in_bytes_and_without_waiting(kind):
    with torch.device("cuda"):
        preprocessor = PREPROCESSORS.build({"type": kind, **PREPROCESSED[kind]})
    preprocessor._device = torch.device("cuda")
    batch = data()
    batch["source"] = batch["image"]
    prepared = []
    assert waits_of(lambda: prepared.append(preprocessor(batch))) == []
    assert {x.device.type for x in tree_leaves(prepared) if isinstance(x, torch.Tensor)} == {"cuda"}
