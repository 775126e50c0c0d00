"""Findings: what a conversion has read, where it stands, and what it had to be told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from i2ibench.errors import UserError
from i2ibench.inference.interop.option_files import OptionFiles

WEIGHTS = "the weights"
COMMAND = "the command"
RELEASED = "assumed: the released code's default"


@dataclass(frozen=True)
class Answers:
    """The user's answers about official files; an answer of None is read from the files.

    Attributes:
        num_labels: label classes; 0 for images.
        dropout: whether a U-Net was trained with dropout.
        evaluation_mode: whether test.py switched batch norm and dropout to evaluation (`--eval`).
        classes: the folder whose `classes.json` names the classes.
    """

    num_labels: int | None = None
    dropout: bool | None = None
    evaluation_mode: bool | None = None
    classes: Path | None = None


@dataclass(frozen=True)
class Finding:
    """One thing that decides the images, its value, and where that comes from."""

    what: str
    value: str
    source: str


@dataclass
class Findings:
    """The facts known of official files: the option files beside them, and the user's answers."""

    folder: Path
    answers: Answers
    files: OptionFiles = field(init=False)
    rows: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.files = OptionFiles(self.folder)

    def note(self, what: str, value: object, source: str) -> None:
        """Add a row."""
        self.rows.append(Finding(what, str(value), source))

    def chosen(self, answer: object, option: str | None, default: str = RELEASED) -> str:
        """Return where a value comes from; a contradicted option file is named.

        Args:
            answer: the command's, None if it has none.
            option: what an option file says, None if it says nothing.
            default: the source if there is neither.
        """
        if answer is None:
            return option or default
        return f"{COMMAND} ({option})" if option else COMMAND

    def check(self, file: str, expected: Mapping[str, Any]) -> None:
        """Compare options with what a network's weights say.

        Args:
            file: the weights' file.
            expected: by an option's names, separated by blanks, the value in the weights.

        Raises:
            UserError: they differ, so that the option file is another network's.
        """
        for names, value in expected.items():
            option = self.files.find(*names.split())
            if option is not None and option.text != str(value):
                raise UserError(
                    f"{option.file} says {option.name}: {option.text}, but the weights in {file} "
                    f"have {value}: the option file belongs to another network. Move it away, or "
                    "put the right one beside the weights."
                )

    def table(self) -> Table:
        """Return the rows as a table to print."""
        table = Table(caption=self._caption(), caption_justify="left")
        for heading in ("what", "value", "from"):
            table.add_column(heading, overflow="fold")
        for row in self.rows:
            table.add_row(*map(Text, (row.what, row.value, row.source)))  # a "[" is no markup
        return table

    def _caption(self) -> str:
        names = ", ".join(self.files.names)
        found = f"option files: {names}" if names else "no option file beside the weights"
        return f"{found}; what is assumed can be said with an option of convert"
