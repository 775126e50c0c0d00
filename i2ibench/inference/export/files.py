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
from i2ibench.errors import UserError
from i2ibench.inference.checkpoints import OpenedCheckpoint
from i2ibench.inference.export.graph import ExportedTranslation, example_inputs
from i2ibench.io.files import write_file, write_text
from i2ibench.io.provenance import sha256

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
    original = ExportedTranslation(opened).eval()
    translation = ExportedTranslation(opened, half).eval()
    description = describe(opened, translation)
    parities: list[Parity] = []

    def write(aside: Path) -> None:
        reference = [_reference(original, size, opened) for size in SIZES]
        if half:
            translation.translator.half()
        program = _trace(translation, _example(translation, SIZES[-1], opened))
        save = _save_onnx if target.suffix == ".onnx" else _save_program
        save(program, translation, description, aside)
        opens = _onnx_runner if target.suffix == ".onnx" else _program_runner
        run = opens(aside, translation.inputs)
        for size, expected in zip(SIZES, reference, strict=True):
            made = run(_example(translation, size, opened))
            parities.append(_compare(expected, made, size))
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
    meta, bank = opened.metainfo, opened.inference.bank
    counts = bank.counts.tolist() if bank is not None else [0] * len(meta["classes"])
    rows = zip(meta["classes"], meta["ids"], meta["palette"], counts, strict=True)
    things = meta.get("thing_ids", {})
    return {
        "format": FORMAT,
        "i2ibench": __version__,
        "checkpoint": opened.path.name,
        "sha256": sha256(opened.path),
        "inputs": list(translation.inputs),
        "precision": "float16" if translation.half_precision else "float32",
        "image_channels": opened.translator.image_channels,
        "classes": [
            {"name": name, "id": number, "colour": list(colour), "modes": modes,
             "thing": str(channel) in things}
            for channel, (name, number, colour, modes) in enumerate(rows)
        ],
    }  # fmt: skip


def _require_packages(suffix: str) -> None:
    for package in ("onnx", "onnxscript", "onnxruntime") if suffix == ".onnx" else ():
        if find_spec(package) is None:
            raise UserError(
                f"An export to ONNX needs {package}; install it with: "
                "pip install 'i2ibench[export]'"
            )


def _example(
    translation: ExportedTranslation, size: tuple[int, int], opened: OpenedCheckpoint
) -> tuple[Tensor, ...]:
    channels = opened.translator.image_channels
    return example_inputs(translation.inputs, size, len(opened.metainfo["classes"]), channels)


@torch.no_grad()
def _reference(
    original: ExportedTranslation, size: tuple[int, int], opened: OpenedCheckpoint
) -> NDArray[np.uint8]:
    image: NDArray[np.uint8] = original(*_example(original, size, opened)).numpy()
    return image


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


def _compare(expected: NDArray[np.uint8], made: NDArray[np.uint8], size: tuple[int, int]) -> Parity:
    apart = np.abs(expected.astype(int) - made.astype(int))
    return Parity(size[1], size[0], int(apart.max()), float((apart > 0).mean()))
