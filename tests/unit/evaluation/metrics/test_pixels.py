"""PSNR and SSIM against scikit-image, and their laws."""

import numpy as np
import pytest
import torch
from skimage import metrics as skimage

from i2ibench.errors import UserError
from i2ibench.evaluation.metrics import PixelSimilarity
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


def test_a_image_smaller_than_the_window_is_refused():
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
