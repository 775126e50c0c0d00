"""A study folder made by hand: three methods on small images of plain colours."""

import json

import numpy as np
from PIL import Image

from i2ibench.apps.study.define.definition import DEGRADED, read_definition
from i2ibench.apps.study.define.study import NOTE, Study, open_study
from i2ibench.io.files import write_image

METHODS = ("pix2pix", "crn", "real")
SECRET = "0123456789abcdef"


def write_study(folder, num_scenes=6, size=(64, 32), **changes):
    """Write a study's folder, and return the study; `changes` are keys of its study file."""
    content = {
        "title": "Streets",
        "methods": {
            "pix2pix": {"images": "pix2pix"}, "crn": {"images": "crn"}, "real": {"photos": True},
        },
        "pairs": (("pix2pix", "crn"), ("pix2pix", "real")),
        "per_pair": 2, "repeats": 1, "catch": 1, "practice": 1, **changes,
    }  # fmt: skip
    definition = read_definition(content, "study.py")
    scenes = [f"scene{n}" for n in range(num_scenes)]
    study = Study(folder, definition, scenes, "real", SECRET, {}, size, "2026-11-23")
    for method, shade in zip((*METHODS, DEGRADED), (40, 90, 140, 190), strict=True):
        for number, scene in enumerate(scenes):
            pixels = np.full((size[1], size[0], 3), shade, np.uint8)
            pixels[:, : 4 * (number % 12 + 1)] = (shade + 20, number * 30 % 256, 99)
            write_image(study.image_path(method, scene), pixels, flush=False)
    (folder / NOTE).write_text(json.dumps(study.as_dict()))
    return open_study(folder)


def shade_of(path):
    """Return the grey value of an image's right part, which identifies its method."""
    return int(np.array(Image.open(path))[0, -1, 0])
