"""`python without_posix.py COMMAND ...`: i2ibench where Python lacks what only POSIX has.

This imitates Windows for the modules of i2ibench alone, in the workers of a data loader too, which
are spawned as there. It is no run on Windows.
"""

import builtins
import fcntl
import multiprocessing
import os
import signal
import sys
import types
from pathlib import Path

LACKING = {
    "signal": (
        "SIGUSR1", "SIGUSR2", "SIGHUP", "SIGKILL", "SIGALRM", "SIGCHLD", "SIG_BLOCK",
        "sigwaitinfo", "pthread_sigmask", "alarm", "setitimer",
    ),
    "os": (
        "EX_TEMPFAIL", "EX_USAGE", "EX_OK", "fork", "getuid", "geteuid", "getpgid", "killpg",
        "setsid", "O_DIRECTORY", "O_NOFOLLOW", "sync", "statvfs", "uname", "sysconf", "nice",
        "sched_getaffinity", "getloadavg", "wait", "WNOHANG", "mkfifo",
    ),
}  # fmt: skip
MISSING = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog", "posix")


class Lacking(types.ModuleType):
    """A module without some of its names."""

    def __init__(self, module: types.ModuleType, **changed: object) -> None:
        super().__init__(module.__name__)
        self.__dict__.update(changed, _module=module)

    def __getattr__(self, name: str) -> object:
        if name in LACKING[self.__name__]:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        return getattr(self._module, name)


def open_no_folder(path, flags, *arguments, **options):
    if Path(path).is_dir():
        raise PermissionError(13, "Permission denied", str(path))
    return os.open(path, flags, *arguments, **options)


def sync_what_can_be_written(descriptor):
    if isinstance(descriptor, int) and not fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE:
        raise OSError(9, "Bad file descriptor")
    os.fsync(descriptor)


POORER = {
    "signal": Lacking(signal),
    "os": Lacking(os, open=open_no_folder, fsync=sync_what_can_be_written),
}
imported = builtins.__import__


def importer(name, globals=None, locals=None, fromlist=(), level=0):
    if str((globals or {}).get("__name__")).startswith("i2ibench") and level == 0:
        if name in MISSING:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        if name in POORER and not fromlist:
            return POORER[name]
    return imported(name, globals, locals, fromlist, level)


builtins.__import__ = importer  # at import: a spawned worker imports this file too

if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    from i2ibench.cli.main import main

    if sys.argv[1:] == ["import everything"]:
        import importlib
        import pkgutil

        import i2ibench

        for module in pkgutil.walk_packages(i2ibench.__path__, "i2ibench."):
            if not module.name.startswith(("i2ibench.testing", "i2ibench.cli.__main__")):
                importlib.import_module(module.name)
    else:
        main(None, sys.argv[1:])
