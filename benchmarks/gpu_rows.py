"""What is measured on a GPU, each beside its floor and bar; any sizes, on any device."""

import copy
import time
from contextlib import nullcontext
from dataclasses import dataclass
from statistics import fmean, median

import torch
from plain.step import PlainStep
from systems import ADAM, BOTH_FUSED, batch, empty_batch, translator

from i2ibench.data.datasets.toystreet import drawn_streets
from i2ibench.data.loaders import build_dataset, build_loader
from i2ibench.inference import Inference, InferenceOptions
from i2ibench.models.translators.compilation import compile_parts
from i2ibench.registry import PREPROCESSORS
from i2ibench.training.optimizers import build_optimizers

PARTS = ("generator", "discriminator", "losses.feature_matching", "losses.perceptual")
CHECKPOINTED = {"checkpointed": ["coarse", "enhancers", "head"]}


@dataclass(frozen=True)
class Row:
    """A figure: what, how much, and beside it its floor and bar, if it has any."""

    what: str
    value: float
    unit: str
    floor: float | None = None
    bar: float | None = None


@dataclass(frozen=True)
class Bench:
    """Where and how often things are timed.

    Attributes:
        device: "cuda", or "cpu" to try the code.
        runs: how often each, after the warm-up.
        warm_up: runs that are not timed, of compiled code the ones that compile.
    """

    device: str
    runs: int = 20
    warm_up: int = 5

    def milliseconds(self, function):
        """The median time of a call, the device's work included."""
        for _ in range(self.warm_up):
            function()
        taken = []
        for _ in range(self.runs):
            self._finish()
            begin = time.perf_counter()
            function()
            self._finish()
            taken.append(1000 * (time.perf_counter() - begin))
        return median(taken)

    def _finish(self):
        if self.device == "cuda":
            torch.cuda.synchronize()

    def half(self):
        return torch.autocast(self.device, torch.bfloat16)

    def prepared(self, size, number=1):
        """A batch of one class on the device; convolutions do not care what they multiply."""
        found = empty_batch(*size, number, self.device)
        return {k: v if k == "names" else torch.zeros_like(v) for k, v in found.items()}


def inference_rows(bench, generator, size, floor, bar, ways):
    """The generator's time for one image.

    Args:
        bench: where.
        generator: its options.
        size: (width, height).
        floor: milliseconds in bf16.
        bar: milliseconds in bf16, compiled with CUDA graphs: the last of the ways.
        ways: compiled options by name; None for float32 and for bf16 as they are.
    """
    network = translator(generator, num_scales=1).generator.to(bench.device).eval()
    condition = bench.prepared(size)["condition"]
    rows = []
    for name, options in ways.items():
        torch._dynamo.reset()
        own = copy.deepcopy(network)
        if options is not None:
            own.compile(**options)
        precision = nullcontext() if name.startswith("fp32") else bench.half()
        with torch.inference_mode(), precision:
            taken = bench.milliseconds(lambda own=own: own(condition))
        what = f"synthesis {size[0]}x{size[1]}, {name}"
        last = name == list(ways)[-1]
        rows.append(Row(what, taken, "ms", floor, bar if last else None))
    return rows


def end_to_end_row(bench, generator, size, floor, bar, options):
    """Images per second from uint8 maps in host memory to uint8 RGB in host memory."""
    model = translator(generator, num_scales=1).to(bench.device).eval()
    model.data_preprocessor = PREPROCESSORS.build({"type": "LabelPreprocessor"}, num_classes=35)
    model.data_preprocessor.to(bench.device)
    inference = Inference(model, InferenceOptions("bf16"))
    model.generator.compile(**options)
    width, height = size
    data = {"name": ["s"], "label": torch.zeros(1, 1, height, width, dtype=torch.uint8),
            "instance": torch.zeros(1, 1, height, width, dtype=torch.int32)}  # fmt: skip

    def image():
        return inference.predict(data)[0]["fake"].cpu()

    return Row(
        f"end to end {width}x{height}", 1000 / bench.milliseconds(image), "pictures/s", floor, bar
    )


@dataclass(frozen=True)
class System:
    """A system whose steps are timed, and what its steps are to reach.

    Attributes:
        generator: its options.
        size: (width, height).
        num_scales: of the discriminator.
        floor: milliseconds a step at batch 1 in bf16.
        bars: milliseconds a step, images/s, and the ratio to the plain way.
        batches: those that are tried.
    """

    generator: dict
    size: tuple[int, int]
    num_scales: int
    floor: float
    bars: tuple[float, float, float]
    batches: tuple[int, ...] = (1, 2, 4, 8, 16)

    def build(self, bench, **changes):
        generator = {**self.generator, **changes.pop("generator", {})}
        return translator(generator, self.num_scales, vgg=True, **changes).to(bench.device)


def step_rows(bench, system, options):
    """Steps with VGG: the plain way in float32, ours in bf16 compiled, and the best batch."""
    name = "{}x{}".format(*system.size)
    slow = bench.milliseconds(plain_step(bench, system))
    rows = [Row(f"step {name}, plain fp32, batch 1", slow, "ms")]
    best = 0.0
    for number in system.batches:
        try:
            taken = bench.milliseconds(bf16_step(bench, system, number, options))
        except torch.cuda.OutOfMemoryError:
            break
        best = max(best, 1000 * number / taken)
        bar = system.bars[0] if number == 1 else None
        floor = system.floor if number == 1 else None
        rows.append(Row(f"step {name}, bf16 compiled, batch {number}", taken, "ms", floor, bar))
    rows.append(Row(f"best batch {name}", best, "images/s", None, system.bars[1]))
    return [*rows, Row(f"plain / ours {name}, batch 1", slow / rows[1].value, "x", None,
                       system.bars[2])]  # fmt: skip


def plain_step(bench, system):
    """What takes one plain step."""
    plain, prepared = PlainStep(system.build(bench), ADAM), bench.prepared(system.size)
    return lambda: plain(prepared)


def bf16_step(bench, system, number, options, **changes):
    """What takes one step of ours."""
    torch._dynamo.reset()
    model = system.build(bench, **changes)
    if options is not None:
        compile_parts(model.compilable(), dict.fromkeys(PARTS, options))
    wrappers = build_optimizers(model.networks(), BOTH_FUSED, "bf16", bench.device)
    prepared = bench.prepared(system.size, number)
    return lambda: model.train_step(prepared, wrappers)


def peak_row(bench, system, bar):
    """Memory of a step in bf16 with checkpointing, weights and the optimiser's state included."""
    step = bf16_step(bench, system, 1, None, generator=CHECKPOINTED)
    step()
    if bench.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    step()
    peak = torch.cuda.max_memory_allocated() / 2**30 if bench.device == "cuda" else float("nan")
    what = "peak allocated {}x{}, bf16, checkpointed".format(*system.size)
    return Row(what, peak, "GiB", None, bar)


def curve_row(bench, root, steps, size=(256, 128)):
    """How far the losses in bf16 are from those in float32: the largest of a run's quarters."""
    prepared = batch(root, *size, size=2)
    prepared = {k: v if k == "names" else v.to(bench.device) for k, v in prepared.items()}
    sums = []
    for precision in (None, "bf16"):
        model = translator({"base_channels": 16}, num_scales=2).to(bench.device)
        wrappers = build_optimizers(model.networks(), BOTH_FUSED, precision, bench.device)
        taken = [model.train_step(prepared, wrappers) for _ in range(steps)]
        sums.append([float(sum(v.float() for v in losses.values())) for losses in taken])
    quarter = max(steps // 4, 1)
    starts = range(0, steps - quarter + 1, quarter)
    means = [[fmean(own[i : i + quarter]) for i in starts] for own in sums]
    apart = max(abs(b / a - 1) for a, b in zip(*means, strict=True))
    return Row(f"losses in bf16 from fp32 over {steps} steps", 100 * apart, "%", 0.0, 5.0)


def loader_rows(root, size, scenes, workers, batch_size, bars):
    """Scenes per second from PNG and from a cache, the second epoch of each."""
    width, height = size
    drawn_streets(root, num_scenes=scenes, width=2 * width, height=2 * height)
    resize = {"type": "Resize", "width": width, "height": height}
    dataset = {"type": "ToyStreet", "root": str(root), "num_scenes": scenes, "width": 2 * width,
               "height": 2 * height, "transforms": [resize]}  # fmt: skip
    rows = []
    for cache, bar in zip((str(root / "cache"), False), bars, strict=True):
        cfg = {"dataset": dataset, "batch_size": batch_size, "num_workers": workers, "cache": cache}
        cfg |= {"prefetch": 4} if workers else {}
        loader = build_loader(build_dataset(cfg, None), cfg, training=True)
        for _ in range(2):
            begin = time.perf_counter()
            read = sum(len(data["name"]) for data in loader)
            rate = read / (time.perf_counter() - begin)
        kind = "cached" if cache else "PNG"
        rows.append(Row(f"loader {width}x{height}, {kind}, {workers} workers", rate, "scenes/s",
                        None, bar))  # fmt: skip
    return rows
