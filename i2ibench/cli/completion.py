"""Print a script that completes commands, options and file names in a shell.

bash, for this session:  eval "$(i2ibench completion bash)"
bash, for every session: add this line to ~/.bashrc
zsh:                     i2ibench completion zsh > DIRECTORY_OF_$FPATH/_i2ibench
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
