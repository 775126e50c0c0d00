"""The estimate of memory beside what training really takes on this machine, as a Markdown table.

    OMP_NUM_THREADS=1 python benchmarks/estimate_error.py

Each row trains two steps in a process of its own, on random images. "Counted" is the same count
on tensors with contents; "resident" is the process's greatest resident memory (VmHWM) less what it
was before the networks were built, so that the allocator's losses and operators' scratch space are
in it. Linux only.
"""

import json
import subprocess
import sys
from pathlib import Path

import torch
from mmengine.config import Config

from i2ibench.data.loaders import batch_spec
from i2ibench.models.ops.peak_memory import TensorMemoryCounter
from i2ibench.models.translators.build import build_translator
from i2ibench.training.memory_estimate import estimate_memory
from i2ibench.training.optimizers import build_optimizers

WIDE = {"type": "CoarseToFineGenerator", "base_channels": 64}
LOCAL = {"type": "CoarseToFineGenerator", "base_channels": 32, "num_enhancers": 1}
ALL_PARTS = {"checkpointed": ["coarse", "enhancers", "head"]}
SCALES = {"type": "MultiScaleDiscriminator"}
ROWS = {
    "pix2pixHD, width 16, encoder": (
        {"type": "CoarseToFineGenerator", "base_channels": 16}, (256, 128, 4), None,
    ),
    "U-Net (pix2pix)": ({"type": "UNetGenerator"}, (256, 256, 4), None),
    "CRN, 128 rows": (
        {"type": "CRNGenerator", "height": 128, "max_channels": 256}, (256, 128, 2), None,
    ),
    "full-width G1": (WIDE, (512, 256, 1), None),
    "full-width G1, checkpointed": ({**WIDE, **ALL_PARTS}, (512, 256, 1), None),
    "full-width G1, bf16": (WIDE, (512, 256, 1), "bf16"),
    "full-width {G1, G2}, bf16, checkpointed": ({**LOCAL, **ALL_PARTS}, (512, 256, 1), "bf16"),
}  # fmt: skip


def config_of(row):
    generator, (width, height, batch_size), precision = ROWS[row]
    resize = {"type": "Resize", "width": width, "height": height}
    loader = {
        "dataset": {"type": "Cityscapes", "transforms": [resize]}, "batch_size": batch_size,
    }  # fmt: skip
    plain = generator["type"] != "CoarseToFineGenerator"
    adam = {"type": "Adam", "lr": 2e-4, "fused": True}
    losses = {"pixel": {"type": "PixelLoss", "weight": 100.0}}
    if not plain:
        losses["features"] = {"type": "FeatureMatching", "weight": 10.0}
    model = {
        "type": "PairedTranslator", "generator": generator, "losses": losses,
        "discriminator": {"type": "PatchDiscriminator"} if plain else SCALES,
        "adversarial": {"type": "LeastSquaresGAN"}, "discriminator_first": plain,
        "encoder": {"type": "InstanceEncoder"} if "encoder" in row else None,
    }  # fmt: skip
    return Config({
        "model": model, "data_preprocessor": {"type": "LabelPreprocessor"}, "amp": precision,
        "train_dataloader": loader, "val_dataloader": loader, "work_dir": "none",
        "optimizers": {"generator": adam, "discriminator": adam},
    })  # fmt: skip


def measure(row):
    """The peaks of real steps in bytes, counted in the second one and resident."""
    config = config_of(row)
    torch.set_num_threads(1)
    images = batch_spec(config.train_dataloader, None)
    size = (images.batch_size, 1, images.height, images.width)
    batch = {
        "name": ["s"] * size[0],
        "label": torch.randint(35, size, dtype=torch.uint8),
        "instance": torch.randint(200, size, dtype=torch.int32),
        "image": torch.randint(256, (size[0], 3, *size[2:]), dtype=torch.uint8),
    }
    torch.nn.Conv2d(3, 3, 3)(torch.zeros(1, 3, 64, 64)).sum().backward()  # libraries are loaded
    before = status("VmRSS")
    model = build_translator(config, images.metainfo).train()
    optimizers = build_optimizers(model.networks(), config.optimizers, config.amp)
    model.train_step(batch, optimizers)
    state = sum(
        x.nbytes
        for o in optimizers.values()
        for s in o.optimizer.state.values()
        for x in s.values()
    )
    with TensorMemoryCounter() as counter:
        model.train_step(batch, optimizers)
    resident = status("VmHWM") - before
    weights = sum(x.nbytes for x in [*model.parameters(), *model.buffers()])
    return {"counted": weights + state + counter.peak, "resident": resident}


def status(key):
    """A line of this process's status, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def main(chosen):
    print("| system | size, batch | estimate | counted | error | resident | of it estimated |")
    print("|---|---|---|---|---|---|---|")
    for row in chosen or ROWS:
        estimate = estimate_memory(config_of(row), ROWS[row][2]).step
        command = [sys.executable, __file__, "--measure", row]
        answer = subprocess.run(command, capture_output=True, text=True, check=True)
        real = json.loads(answer.stdout.splitlines()[-1])
        width, height, batch_size = ROWS[row][1]
        error = estimate / real["counted"] - 1
        share = estimate / real["resident"]
        sizes = (f"{x / 2**20:.0f} MiB" for x in (estimate, real["counted"], real["resident"]))
        one, two, three = sizes
        print(f"| {row} | {width}x{height}, {batch_size} | {one} | {two} | {error:+.2%} | {three} "
              f"| {share:.2f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        print(json.dumps(measure(sys.argv[2])))
    else:
        main(sys.argv[1:])
