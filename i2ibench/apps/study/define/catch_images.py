"""Images that everybody should find worse than their original: for catch and practice trials."""

import cv2
import numpy as np
from numpy.typing import NDArray


def degrade(image: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """The image [H,W,3], blurred by a twenty-fourth of its width, paled, and noisy.

    Args:
        image: the original.
        seed: of the noise.
    """
    random = np.random.default_rng(seed)
    blurred = cv2.GaussianBlur(image, (0, 0), max(image.shape[1] / 24, 1.0)).astype(np.float64)
    pale = 0.5 * blurred + 0.5 * blurred.mean()
    noise = random.normal(0, 28, image.shape[:2])[..., None]
    noisy: NDArray[np.uint8] = np.clip(pale + noise, 0, 255).astype(np.uint8)
    return noisy
