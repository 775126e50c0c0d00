"""Edge maps computed from photos, dark on white as in pix2pix's data sets."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from i2ibench.data.file_search import files_by_name
from i2ibench.data.pixel_formats import read_alone, to_display_rgb
from i2ibench.data.prepare.dataset_readers import (
    Contents,
    DatasetReader,
    SourceData,
    chosen_for_validation,
    require,
    scenes_of_images,
)
from i2ibench.data.prepare.hed import HED_OBTAIN, load_hed
from i2ibench.errors import UserError

OBTAIN = (
    "Edges are drawn from any photos: a folder with train/ and val/, or one folder of photos, of "
    "which val_share are set apart."
)
METHODS = ("canny", "sobel", "hed")

Detector = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""A function from a photo uint8 RGB [H,W,3] to its edges uint8 [H,W], 255 on an edge."""


def read_edges(
    source: Path,
    method: str = "canny",
    low: int = 50,
    high: int = 100,
    blur: float = 1.0,
    weights: str | None = None,
    val_share: float = 0.1,
) -> SourceData:
    """Read photos and compute their edge maps, uint8, which are the sources.

    A photo is one scene. Its edge map [H,W], dark edges on white, is computed when the scene is
    written; the photo's file is the image. The splits are the folders train/ and val/; without
    train/ all photos below `source` are divided.

    Args:
        source: the folder of photos.
        method: "canny"; "sobel", the gradient's length; or "hed" (Xie & Tu 2015), which pix2pix
            used and which needs weights.
        low, high: thresholds of Canny, for the gradient's length as `sobel` returns it.
        blur: standard deviation in pixels of the Gaussian before Canny and Sobel; 0 for none.
        weights: HED's published file, hed_pretrained_bsds.caffemodel; None for other methods.
        val_share: share of the photos to validate on if the folder has no train/. A hash of the
            names chooses the photos.

    Raises:
        UserError: there are no photos, train/ has no val/ beside it, or an option is wrong.
    """
    require(source, OBTAIN)
    read = partial(_read, detect=_detector(method, (low, high), blur, weights))
    splits = _photos(source, val_share).items()
    return SourceData({split: scenes_of_images(files, read) for split, files in splits})


def _photos(source: Path, val_share: float) -> dict[str, dict[str, Path]]:
    if (source / "train").is_dir():
        require(source / "val", OBTAIN)
        return {split: files_by_name(source / split) for split in ("train", "val")}
    files = files_by_name(source)
    chosen = chosen_for_validation(files, val_share)
    parts = {"train": sorted(files.keys() - chosen), "val": sorted(chosen)}
    return {split: {name: files[name] for name in names} for split, names in parts.items()}


def _detector(
    method: str, thresholds: tuple[int, int], blur: float, weights: str | None
) -> Detector:
    if method not in METHODS:
        raise UserError(f"method is one of {', '.join(METHODS)}, not {method!r}.")
    if method == "hed":
        if weights is None:
            raise UserError(f"method=hed needs weights=PATH. {HED_OBTAIN}")
        return load_hed(Path(weights))
    if weights is not None:
        raise UserError(f"weights are for method=hed, not {method}.")
    if method == "canny":
        return partial(canny, thresholds=thresholds, blur=blur)
    return partial(sobel, blur=blur)


def canny(photo: NDArray[np.uint8], thresholds: tuple[int, int], blur: float) -> NDArray[np.uint8]:
    """Return an edge map uint8 [H,W], 255 on thin edges and 0 elsewhere, by Canny (1986) in OpenCV.

    Args:
        photo: uint8 RGB [H,W,3].
        thresholds: the low and the high one, for the length of the gradient.
        blur: standard deviation in pixels of the Gaussian before it; 0 for none.
    """
    return cv2.Canny(_grey(photo, blur), *thresholds, L2gradient=True)


def sobel(photo: NDArray[np.uint8], blur: float) -> NDArray[np.uint8]:
    """Return the length of the grey photo's gradient, uint8 [H,W], cut off at 255.

    Without blur a step of 64 grey levels or more is 255.

    Args:
        photo: uint8 RGB [H,W,3].
        blur: standard deviation in pixels of the Gaussian before it; 0 for none.
    """
    grey = _grey(photo, blur).astype(np.float32)
    across, down = (cv2.Sobel(grey, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    return np.clip(np.hypot(across, down), 0, 255).astype(np.uint8)


def _grey(photo: NDArray[np.uint8], blur: float) -> NDArray[np.uint8]:
    grey = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
    return cv2.GaussianBlur(grey, (0, 0), blur) if blur else grey


def _read(path: Path, detect: Detector) -> Contents:
    return {"source": 255 - detect(to_display_rgb(read_alone(path))), "image": path}


EDGES = DatasetReader(read_edges, OBTAIN, "configs/pix2pixhd_edges2photo.py")
