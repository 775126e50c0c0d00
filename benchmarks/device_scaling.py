"""Scaling model: step time and bytes exchanged when a config trains on 1 to 64 devices.

python benchmarks/device_scaling.py CONFIG --step-seconds 0.5

Simulated, not measured. Assumptions:
- every device computes its own batch in the step time that is given (measure it with one device;
  the config's own log has `step_s`);
- the gradients of each network are averaged by one ring all-reduce per step, after the backward
  pass: 2 (N - 1) / N times the gradients' bytes pass through each device's link, in 2 (N - 1)
  messages. Training sends them in buckets during the backward pass; what that hides is not taken
  off, so the table is the dear end;
- within a node of 8 devices the link is the inner one; beyond it every ring passes the network,
  which then is the slowest link and decides;
- latency per message as stated; no stragglers, no waiting for data.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch

from i2ibench.data.loaders import build_dataset
from i2ibench.models.translators.build import build_translator
from i2ibench.registry.configuration import list_stages, load_config

PER_NODE = 8
COUNTS = (1, 2, 4, 8, 16, 32, 64)
BYTES = 4
"""Of one gradient: float32, whatever the precision of the networks."""


@dataclass(frozen=True)
class Link:
    """A connection: bytes per second in one direction, and seconds per message."""

    name: str
    bandwidth: float
    latency: float


NVLINK = Link("NVLink 4, 450 GB/s", 450e9, 5e-6)
PCIE = Link("PCIe 5 x16, 50 GB/s", 50e9, 10e-6)
INFINIBAND = Link("InfiniBand 400 Gb/s", 50e9, 5e-6)
ETHERNET = Link("Ethernet 25 Gb/s", 3.1e9, 30e-6)
MACHINES = {"NVLink + InfiniBand": (NVLINK, INFINIBAND), "PCIe + Ethernet": (PCIE, ETHERNET)}


def exchange_seconds(count: int, gradients: list[int], link: Link) -> float:
    """The time of the step's all-reduces over a ring of `count` devices."""
    if count == 1:
        return 0.0
    share = 2 * (count - 1) / count
    return sum(share * n * BYTES / link.bandwidth + 2 * (count - 1) * link.latency
               for n in gradients)  # fmt: skip


def gradient_counts(path: Path) -> dict[str, int]:
    """The trained parameters of each optimiser of a config's last stage."""
    config = list_stages(load_config(path))[-1]
    for name in ("perceptual", "refinement"):  # VGG's weights are not trained, nor needed here
        config.model.losses.pop(name, None)
    options = {**config.train_dataloader.dataset}
    kind = options["type"]
    with torch.device("meta"):
        translator = build_translator(config, _metainfo(kind, config))
    return {k: sum(p.numel() for p in v.values()) for k, v in translator.networks().items()}


def _metainfo(kind: str, config):
    from i2ibench.data.classes import CITYSCAPES_CLASSES
    from i2ibench.data.datasets.camvid import CAMVID_CLASSES

    known = {"CamVid": CAMVID_CLASSES, "Cityscapes": CITYSCAPES_CLASSES,
             "ToyStreet": CITYSCAPES_CLASSES}  # fmt: skip
    if kind in known:
        return known[kind].metainfo(kind)
    return build_dataset(config.train_dataloader, config.get("data_root")).metainfo


def table(step_seconds: float, gradients: dict[str, int]) -> list[str]:
    """The model's table as Markdown."""
    sizes = list(gradients.values())
    lines = [
        "| devices | MB through each device | " + " | ".join(
            f"{name}: step s, efficiency" for name in MACHINES) + " |",
        "| --- | --- |" + " --- |" * len(MACHINES),
    ]  # fmt: skip
    for count in COUNTS:
        moved = 0 if count == 1 else 2 * (count - 1) / count * sum(sizes) * BYTES / 1e6
        cells = []
        for inner, outer in MACHINES.values():
            link = inner if count <= PER_NODE else outer
            total = step_seconds + exchange_seconds(count, sizes, link)
            cells.append(f"{total:.3f}, {step_seconds / total:.0%}")
        lines.append(f"| {count} | {moved:.0f} | " + " | ".join(cells) + " |")
    return lines


def main() -> None:
    """Print the table of a config."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--step-seconds", type=float, required=True, help="of one device")
    options = parser.parse_args()
    gradients = gradient_counts(options.config)
    counts = ", ".join(f"{name} {n / 1e6:.1f} M" for name, n in gradients.items())
    print(f"{options.config.stem}: {counts}; one device takes {options.step_seconds} s per step")
    print("\n".join(table(options.step_seconds, gradients)))


if __name__ == "__main__":
    main()
