"""Spots that stand at the same place of every image: issue 46 of the released pix2pixHD.

    python benchmarks/fixed_spots.py FOLDER [FOLDER ...]

For each folder of PNG images of one size: how far the brightest or darkest place lies from its
surroundings (the median of 9x9 pixels), averaged over all images, in levels of 255, and where.
Photos have some, too, such as the end of a street.
"""

import sys
from pathlib import Path

import numpy as np
from scipy.ndimage import median_filter

from i2ibench.data.image_reading import read_rgb


def main(folders):
    for folder in map(Path, folders):
        paths = sorted(folder.rglob("*.png"))
        if not paths:
            sys.exit(f"{folder} holds no PNG images.")
        total = 0.0
        for path in paths:
            image = read_rgb(path).astype(np.float64)
            total = total + image - median_filter(image, size=(9, 9, 1))
        deviation = np.abs(total / len(paths)).max(2)
        row, column = np.unravel_index(deviation.argmax(), deviation.shape)
        print(f"{folder}: {deviation.max():.0f} levels at row {row}, column {column}; "
              f"{len(paths)} images")  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1:])
