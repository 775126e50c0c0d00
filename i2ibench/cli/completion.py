"""Print a script that completes commands, options and file names in a shell.

For bash, write the output of `i2ibench completion bash` to the file i2ibench in
~/.local/share/bash-completion/completions; for zsh, that of `i2ibench completion zsh` to a file
_i2ibench in a folder of $fpath.
"""

import argparse

import shtab


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command `completion` to its parser, in place."""
    parser.add_argument("shell", choices=shtab.SUPPORTED_SHELLS, help="the shell to complete in")


def run(options: argparse.Namespace) -> None:
    """Print the shell's script, which knows the commands and options of this version."""
    from i2ibench.cli.main import complete_parser  # which imports this file

    print(shtab.complete(complete_parser(), options.shell))
