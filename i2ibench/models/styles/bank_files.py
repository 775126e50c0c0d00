"""Style banks in files: x.safetensors with the tensors, and x.json with a description."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor

from i2ibench import __version__
from i2ibench.errors import UserError
from i2ibench.io.file_integrity import add_checksum, verify_checksum
from i2ibench.io.files import read_json, write_file, write_text
from i2ibench.io.provenance import sha256
from i2ibench.io.safe_names import safe_text
from i2ibench.models.styles.bank import StyleBank

SUFFIX = ".safetensors"
_KINDS = {
    "centres": torch.float32,
    "counts": torch.int64,
    "sizes": torch.int64,
    "explained": torch.float32,
}


@dataclass(frozen=True)
class SavedBank:
    """A style bank that was read from a file.

    Attributes:
        bank: the bank, with the seed of its clustering.
        classes: the names of its classes, in their order.
        note: the content of the JSON file.
    """

    bank: StyleBank
    classes: list[str]
    note: dict[str, Any]


def save_bank(
    bank: StyleBank, classes: Sequence[str], path: Path, origin: Mapping[str, Any] | None = None
) -> None:
    """Write a bank to `path`, and its description to a JSON file beside it, each atomically.

    The JSON file is named like `path` and holds the hash of the tensors' file, so that files of
    different banks are detected. Existing files are replaced.

    Args:
        bank: a fitted bank.
        classes: the names of the bank's classes.
        path: a path that ends in .safetensors.
        origin: JSON values about the origin of the bank, such as `checkpoint`.

    Raises:
        UserError: the path has another suffix; nothing has been written then.
    """
    require_suffix(path)
    tensors = {name: value.contiguous().cpu() for name, value in bank.state_dict().items()}
    write_file(path, lambda aside: save_file(tensors, aside))
    note = {**describe(bank, classes), **(origin or {}), "tensors": sha256(path)}
    write_text(note_path(path), json.dumps(add_checksum(note), indent=1))


def describe(bank: StyleBank, classes: Sequence[str]) -> dict[str, Any]:
    """Return the description of a bank as JSON values by name.

    Keys are `i2ibench` (the version), `classes`, `num_styles`, `channels`, `seed`, `counts` (modes
    of each class), `sizes` (training instances of each mode) and `explained` (None where unknown).

    Args:
        bank: a bank.
        classes: the names of its classes.
    """
    explained = [None if x != x else round(x, 6) for x in bank.explained.tolist()]
    return {
        "i2ibench": __version__,
        "classes": list(classes),
        "num_styles": bank.num_styles,
        "channels": bank.centres.shape[2],
        "seed": bank.seed,
        "counts": bank.counts.tolist(),
        "sizes": bank.sizes.tolist(),
        "explained": explained,
    }


def load_bank(path: Path, classes: Sequence[str], channels: int) -> SavedBank:
    """Read a bank from its two files, for use with a checkpoint.

    Args:
        path: the file that ends in .safetensors; the JSON file lies beside it.
        classes: the names of the checkpoint's classes, which must be the bank's in the same order.
        channels: the number of features of the checkpoint's encoder.

    Raises:
        UserError: see `read_bank`; or the bank has other classes or another number of features.
    """
    saved = read_bank(path)
    pairs = enumerate(zip_longest(saved.classes, classes))
    differing = [f"class {n} is {a!r} there and {b!r} here" for n, (a, b) in pairs if a != b]
    if differing:
        more = f", and {len(differing) - 3} more" if len(differing) > 3 else ""
        raise UserError(
            f"{path} holds the styles of other classes than the checkpoint's: "
            f"{'; '.join(differing[:3])}{more}."
        )
    size = saved.bank.centres.shape[2]
    if size != channels:
        raise UserError(
            f"{path} has styles of {size} numbers, but the checkpoint's encoder gives {channels}."
        )
    return saved


def read_bank(path: Path) -> SavedBank:
    """Read a bank of any classes from its two files. Nothing in them is executed.

    Args:
        path: the file that ends in .safetensors; the JSON file lies beside it.

    Raises:
        UserError: the path has another suffix, one of the two files is missing or broken, or they
            belong to different banks.
    """
    require_suffix(path)
    tensors, note = _read_tensors(path), _read_note(note_path(path))
    if note["tensors"] != sha256(path):
        raise UserError(
            f"{note_path(path)} is the note of another {path.name}: copy both files, or fit again."
        )
    saved = SavedBank(_bank(path, tensors, note), note["classes"], note)
    try:
        verify_checksum(note)
    except ValueError as error:
        raise UserError(f"{note_path(path)} is damaged ({error}): copy it, or fit again.") from None
    return saved


def note_path(path: Path) -> Path:
    """Return the path of the JSON file that describes a bank: `path` with the suffix .json."""
    return path.with_suffix(".json")


def require_suffix(path: Path) -> None:
    """Check that a path ends in .safetensors.

    Raises:
        UserError: it has another suffix.
    """
    if path.suffix != SUFFIX:
        raise UserError(f"A style bank is a file named x{SUFFIX}, not {path}.")


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        return load(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"There is no style bank at {path}; `styles fit` writes one.") from None
    except SafetensorError as error:
        raise UserError(f"{path} cannot be read as a style bank: {error}") from None


def _read_note(path: Path) -> dict[str, Any]:
    try:
        note = read_json(path)
    except FileNotFoundError:
        raise UserError(f"There is no {path}, which names the classes of the bank.") from None
    except ValueError as error:
        raise UserError(f"{path} is no note of a style bank: {error}") from None
    kinds = {"classes": list, "seed": int, "tensors": str}
    for key, kind in kinds.items():
        if not isinstance(note, dict) or not isinstance(note.get(key), kind):
            raise UserError(f"{path} is no note of a style bank: {key!r} is missing or wrong.")
    if not all(isinstance(name, str) for name in note["classes"]):
        raise UserError(f"{path} is no note of a style bank: 'classes' are not all names.")
    for name in note["classes"]:
        safe_text(name, str(path))
    return note


def _bank(path: Path, tensors: dict[str, Tensor], note: dict[str, Any]) -> StyleBank:
    kinds = {name: value.dtype for name, value in tensors.items()}
    if kinds != _KINDS or tensors["centres"].ndim != 3:
        raise UserError(
            f"{path} is no style bank: it holds {', '.join(sorted(tensors)) or 'none'}."
        )
    num_classes, num_styles, channels = tensors["centres"].shape
    shapes = [tuple(tensors[name].shape) for name in ("counts", "sizes", "explained")]
    if shapes != [(num_classes,), (num_classes, num_styles), (num_classes,)]:
        raise UserError(f"{path} is no style bank: its shapes {shapes} do not fit together.")
    counts = tensors["counts"]
    within = bool(((counts >= 0) & (counts <= num_styles)).all())
    if not (within and tensors["centres"].isfinite().all() and (tensors["sizes"] >= 0).all()):
        raise UserError(f"{path} is no style bank: it holds impossible numbers (counts or NaN).")
    if len(note["classes"]) != num_classes:
        raise UserError(f"{path} has {num_classes} classes, its note {len(note['classes'])}.")
    bank = StyleBank(num_classes, channels, num_styles, note["seed"])
    bank.load_state_dict(tensors)
    return bank
