"""Pixel errors: PSNR, SSIM, RMSE and MAE against other libraries and plain formulas."""

import numpy as np
import pytest
import torch
from skimage import metrics as skimage

from i2ibench.errors import UserError
from i2ibench.evaluation.metric_building import build_metrics, rows_of
from i2ibench.evaluation.metrics import LevelErrors, PixelSimilarity
from i2ibench.evaluation.metrics.pixels import structural_similarity


def scored(predictions):
    metric = PixelSimilarity()
    return {k: v.item() for k, v in metric.scores(sum(metric.measure(predictions))).items()}


def arrays(prediction):
    return [prediction[kind].permute(1, 2, 0).numpy() for kind in ("real", "fake")]


def skimage_ssim(prediction):
    options = dict(gaussian_weights=True, use_sample_covariance=False, data_range=255)
    return skimage.structural_similarity(*arrays(prediction), channel_axis=2, **options)


def test_psnr_and_ssim_are_scikit_images(predictions):
    noise = torch.randint(-20, 21, (3, 48, 64))
    near = (predictions[0]["real"] + noise).clamp(0, 255).to(torch.uint8)
    scenes = [*predictions, {**predictions[0], "fake": near}]
    psnr = np.mean([skimage.peak_signal_noise_ratio(*arrays(p), data_range=255) for p in scenes])
    ssim = np.mean([skimage_ssim(p) for p in scenes])
    expected = {"psnr": psnr, "psnr_identical": 0, "ssim": ssim}
    assert scored(scenes) == pytest.approx(expected, rel=1e-5, abs=5e-6)


def test_ssim_in_double_is_scikit_images_to_the_last_digits(predictions):
    real, fake = (predictions[0][kind] for kind in ("real", "fake"))
    expected = skimage_ssim(predictions[0])
    assert structural_similarity(fake[None].double(), real[None].double()) == pytest.approx(
        expected, rel=1e-12
    )


def test_identical_scenes_are_counted_and_left_out_of_the_mean(predictions):
    same = {**predictions[0], "fake": predictions[0]["real"]}
    alone, mixed = scored(predictions[1:2]), scored([same, predictions[1]])
    assert mixed["psnr"] == alone["psnr"] and mixed["psnr_identical"] == 1
    assert mixed["ssim"] == pytest.approx((1 + alone["ssim"]) / 2)


def test_photos_as_their_own_translation_have_no_psnr_and_an_ssim_of_one(predictions):
    scores = scored([{**p, "fake": p["real"]} for p in predictions])
    assert np.isnan(scores["psnr"]) and scores["psnr_identical"] == len(predictions)
    assert scores["ssim"] == 1


def test_scores_depend_on_no_neighbour(predictions):
    metric = PixelSimilarity()
    alone = [metric.measure([p])[0] for p in predictions]
    assert np.array_equal(metric.measure(predictions), alone)


def test_scores_are_vectorised_over_draws(predictions):
    rows = np.stack(PixelSimilarity().measure(predictions))
    draws = np.random.default_rng(0).integers(0, len(rows), (4, 5, len(rows)))
    scores = PixelSimilarity().scores(rows[draws].sum(-2))
    assert scores["ssim"].shape == (4, 5)
    np.testing.assert_allclose(scores["psnr"][1, 2], rows[draws[1, 2], 1].mean())
    assert np.isnan(PixelSimilarity().scores(np.zeros(4))["ssim"])


def test_an_image_smaller_than_the_window_is_refused():
    tiny = torch.zeros(3, 10, 40, dtype=torch.uint8)
    with pytest.raises(UserError, match="11x11 pixels, not 40x10"):
        PixelSimilarity().measure([{"name": "s", "fake": tiny, "real": tiny}])


def test_psnr_and_ssim_of_16_bits_and_one_channel_are_scikit_images(predictions):
    rng = np.random.default_rng(0)
    real = rng.integers(0, 65536, (48, 64)).astype(np.int32)
    fake = np.clip(real + rng.integers(-3000, 3000, real.shape), 0, 65535).astype(np.int32)
    scene = {
        "name": "a",
        "fake": torch.from_numpy(fake)[None],
        "real": torch.from_numpy(real)[None],
    }
    options = dict(gaussian_weights=True, use_sample_covariance=False, data_range=65535)
    scores = scored([scene])
    assert scores["ssim"] == pytest.approx(
        skimage.structural_similarity(real.astype(float), fake.astype(float), **options), rel=1e-5
    )
    psnr = skimage.peak_signal_noise_ratio(real, fake, data_range=65535)
    assert scores["psnr"] == pytest.approx(psnr, rel=1e-5)


def scene(channels, seed=0, bits=16):
    generator = torch.Generator().manual_seed(seed)
    kind = torch.int32 if bits == 16 else torch.uint8
    real, fake = torch.randint(0, 2**bits, (2, channels, 8, 9), generator=generator, dtype=kind)
    return {"name": "a", "real": real, "fake": fake}


def level_scores(scenes, **options):
    metric = LevelErrors(**options)
    return {k: float(v) for k, v in metric.scores(sum(metric.measure(scenes))).items()}


@pytest.mark.parametrize("bits", [8, 16])
def test_errors_are_those_of_all_pixels_in_the_stored_units(bits):
    scenes = [scene(1, 0, bits), scene(1, 1, bits)]
    error = np.concatenate([(s["fake"].long() - s["real"].long()).numpy().ravel() for s in scenes])
    scores = level_scores(scenes, scale=0.001)
    assert scores["rmse"] == pytest.approx(0.001 * np.sqrt((error.astype(float) ** 2).mean()))
    assert scores["mae"] == pytest.approx(0.001 * np.abs(error).mean())


def test_channels_have_scores_of_their_own():
    whole = scene(3)
    scores = level_scores([whole])
    for channel in range(3):
        part = {k: whole[k][channel : channel + 1] for k in ("real", "fake")}
        assert scores[f"rmse/{channel}"] == pytest.approx(
            level_scores([{"name": "a", **part}])["rmse"]
        )


def test_pixels_that_were_not_measured_are_left_out():
    whole = scene(1)
    whole["real"][:, :4] = 0
    cut = {k: whole[k][:, 4:] for k in ("real", "fake")}
    assert level_scores([whole], unmeasured=0) == level_scores([{"name": "a", **cut}])
    whole["real"][:] = 0
    assert np.isnan(level_scores([whole], unmeasured=0)["rmse"])


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
