"""A fresh environment in which i2ibench is installed from its wheel, and a user's folder."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Environment:
    """A fresh virtual environment that sees the packages of this Python, and a user's folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "env"
        venv.create(self.folder, symlinks=True, with_pip=False)
        (site,) = self.folder.glob("lib/*/site-packages")
        # --system-site-packages would be those of the Python below a virtual environment.
        below = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
        (site / "below.pth").write_text("".join(f"{path}\n" for path in below))
        modules = {"pip": "pip", "pytest": "pytest", "torchrun": "torch.distributed.run"}
        for script, module in modules.items():
            path = self.folder / "bin" / script
            path.write_text(f'#!/bin/sh\nexec "{self.folder}/bin/python" -m {module} "$@"\n')
            path.chmod(0o755)
        self.home = folder / "elsewhere"
        self.home.mkdir()
        self.install(copy_of_the_project(folder / "sources"))

    def run(self, *arguments, code=0):
        """Python with these arguments, in the user's folder."""
        return self.command(self.folder / "bin" / "python", *map(str, arguments), code=code)

    def command(self, *command, code=0):
        """A command, found in the environment first; pip does without network."""
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {
            "OMP_NUM_THREADS": "1",
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip's reading of it: no isolation
            "PIP_NO_INDEX": "1",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_ROOT_USER_ACTION": "ignore",
        }
        answer = subprocess.run(
            command, cwd=self.home, capture_output=True, text=True, timeout=300, env=environment
        )
        assert answer.returncode == code, answer.stdout + answer.stderr
        return answer

    def install(self, project: Path) -> None:
        """Build a wheel of a project and install that."""
        wheels = project / "wheels"
        self.run("-m", "pip", "wheel", "-q", "--no-deps", "-w", wheels, project)
        (wheel,) = wheels.glob("*.whl")
        self.run("-m", "pip", "install", "-q", "--no-deps", "--force-reinstall", wheel)


def copy_of_the_project(folder: Path) -> Path:
    """What a wheel is built from, apart: building leaves files beside the sources."""
    target = folder / "i2ibench"
    for name in ("i2ibench", "plugins"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, target)
    return target
