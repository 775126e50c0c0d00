"""Processes that own a folder, and what of a folder must not change while they do."""

import contextlib
import subprocess
import sys

HOLD = """
import sys
from pathlib import Path
from i2ibench.io.folder_locks import lock_folder
with lock_folder(Path(sys.argv[1]), "holding"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def owner_of(folder):
    """A process that owns a folder until the block ends."""
    command = [sys.executable, "-c", HOLD, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        yield process


def snapshot(folder):
    """Every file below a folder with its time and content."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(path, path.stat().st_mtime_ns, path.read_bytes()) for path in files]
