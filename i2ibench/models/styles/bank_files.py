"""Style banks in files: x.safetensors with the numbers, x.json with what they are of."""

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
from i2ibench.io.checksums import add_checksum, verify_checksum
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
    """A style bank as a file holds it.

    Attributes:
        bank: with the seed that it was fitted with.
        classes: names, in the order of the bank.
        note: all of the JSON.
    """

    bank: StyleBank
    classes: list[str]
    note: dict[str, Any]


def save_bank(
    bank: StyleBank, classes: Sequence[str], path: Path, facts: Mapping[str, Any] | None = None
) -> None:
    """Write the bank to `path` and its note beside it, each whole.

    The note names the hash of the numbers, so that a pair torn apart is noticed.

    Args:
        bank: a fitted bank.
        classes: names, one per class of the bank.
        path: x.safetensors.
        facts: JSON values that say where the bank comes from, such as `checkpoint`.

    Raises:
        UserError: the path has another suffix.
    """
    require_suffix(path)
    tensors = {name: value.contiguous().cpu() for name, value in bank.state_dict().items()}
    write_file(path, lambda aside: save_file(tensors, aside))
    note = {**describe(bank, classes), **(facts or {}), "tensors": sha256(path)}
    write_text(note_path(path), json.dumps(add_checksum(note), indent=1))


def describe(bank: StyleBank, classes: Sequence[str]) -> dict[str, Any]:
    """A bank in plain numbers: its shape, and for every class its modes; for a JSON file."""
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
    """The bank in a file, for a checkpoint with these classes and features.

    Raises:
        UserError: see `read_bank`; or the bank is of other classes or of other features.
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
    found = saved.bank.centres.shape[2]
    if found != channels:
        raise UserError(
            f"{path} has styles of {found} numbers, but the checkpoint's encoder gives {channels}."
        )
    return saved


def read_bank(path: Path) -> SavedBank:
    """The bank in a file, whoever's it is; nothing in the file is executed.

    Raises:
        UserError: one of the two files is missing or broken, or they are of different banks.
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
    """Return the path of the note of a bank."""
    return path.with_suffix(".json")


def require_suffix(path: Path) -> None:
    """Refuse a path that is not x.safetensors.

    Raises:
        UserError: names it.
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
        raise UserError(f"{path} is no style bank: it holds impossible numbers.")
    if len(note["classes"]) != num_classes:
        raise UserError(f"{path} has {num_classes} classes, its note {len(note['classes'])}.")
    bank = StyleBank(num_classes, channels, num_styles, note["seed"])
    bank.load_state_dict(tensors)
    return bank
