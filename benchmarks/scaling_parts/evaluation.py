"""Evaluation over images, a style bank over instances, and a run's log over epochs.

The evaluation is that of `i2ibench eval`, of a folder of images beside its controls, with the
metrics that need no weights and the shipped segmenter.
"""

import itertools
import json
import tracemalloc

import cv2
import numpy as np
from bench_memory import peak_of
from mmengine.visualization import LocalVisBackend

from i2ibench.data.datasets.toystreet import drawn_streets
from i2ibench.evaluation.evaluate import evaluate
from i2ibench.evaluation.protocols.protocol import build_protocol
from i2ibench.evaluation.system_sources import parse_systems
from i2ibench.models.styles.bank import StyleBank
from i2ibench.reports.training_curves import run_curves
from scaling_parts.curves import LINEAR, Bar, Curve, named, timed

TIME = "CPU seconds"
RECORDS = 149
"""Of an epoch of 2975 scenes, logged every 20 iterations."""


def curves(plan):
    sizes = named(plan.take([8, 16, 32, 64], [2, 4]))
    rounds = timed(lambda n: evaluation(plan, n), sizes, plan.take(2, 1))
    yield Curve("evaluation: time", "pictures", "pictures", TIME, sizes, rounds, LINEAR)
    peaks = [peak_of_all(evaluation(plan, count)) / 2**20 for count in sizes]
    yield Curve("evaluation: peak memory", "pictures", "pictures", "MiB of arrays and tensors",
                sizes, [peaks], Bar(0, 1.1), "counted")  # fmt: skip
    sizes = named(plan.take([500, 1000, 2000, 4000, 8000], [100, 200]))
    rounds = timed(fitting, sizes, plan.take(5, 1))
    yield Curve("style bank", "fitting 10 modes", "instances of a class", TIME, sizes, rounds,
                LINEAR)  # fmt: skip
    sizes = named(plan.take([1, 10, 50, 200], [1, 5]))
    for name, prepare in (("adding records", logging), ("drawing curves", drawing)):
        rounds = timed(lambda n, way=prepare: way(plan, n), sizes, plan.take(5, 1))
        yield Curve("log of a run", name, "epochs", TIME, sizes, rounds, Bar(0, 3.0))


def evaluation(plan, count):
    """The whole of an evaluation in a new folder each time."""
    root, given = plan.folder / f"test{count}", plan.folder / f"pictures{count}"
    width = plan.take(256, 128)
    drawn_streets(root, "test", count, width, width // 2)
    given.mkdir(exist_ok=True)
    for path in root.glob("leftImg8bit/test/*/*.png"):
        image = cv2.GaussianBlur(cv2.imread(str(path)), (0, 0), 2)
        cv2.imwrite(str(given / path.name.replace("_leftImg8bit", "")), image)
    size = {"num_scenes": count, "width": width, "height": width // 2}
    protocol = build_protocol({"type": "toystreet", **size})
    outputs = (plan.folder / f"scores{count}_{number}" for number in itertools.count())

    def once():
        output = next(o for o in outputs if not o.exists())
        evaluate(protocol, parse_systems([], [f"blurred={given}"]), output, root=str(root))

    return once


def peak_of_all(function):
    """Bytes of Python's objects and arrays at their peak, and of tensors at theirs.

    Once everything that is loaded only once has been.
    """
    tracemalloc.start()
    tensors = peak_of(function)
    _, arrays = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return arrays + tensors


def fitting(instances):
    """The modes of one class whose features lie in ten clouds."""
    random = np.random.default_rng(0)
    centres = random.uniform(-1, 1, (10, 3))
    rows = centres[random.integers(0, 10, instances)] + random.normal(0, 0.1, (instances, 3))
    bank = StyleBank(1, 3)
    return lambda: bank.fit({0: rows.astype(np.float32)})


def logging(plan, epochs):
    """Adds the records of one more epoch to the log of a run."""
    folder = plan.folder / f"added{epochs}" / "begun" / "vis_data"
    write_log(folder, epochs)
    backend = LocalVisBackend(str(folder))

    def add():
        for number in range(RECORDS):
            backend.add_scalars(record(epochs, number))

    return add


def drawing(plan, epochs):
    """Reads the log of a run and draws its curves, as the report does."""
    folder = plan.folder / f"drawn{epochs}"
    write_log(folder / "begun" / "vis_data", epochs)
    return lambda: run_curves(folder)


def write_log(folder, epochs):
    folder.mkdir(parents=True, exist_ok=True)
    numbers = itertools.product(range(epochs), range(RECORDS))
    lines = (json.dumps(record(*pair)) for pair in numbers)
    (folder / "scalars.json").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def record(epoch, number):
    """What TrainingLog writes every 20 iterations."""
    step = 20 * (epoch * RECORDS + number + 1)
    names = ("G/adversarial", "feature_matching", "perceptual", "D/real", "D/fake")
    losses = {f"train/{name}": 1 / (step % (37 + i) + 1) for i, name in enumerate(names)}
    rates = {"train/generator.lr": 2e-4, "train/discriminator.lr": 2e-4}
    return {**losses, **rates, "train/step_s": 0.5, "step": step}
