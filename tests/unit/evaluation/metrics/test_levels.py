"""RMSE and MAE in units of what is stored, pooled over pixels, by channel, without gaps."""

import numpy as np
import pytest
import torch

from i2ibench.errors import UserError
from i2ibench.evaluation.metrics import LevelErrors
from i2ibench.evaluation.metrics.evaluator import build_metrics, rows_of


def scene(channels, seed=0, bits=16):
    generator = torch.Generator().manual_seed(seed)
    kind = torch.int32 if bits == 16 else torch.uint8
    real, fake = torch.randint(0, 2**bits, (2, channels, 8, 9), generator=generator, dtype=kind)
    return {"name": "a", "real": real, "fake": fake}


def scored(scenes, **options):
    metric = LevelErrors(**options)
    return {k: float(v) for k, v in metric.scores(sum(metric.measure(scenes))).items()}


@pytest.mark.parametrize("bits", [8, 16])
def test_errors_are_those_of_all_pixels_in_the_stored_units(bits):
    scenes = [scene(1, 0, bits), scene(1, 1, bits)]
    error = np.concatenate([(s["fake"].long() - s["real"].long()).numpy().ravel() for s in scenes])
    scores = scored(scenes, scale=0.001)
    assert scores["rmse"] == pytest.approx(0.001 * np.sqrt((error.astype(float) ** 2).mean()))
    assert scores["mae"] == pytest.approx(0.001 * np.abs(error).mean())


def test_channels_have_scores_of_their_own():
    whole = scene(3)
    scores = scored([whole])
    for channel in range(3):
        part = {k: whole[k][channel : channel + 1] for k in ("real", "fake")}
        assert scores[f"rmse/{channel}"] == pytest.approx(scored([{"name": "a", **part}])["rmse"])


def test_pixels_that_were_not_measured_are_left_out():
    whole = scene(1)
    whole["real"][:, :4] = 0
    cut = {k: whole[k][:, 4:] for k in ("real", "fake")}
    assert scored([whole], unmeasured=0) == scored([{"name": "a", **cut}])
    whole["real"][:] = 0
    assert np.isnan(scored([whole], unmeasured=0)["rmse"])


def test_a_scale_is_above_zero():
    with pytest.raises(UserError, match="scale"):
        LevelErrors(scale=0)


@pytest.mark.parametrize(("channels", "bits"), [(1, 16), (5, 8), (4, 8)])
def test_a_metric_that_needs_rgb_says_so_where_the_data_has_none(channels, bits):
    config = {"objects": {"type": "ColourDiversity"}, "levels": {"type": "LevelErrors"}}
    info = {"image_channels": channels, "image_depth": bits, "classes": [], "thing_ids": {}}
    metrics = build_metrics(config, info)
    assert "needs RGB images of 8 bits" in metrics["objects"].unavailable
    assert metrics["levels"].unavailable is None
    assert build_metrics(config, {"classes": [], "thing_ids": {}})["objects"].unavailable is None


def test_a_metric_that_needs_rgb_is_given_grey_three_times():
    seen = []

    class Watching(LevelErrors):
        needs_rgb = True

        def measure(self, predictions):
            seen.extend(predictions)
            return super().measure(predictions)

    grey = scene(1, bits=8)
    rows_of(Watching(), [grey])
    assert seen[0]["fake"].shape == (3, 8, 9) and (seen[0]["fake"] == grey["fake"]).all()
