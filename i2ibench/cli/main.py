"""The command line: `i2ibench COMMAND ...` and the scripts in tools/."""

import argparse
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from pathlib import Path

from i2ibench import __version__
from i2ibench.cli.plugin_option import PLUGIN_OPTION, take_plugins
from i2ibench.errors import UserError, near_match
from i2ibench.io.docstrings import first_line

COMMANDS = (
    "train", "eval", "translate", "styles", "edit", "prepare_data", "validate", "shards",
    "train_segmenter", "convert", "export", "push", "grid", "study", "parts", "new_plugin",
    "configs", "get", "doctor", "completion",
)  # fmt: skip


def main(command: str | None = None, arguments: Sequence[str] | None = None) -> None:
    """Run a command, and exit with 2 after a mistake that the user can correct.

    UserError and OSError count as such mistakes, and their message is printed. Other errors keep
    their traceback. An error from a plugin ends with a line that names the plugin, and the exit
    code 1. Ctrl+C exits with 130.

    Args:
        command: one of COMMANDS, for the script of that name; None reads it from the arguments.
        arguments: the arguments after the program's name; None takes those of the process.
    """
    _print_any_letter()
    try:
        given = take_plugins(sys.argv[1:] if arguments is None else arguments)
        program = None
        if command is None and given and given[0].replace("-", "_") in COMMANDS:
            command, given = given[0].replace("-", "_"), given[1:]
            program = f"i2ibench {command}"
        elif command is None and given and not given[0].startswith("-"):
            raise UserError(
                f"There is no command {given[0]!r}.{near_match(given[0], COMMANDS)} Commands: "
                f"{', '.join(COMMANDS)}."
            )
        options = _options(command, program, given)
        options.run(options)
    except (UserError, OSError) as error:
        print(f"error: {_without_trace(str(error))}", file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        from i2ibench.registry.sources import blame  # imports torch, which takes seconds

        source = blame(error)
        if source is None:
            raise
        traceback.print_exc()
        print(f"error: {source} failed: {error!r}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)


def _print_any_letter() -> None:
    """Print characters that the console's encoding lacks as escapes, so that no print fails.

    Consoles and pipes of Windows have a regional encoding (cp1252, cp932, cp936).
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.errors in ("strict", "surrogateescape"):
            stream.reconfigure(errors="backslashreplace")


def _options(command: str | None, program: str | None, given: list[str]) -> argparse.Namespace:
    """Parse the arguments of a command, and return them with the command's function as `run`.

    A usage error ends the program.
    """
    parser = _parser(command, program)
    # Without this, the last argument of `eval CONFIG --work-dir DIR CHECKPOINT` would be an error.
    mixed = command is not None and not hasattr(_module(command), "ACTIONS")
    return parser.parse_intermixed_args(given) if mixed else parser.parse_args(given)


def _without_trace(message: str) -> str:
    """Return an error's message without the traceback that a data-loader worker puts before it.

    Other messages are returned unchanged.
    """
    _, separator, cause = message.rpartition("UserError: ")
    return cause.strip() if separator and "Original Traceback" in message else message


def _parser(command: str | None, program: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of a command; for None, that of the program, which imports no command."""
    if command is not None:
        return _fill(argparse.ArgumentParser(prog=program, parents=[PLUGIN_OPTION]), command)
    parser = argparse.ArgumentParser(
        prog="i2ibench", description="Train, apply and evaluate models of paired translation.",
        parents=[PLUGIN_OPTION],
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"i2ibench {__version__}")
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True)
    for name in COMMANDS:
        subparsers.add_parser(name, help=first_line(Path(__file__).with_name(f"{name}.py")))
    return parser


def complete_parser() -> argparse.ArgumentParser:
    """Return the parser of the program with all arguments of all commands, which imports them."""
    parser = _parser(None)
    (subparsers,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    for name, command in subparsers.choices.items():
        _fill(command, name)
    return parser


def _fill(parser: argparse.ArgumentParser, command: str) -> argparse.ArgumentParser:
    module = _module(command)
    parser.description = module.__doc__
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    module.add_arguments(parser)
    parser.set_defaults(run=module.run)
    return parser


def _module(command: str):  # type: ignore[no-untyped-def]
    return import_module(f"i2ibench.cli.{command}")
