"""The conversion of official files: the user's options, the option files, and a report."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from i2ibench.errors import UserError

PIX2PIX, PIX2PIXHD = "pix2pix", "pix2pixHD"
"""The released programs that write official files."""

WEIGHTS = "the weights"
COMMAND = "the command"
RELEASED = "assumed: the released code's default"

TRAINING = ("train_opt.txt", "opt.txt", "test_opt.txt")
"""The option files that may say how a network was trained; the first file has precedence."""

TEST = ("test_opt.txt", "opt.txt", "train_opt.txt")
"""The option files that may say how a network is tested; the first file has precedence."""

LARGEST = 2**20
"""The largest size of an option file in bytes."""


@dataclass(frozen=True)
class Option:
    """One option in an option file, with its value as text."""

    name: str
    text: str
    file: Path

    @property
    def source(self) -> str:
        """Return the option's file, name and value as text, such as "opt.txt: ngf: 64"."""
        return f"{self.file.name}: {self.name}: {self.text}"

    def flag(self) -> bool:
        """Return the option's value, the text True or False, as a bool.

        Raises:
            UserError: the value is another text.
        """
        if self.text not in ("True", "False"):
            raise UserError(f"{self.file}: {self.name} is True or False, not {self.text!r}.")
        return self.text == "True"

    def number(self) -> int:
        """Return the option's value as an int.

        Raises:
            UserError: the value is no integer.
        """
        try:
            return int(self.text)
        except ValueError:
            raise UserError(f"{self.file}: {self.name} is a number, not {self.text!r}.") from None


class OptionFiles:
    """The option files beside a network's weights.

    pix2pixHD writes `opt.txt`. pix2pix writes `train_opt.txt` and `test_opt.txt`, or `opt.txt` in
    older versions. Each line is `name: value`; `[default: ...]` follows a value that differs from
    the default.

    Args:
        folder: with the weights; option files may be missing.

    Raises:
        UserError: an option file is no text, or too large.
    """

    def __init__(self, folder: Path) -> None:
        paths = [folder / name for name in TRAINING]
        self.files = {path.name: _read_options(path) for path in paths if path.is_file()}

    def find(self, *names: str, files: Sequence[str] = TRAINING) -> Option | None:
        """Return an option of the option files; None if no file has an option of these names.

        The file has precedence over the name: the first file that has any of the names decides.

        Args:
            names: names of one option in different versions; the first that a file has is taken.
            files: the names of the option files to search, in this order. Missing files are
                skipped.
        """
        for file in files:
            for name in names:
                if name in self.files.get(file, {}):
                    return self.files[file][name]
        return None


def _read_options(path: Path) -> Mapping[str, Option]:
    content = path.read_bytes()[: LARGEST + 1]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{path} is no option file: it is not UTF-8 text.") from None
    if len(content) > LARGEST:
        raise UserError(f"{path} is no option file: it has more than {LARGEST} bytes.")
    options = {}
    for line in text.splitlines():
        match = re.fullmatch(r"\s*(\w+): ?(.*)", line.split("[default:")[0].rstrip())
        if match:
            options[match[1]] = Option(match[1], match[2].strip(), path)
    return options


@dataclass(frozen=True)
class ConversionOptions:
    """The user's options for a conversion; a value of None is read from the files.

    Attributes:
        num_labels: number of label classes; 0 for a condition of images.
        dropout: whether a U-Net was trained with dropout.
        evaluation_mode: whether test.py ran with `--eval`, which switches batch norm and dropout to
            evaluation mode.
        classes: the folder whose `classes.json` names the classes.
    """

    num_labels: int | None = None
    dropout: bool | None = None
    evaluation_mode: bool | None = None
    classes: Path | None = None


@dataclass(frozen=True)
class ReportRow:
    """A property of the converted model that affects its images, with the origin of its value."""

    what: str
    value: str
    source: str


@dataclass
class Conversion:
    """The conversion of a folder of official files.

    Attributes:
        folder: of the official files.
        options: of the user.
        option_files: beside the weights.
        rows: the report of the values that were read or assumed.
    """

    folder: Path
    options: ConversionOptions
    option_files: OptionFiles = field(init=False)
    rows: list[ReportRow] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.option_files = OptionFiles(self.folder)

    def report(self, what: str, value: object, source: str) -> None:
        """Add a row to the report about the converted model.

        Args:
            what: the property, such as "dropout".
            value: the property's value, which is saved as text.
            source: the origin of the value, such as a file or `RELEASED`.
        """
        self.rows.append(ReportRow(what, str(value), source))

    def source_of(self, given: object, option: Option | None, default: str = RELEASED) -> str:
        """Return the origin of a value as text, for the report.

        Args:
            given: the value in the user's options, None if there is none. It has precedence. If an
                option file states the option too, the text names both.
            option: in an option file, None if there is none.
            default: the text that is returned if there is neither.
        """
        if given is None:
            return option.source if option else default
        return f"{COMMAND} ({option.source})" if option else COMMAND

    def check_option_files(self, file: str, expected: Mapping[str, Any]) -> None:
        """Check that the option files beside the weights agree with the weights of a network.

        Options that no option file has are not checked. Values are compared as texts.

        Args:
            file: name of the weights' file, for the message.
            expected: the values in the weights. A key is an option's name, or several names of the
                same option separated by spaces.

        Raises:
            UserError: an option differs, so that the option file belongs to another network.
        """
        for names, value in expected.items():
            option = self.option_files.find(*names.split())
            if option is not None and option.text != str(value):
                raise UserError(
                    f"{option.file} says {option.name}: {option.text}, but the weights in {file} "
                    f"have {value}: the option file belongs to another network. Move it away, or "
                    "put the right one beside the weights."
                )

    def table(self) -> Table:
        """Return the report as a table to print: what, value and origin of each row.

        The caption names the option files that were found.
        """
        names = ", ".join(self.option_files.files)
        files = f"option files: {names}" if names else "no option file beside the weights"
        caption = f"{files}; options of convert replace values that are assumed"
        table = Table(caption=caption, caption_justify="left")
        for heading in ("what", "value", "from"):
            table.add_column(heading, overflow="fold")
        for row in self.rows:
            table.add_row(*map(Text, (row.what, row.value, row.source)))  # a "[" is no markup
        return table
