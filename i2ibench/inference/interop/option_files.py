"""Option files: what an official training or test run wrote beside its weights."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from i2ibench.errors import UserError

TRAINING = ("train_opt.txt", "opt.txt", "test_opt.txt")
"""The files that say how a network was trained, the one that is asked first at the front."""

TEST = ("test_opt.txt", "opt.txt", "train_opt.txt")
"""The same for how a network is tested."""

LARGEST = 2**20
"""Bytes of an option file that are read."""


@dataclass(frozen=True)
class Option:
    """One option of an official run: its value as written, and the file that says so."""

    name: str
    text: str
    file: Path

    @property
    def source(self) -> str:
        """Return what a message calls the place."""
        return f"{self.file.name}: {self.name}: {self.text}"

    def flag(self) -> bool:
        """Return the value of an option that is True or False.

        Raises:
            UserError: it is neither.
        """
        if self.text not in ("True", "False"):
            raise UserError(f"{self.file}: {self.name} is True or False, not {self.text!r}.")
        return self.text == "True"

    def number(self) -> int:
        """Return the value of an option that is an integer.

        Raises:
            UserError: it is none.
        """
        try:
            return int(self.text)
        except ValueError:
            raise UserError(f"{self.file}: {self.name} is a number, not {self.text!r}.") from None


class OptionFiles:
    """The options beside a network's files.

    pix2pixHD writes `opt.txt`; pix2pix `train_opt.txt` and `test_opt.txt`, in older versions
    `opt.txt`. Each line is `name: value`, a changed value being followed by `[default: ...]`.

    Args:
        folder: where the network's files are; option files may be missing.

    Raises:
        UserError: an option file is no text.
    """

    def __init__(self, folder: Path) -> None:
        paths = [folder / name for name in TRAINING]
        self.files = {path.name: _read(path) for path in paths if path.is_file()}

    @property
    def names(self) -> list[str]:
        """Return the names of the files that are there."""
        return list(self.files)

    def find(self, *names: str, files: Sequence[str] = TRAINING) -> Option | None:
        """Return an option by the first of its names that a file has, else None."""
        for file in files:
            for name in names:
                if name in self.files.get(file, {}):
                    return self.files[file][name]
        return None


def _read(path: Path) -> Mapping[str, Option]:
    """Return the options in a file by name."""
    content = path.read_bytes()[: LARGEST + 1]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} is no option file: it is not UTF-8 text.") from None
    if len(content) > LARGEST:
        raise UserError(f"{path} is no option file: it has more than {LARGEST} bytes.")
    options = {}
    for line in text.splitlines():
        found = re.fullmatch(r"\s*(\w+): ?(.*)", line.split("[default:")[0].rstrip())
        if found:
            options[found[1]] = Option(found[1], found[2].strip(), path)
    return options
