"""Synthesis in tiles beside that of the whole image: time, peak memory, difference.

make bench

Time and difference are measured on {G1, G2, G3} of half the width at 1024x512, where margins weigh
more than in a large image; memory is counted as in bench_memory.py, for 4096x2048 without
computing anything.
"""

import pytest
import torch
from bench_memory import peak_of
from side_by_side import in_turns, note
from systems import batch, empty_batch, translator
from torch._subclasses import FakeTensorMode

from i2ibench.inference import Inference, InferenceOptions
from i2ibench.registry import PREPROCESSORS

LARGEST = {"base_channels": 16, "num_enhancers": 2}
NARROW = {**LARGEST, "base_channels": 8}


def test_time(benchmark, tmp_path):
    """The plain way is the whole image at once; the images are the same."""
    model, data = translator(NARROW).eval(), batch(tmp_path, 1024, 512)
    model.data_preprocessor.one_hot_channels = 35
    whole, tiled = (image(model, data, tile) for tile in (None, (512, 256)))
    differences = (whole().int() - tiled().int()).abs()
    benchmark.extra_info["largest difference in levels"] = int(differences.max())
    benchmark.extra_info["share that differs"] = float((differences > 0).float().mean())
    assert differences.max() <= 1
    in_turns(benchmark, tiled, whole, "synthesis in tiles, 1024x512", 0.8, 1.0, rounds=3)


def image(model, data, tile):
    def run():
        return Inference(model, InferenceOptions(tile=tile)).paint(data, None)

    return run


@pytest.mark.parametrize("tile", [(1024, 512), (512, 512)])
def test_memory(benchmark, tile):
    """From label and instance maps to images; the maps and weights are not counted."""
    with FakeTensorMode():
        model, maps = translator(LARGEST).eval(), empty_batch(4096, 2048)
        model.generator.accepts_labels = False  # what it takes depends on the scene
        model.data_preprocessor = PREPROCESSORS.build({"type": "LabelPreprocessor"}, num_classes=35)
        data = {"name": maps["names"], "label": maps["label"], "instance": maps["instance"]}

        def run(tile):
            inference = Inference(model, InferenceOptions(tile=tile))
            batch = inference.prepared(data)
            with torch.inference_mode():
                if tile is None:  # images() would compare random states, which have no values here
                    model.synthesise(inference.inputs(batch, None), inference.settings)
                else:
                    inference.images(batch, None)

        ours, plain = peak_of(lambda: run(tile)), peak_of(lambda: run(None))
    row = f"peak memory, 4096x2048 in tiles of {tile[0]}x{tile[1]}"
    note(benchmark, row, ours / plain, 0.4, 0.3)
    gib = {"tiles": round(ours / 2**30, 2), "whole": round(plain / 2**30, 2)}
    benchmark.extra_info["GiB"] = gib
    print(f"\n{row}: {benchmark.extra_info}")
    benchmark.pedantic(lambda: None)
