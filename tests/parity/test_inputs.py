"""Input encoding and preprocessing are the released code's, to the last bit."""

import numpy as np
import PIL
import pytest
import torch

from i2ibench.data.transforms import RandomCrop, Resize, RoundToMultiple, ScaleWidth
from i2ibench.models.ops.images import to_signed
from i2ibench.models.ops.labels import instance_boundaries
from i2ibench.registry import PREPROCESSORS
from tests.parity.recordings import recording


def test_boundaries():
    record = recording("input_encoding")
    for source, edges in (("inst_noise", "edges_noise"), ("inst", "edges")):
        own = instance_boundaries(record[f"in/{source}"])
        assert torch.equal(own, record[f"out/{edges}"].float())


@pytest.mark.parametrize(("boundaries", "key"), [(True, ""), (False, "_no_instance")])
def test_condition(boundaries, key):
    record = recording("input_encoding")
    preprocessor = PREPROCESSORS.build(
        {"type": "LabelPreprocessor", "boundaries": boundaries},
        num_classes=record.config["label_nc"],
    )
    data = {"name": [], "label": record["in/label"].to(torch.uint8), "instance": record["in/inst"]}
    assert torch.equal(preprocessor(data)["condition"], record[f"out/input_label{key}"])


MODES = ["resize_and_crop", "crop", "scale_width", "scale_width_and_crop", "none"]


class Fixed:
    """Random numbers that give the recorded crop position."""

    def __init__(self, left, top):
        self.values = [int(left), int(top)]

    def integers(self, _):
        return self.values.pop(0)


def steps(mode, config):
    """The released code's mode as this project's transforms."""
    load, fine = config["loadSize"], config["fineSize"]
    crop = [RandomCrop(fine, fine, fill=0)]
    enhancers = config["n_local_enhancers"] if config["netG"] == "local" else 0
    return {
        "resize_and_crop": [Resize(load, load), *crop],
        "crop": crop,
        "scale_width": [ScaleWidth(load)],
        "scale_width_and_crop": [ScaleWidth(load), *crop],
        "none": [RoundToMultiple(2 ** (config["n_downsample_global"] + enhancers))],
    }[mode]


@pytest.mark.parametrize("flip", ["noflip", "flip"])
@pytest.mark.parametrize("mode", MODES)
def test_preprocessing_mode(mode, flip):
    record = recording("preprocess")
    arrays = {
        "label": record.arrays["in/label"],
        "image": record.arrays["in/image"],
        "rng": Fixed(*record.arrays[f"in/{mode}/{flip}/crop_xy"]),
    }
    for step in steps(mode, record.config):
        arrays = step(arrays)
    if flip == "flip":
        arrays = {k: v[:, ::-1] for k, v in arrays.items() if k != "rng"}
    label = np.ascontiguousarray(arrays["label"])[None].astype(np.float32)
    assert np.array_equal(label, record.arrays[f"out/{mode}/{flip}/label"])
    image = torch.from_numpy(np.ascontiguousarray(arrays["image"].transpose(2, 0, 1)))
    # Recorded with Pillow 13; older ones round the bicubic filter another way in a few pixels.
    grey_level = 0 if int(PIL.__version__.partition(".")[0]) >= 13 else 1 / 127.5 + 1e-6
    expected = record[f"out/{mode}/{flip}/image"]
    torch.testing.assert_close(to_signed(image), expected, atol=grey_level, rtol=0)
