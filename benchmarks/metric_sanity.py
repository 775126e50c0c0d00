"""Metric sanity: what a protocol says of photos that were degraded on purpose.

python benchmarks/metric_sanity.py camvid --data-root data/camvid --output work_dirs/sanity

Every degradation must score worse than the photos themselves, and more of it worse than less.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from mmengine.config import Config, DictAction
from numpy.typing import NDArray

from i2ibench.evaluation.evaluate import evaluate
from i2ibench.evaluation.image_sources import ClassColours
from i2ibench.evaluation.protocol_scenes import ScoredScenes, open_scenes, prepare_scenes
from i2ibench.evaluation.protocols.protocol import build_protocol
from i2ibench.evaluation.system_sources import parse_systems
from i2ibench.io.files import write_image
from i2ibench.io.progress import track
from i2ibench.registry.mmengine_workarounds import silence_third_parties
from i2ibench.reports import score_lines, write_report

Image = NDArray[np.uint8]


def jpeg(image: Image, quality: int) -> Image:
    """The image after JPEG compression."""
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))


def blur(image: Image, sigma: float) -> Image:
    """The image under a Gaussian blur, sigma in pixels."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma))


def noise(image: Image, deviation: float) -> Image:
    """The image with Gaussian noise, the same for every image."""
    random = np.random.default_rng(0).normal(0, deviation, image.shape)
    return np.clip(image + random, 0, 255).round().astype(np.uint8)


PHOTO_CHANGES: dict[str, Callable[[Image], Image]] = {
    "jpeg quality 30": lambda p: jpeg(p, 30),
    "blur 2": lambda p: blur(p, 2),
    "blur 6": lambda p: blur(p, 6),
}


def write_degraded(scenes: ScoredScenes, folder: Path) -> list[str]:
    """Write a folder of images per degradation; gives them as `name=folder`."""
    paint = ClassColours(scenes)
    for index in track(range(len(scenes)), "degrading"):
        sample = scenes.sample(index)
        photo = sample["image"].permute(1, 2, 0).numpy()
        flat = paint.read(index, sample)[0].permute(1, 2, 0).numpy()
        images = {name: change(photo) for name, change in PHOTO_CHANGES.items()}
        images["class colours and noise 20"] = noise(flat, 20)
        for name, image in images.items():
            write_image(folder / name / f"{sample['name']}.png", image)
    return [f"{path.name}={path}" for path in sorted(folder.iterdir())]


def main() -> None:
    """Degrade, evaluate, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("protocol")
    parser.add_argument("--data-root")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--protocol-options", nargs="+", action=DictAction, default={})
    options = parser.parse_args()
    silence_third_parties()
    chosen = Config({"type": options.protocol})
    chosen.merge_from_dict(options.protocol_options)
    protocol = build_protocol(chosen.to_dict())
    prepare_scenes(protocol, None, options.data_root)
    scenes = open_scenes(protocol, None, options.data_root)
    subjects = parse_systems([], write_degraded(scenes, options.output / "degraded"))
    results = evaluate(protocol, subjects, options.output, root=options.data_root)
    print("\n".join(score_lines(results)))
    print(f"report: {write_report(options.output, results)}")


if __name__ == "__main__":
    main()
