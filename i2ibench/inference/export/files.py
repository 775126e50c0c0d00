"""Writing of exported systems, and the comparison of the file with the original."""

import json
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from i2ibench import __version__
from i2ibench.data.classes import stored_table
from i2ibench.errors import UserError
from i2ibench.inference.checkpoints import OpenedCheckpoint
from i2ibench.inference.export.graph import (
    KINDS,
    ExportedTranslation,
    check_exportable,
    example_inputs,
    styles_of,
)
from i2ibench.io.files import write_file, write_text
from i2ibench.io.provenance import sha256
from i2ibench.models.translators.scene_noise import given_noise

FORMAT = "i2ibench/export@1"

OPSET = 20

SIZES = ((128, 256), (96, 96), (75, 118))
"""The (height, width) of the scenes on which a file is compared.

The last is also that of the trace. As it is padded, no size without padding is taken for granted.
"""

Run = Callable[[tuple[Tensor, ...]], NDArray[np.uint8]]


@dataclass(frozen=True)
class Parity:
    """The comparison of an exported file with the original on one scene.

    Attributes:
        width, height: the size of the scene.
        largest: the largest difference in grey levels.
        differing: the share of the values that differ at all.
    """

    width: int
    height: int
    largest: int
    differing: float

    def __str__(self) -> str:
        return (
            f"{self.width}x{self.height}: at most {self.largest} grey levels apart, "
            f"{self.differing:.2%} of the values differ"
        )


def export_system(opened: OpenedCheckpoint, target: Path, half: bool = False) -> list[Parity]:
    """Write a system as .onnx or .pt2, compare it with the original, and return the comparison.

    A description is written beside the file, with the ending .json: classes, inputs, modes, the
    checkpoint's hash, and the comparison. Both files are replaced only after the comparison.

    Args:
        opened: a checkpoint on the CPU.
        target: the file; its ending chooses the format.
        half: compute in 16-bit floats, in files of half the size.

    Raises:
        UserError: the ending is another, a package is missing, the system cannot be exported, or
            the file gives other images than the original (more than one grey level apart in 32-bit
            floats).
    """
    if target.suffix not in (".onnx", ".pt2"):
        raise UserError(f"{target}: an exported file ends in .onnx or .pt2.")
    _require_packages(target.suffix)
    check_exportable(opened)
    scenes = [_example(opened, size) for size in SIZES]
    reference = [_translated(opened, scene) for scene in scenes]
    translation = ExportedTranslation(opened, half).eval()
    description = describe(opened, translation)
    parities: list[Parity] = []

    def write(aside: Path) -> None:
        if half:
            translation.translator.half()
        inputs = [tuple(scene[name] for name in translation.inputs) for scene in scenes]
        program = _trace(translation, inputs[-1])
        save = _save_onnx if target.suffix == ".onnx" else _save_program
        save(program, translation, description, aside)
        opens = _onnx_runner if target.suffix == ".onnx" else _program_runner
        run = opens(aside, translation.inputs)
        parities.extend(
            _compare(expected, run(given))
            for given, expected in zip(inputs, reference, strict=True)
        )
        if not half and max(parity.largest for parity in parities) > 1:
            raise UserError(
                f"{target} is not written, because its images differ from the original's: "
                f"{'; '.join(map(str, parities))}. Please report the system."
            )

    write_file(target, write)
    description["parity"] = [asdict(parity) for parity in parities]
    write_text(target.with_name(f"{target.name}.json"), json.dumps(description, indent=2))
    return parities


def describe(opened: OpenedCheckpoint, translation: ExportedTranslation) -> dict[str, Any]:
    """Return what a program needs to know of an exported system, as JSON values."""
    bank, classes = opened.inference.bank, stored_table(opened.metainfo).classes
    counts = bank.counts.tolist() if bank is not None else [0] * len(classes)
    return {
        "format": FORMAT,
        "i2ibench": __version__,
        "checkpoint": opened.path.name,
        "sha256": sha256(opened.path),
        "inputs": list(translation.inputs),
        "precision": "float16" if translation.half_precision else "float32",
        "image_channels": opened.translator.image_channels,
        "classes": [
            {"name": c.name, "id": c.id, "colour": list(c.colour), "modes": modes,
             "thing": c.thing}
            for c, modes in zip(classes, counts, strict=True)
        ],
    }  # fmt: skip


def _require_packages(suffix: str) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime") if suffix == ".onnx" else ():
        if find_spec(package) is None:
            raise UserError(
                f"An export to ONNX needs {package}; install it with: "
                "pip install 'i2ibench[export]'"
            )


def _example(opened: OpenedCheckpoint, size: tuple[int, int]) -> dict[str, Tensor]:
    channels = opened.translator.image_channels
    return example_inputs(size, len(opened.metainfo["classes"]), channels)


@torch.inference_mode()
def _translated(opened: OpenedCheckpoint, scene: dict[str, Tensor]) -> NDArray[np.uint8]:
    """Return the image uint8 [H,W,C] that `translate` would make of an example."""
    inference, method = opened.inference, opened.translator
    maps = {kind: scene[kind][None, None] for kind in KINDS}
    batch = method.data_preprocessor({"name": ["scene"], **maps})
    features = None
    if inference.bank is not None:
        features = styles_of(inference.bank, scene["label"], scene["modes"])
    noise = inference.padded(scene["noise"].permute(2, 0, 1)[None])
    with given_noise(noise if method.varies else None):
        image = inference.paint(batch, features)[0]
    pixels: NDArray[np.uint8] = image.permute(1, 2, 0).numpy()
    return pixels


def _trace(
    translation: ExportedTranslation, inputs: tuple[Tensor, ...]
) -> torch.export.ExportedProgram:
    """Return the graph of a translation for scenes of any size."""
    sides = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    try:
        with torch.no_grad():
            return torch.export.export(
                translation, inputs, dynamic_shapes=(tuple(sides for _ in inputs),)
            )
    except Exception as error:  # torch.export raises anything for code that it cannot trace
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"torch.export cannot trace this system: {reason}") from error


def _save_onnx(
    program: torch.export.ExportedProgram, translation: ExportedTranslation,
    description: dict[str, Any], path: Path,
) -> None:  # fmt: skip
    import onnx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = torch.onnx.export(
            program, (), input_names=list(translation.inputs), output_names=["image"],
            dynamo=True, opset_version=OPSET, verbose=False,
        )  # fmt: skip
    assert made is not None
    model = made.model_proto
    onnx.helper.set_model_props(model, {"i2ibench": json.dumps(description)})
    path.write_bytes(model.SerializeToString())


def _save_program(
    program: torch.export.ExportedProgram, translation: ExportedTranslation,
    description: dict[str, Any], path: Path,
) -> None:  # fmt: skip
    # torch adds .pt2 to any other ending.
    beside = path.with_name(f"{path.name}.pt2")
    torch.export.save(program, beside, extra_files={"i2ibench.json": json.dumps(description)})
    beside.replace(path)


def _onnx_runner(path: Path, names: tuple[str, ...]) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])

    def run(inputs: tuple[Tensor, ...]) -> NDArray[np.uint8]:
        given = {name: value.numpy() for name, value in zip(names, inputs, strict=True)}
        image: NDArray[np.uint8] = session.run(None, given)[0]
        return image

    return run


def _program_runner(path: Path, names: tuple[str, ...]) -> Run:
    beside = path.with_name(f"{path.name}.pt2")
    beside.hardlink_to(path)
    try:
        module = torch.export.load(beside).module()
    finally:
        beside.unlink()

    def run(inputs: tuple[Tensor, ...]) -> NDArray[np.uint8]:
        with torch.no_grad():
            image: NDArray[np.uint8] = module(*inputs).numpy()
        return image

    return run


def _compare(expected: NDArray[np.uint8], made: NDArray[np.uint8]) -> Parity:
    apart = np.abs(expected.astype(int) - made.astype(int))
    height, width = expected.shape[:2]
    return Parity(width, height, int(apart.max()), float((apart > 0).mean()))
