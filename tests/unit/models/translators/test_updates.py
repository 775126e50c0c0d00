"""Updates from several batches, skipped updates, and precisions."""

import pytest
import torch

from i2ibench.errors import UserError
from i2ibench.training.optimizers import build_optimizers, choose_precision
from tests.unit.models.translators.test_paired import ADAM, data, optimizers, translator, weights

SGD = {"type": "SGD", "lr": 0.1}


def pieces(batch, size):
    """Return the batch in parts of `size` scenes."""
    count = len(batch["name"])
    return [{k: v[i : i + size] for k, v in batch.items()} for i in range(0, count, size)]


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("size", [1, 2])
def test_accumulated_batches_equal_one_large_batch(first, size):
    one, many = (translator(discriminator_first=first) for _ in range(2))
    batch = data(batch=4)
    by_sgd = {"generator": SGD, "discriminator": SGD}
    logs = one.train_step(batch, build_optimizers(one.networks(), by_sgd))
    parts = many.train_step(pieces(batch, size), build_optimizers(many.networks(), by_sgd))
    for name in ("generator", "encoder", "discriminator"):
        torch.testing.assert_close(
            weights(getattr(many, name)), weights(getattr(one, name)), atol=1e-6, rtol=1e-4
        )
    assert logs.keys() == parts.keys()
    for name, value in logs.items():
        torch.testing.assert_close(parts[name], value, atol=1e-5, rtol=1e-4)


def test_dropout_draws_the_same_numbers_when_the_generator_runs_again():
    """Check that G learns from the fakes that D has scored."""
    unet = dict(type="UNetGenerator", num_levels=6, base_channels=2, norm_type="instance")
    model = translator(generator=unet, encoder=None, discriminator_first=True)
    (dropout,) = (m for m in model.generator.modules() if isinstance(m, torch.nn.Dropout))
    outputs = []
    dropout.register_forward_hook(lambda *call: outputs.append(call[2].detach()))
    model.train_step(pieces(data(batch=2, height=64), 1), optimizers(model))
    first, second, first_again, second_again = outputs
    assert torch.equal(first, first_again) and torch.equal(second, second_again)
    assert not torch.equal(first, second)


def skipping(model, fused):
    adam = {**ADAM, "fused": fused}
    wrappers = build_optimizers(model.networks(), {"generator": adam, "discriminator": adam})
    for wrapper in wrappers.values():
        wrapper.skips = True
    return wrappers


@pytest.mark.parametrize("fused", [False, True])
def test_an_update_without_finite_gradients_changes_nothing_and_is_counted(fused):
    """Compare finite, infinite, finite gradients with finite, finite ones."""
    clean, troubled = translator(), translator()
    batches = [data(), data()]
    both = skipping(clean, fused), skipping(troubled, fused)
    clean.train_step(batches[0], both[0])
    troubled.train_step(batches[0], both[1])
    troubled.weights["pixel"] = float("nan")
    before = weights(troubled.generator)
    troubled.train_step(data(), both[1])
    assert torch.equal(weights(troubled.generator), before)
    counts = {name: int(wrapper.skipped) for name, wrapper in both[1].items()}
    assert counts == {"generator": 1, "discriminator": 0}
    troubled.weights["pixel"] = 3.0
    troubled.discriminator.load_state_dict(clean.discriminator.state_dict())
    both[1]["discriminator"].load_state_dict(both[0]["discriminator"].state_dict())
    clean.train_step(batches[1], both[0])
    troubled.train_step(batches[1], both[1])
    assert torch.equal(weights(troubled.generator), weights(clean.generator))
    assert int(both[1]["generator"].in_a_row) == 0


def test_the_longest_row_of_skipped_updates_is_saved():
    model = translator()
    wrappers = skipping(model, fused=False)
    for weight in (float("inf"), float("nan"), 1.0, float("nan")):
        model.weights["pixel"] = weight
        model.train_step(data(), wrappers)
    saved = wrappers["generator"].state_dict()
    assert saved["skipped"] == [3, 1, 2]
    again = skipping(translator(), fused=False)["generator"]
    again.load_state_dict(saved)
    assert again.state_dict()["skipped"] == [3, 1, 2]


def test_automatic_precision_is_bf16_only_on_gpus_that_have_it(monkeypatch):
    assert choose_precision("auto", "cpu") is None
    for has in (True, False):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda has=has, **_: has)
        assert choose_precision("auto", "cuda") == ("bf16" if has else None)


def test_a_precision_is_taken_as_it_is_or_refused():
    assert choose_precision(None, "cuda") is None and choose_precision("bf16", "cpu") == "bf16"
    assert choose_precision("fp16", "cuda") == "fp16"
    with pytest.raises(UserError, match="'fp16' needs a GPU"):
        choose_precision("fp16", "cpu")
    with pytest.raises(UserError, match="amp is one of auto"):
        choose_precision("fp8", "cuda")


@pytest.mark.parametrize(
    ("options", "fused"),
    [
        ({}, True),
        ({"fused": False}, False),
        ({"foreach": True}, None),
        ({"differentiable": True}, None),
    ],
)
def test_adam_is_fused_unless_the_config_says_otherwise(options, fused):
    adam = {**ADAM, **options}
    wrappers = build_optimizers(translator().networks(), {"generator": adam, "discriminator": adam})
    assert all(w.optimizer.defaults["fused"] is fused for w in wrappers.values())
