"""Provenance of results: hashes and versions of the code, the packages and the machine."""

import hashlib
import json
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from i2ibench import __version__

PACKAGES = (
    "torch", "torchvision", "mmengine", "mmcv-lite", "numpy", "scikit-learn", "pillow",
    "opencv-python", "lpips", "clean-fid", "torchmetrics", "segmentation-models-pytorch",
    "transformers", "onnxruntime", "diffusers",
)  # fmt: skip


def versions() -> dict[str, str]:
    """Return the versions of i2ibench, Python and the packages that results depend on, by name.

    The keys are "i2ibench", "python" and `PACKAGES`. A missing package has "not installed".
    """
    by_name = {"i2ibench": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        try:
            by_name[package] = version(package)
        except PackageNotFoundError:
            by_name[package] = "not installed"
    return by_name


def commit() -> str:
    """Return the git commit of this package's code, a hexadecimal hash.

    "+changes" follows if files in i2ibench/ or plugins/ differ from the commit. Return "unknown" if
    the package does not run from its own repository, or if git is missing.
    """
    folder = Path(__file__).parents[1]
    if _git(folder, "rev-parse", "--show-toplevel") != str(folder.parent.resolve()):
        return "unknown"  # the package may be installed inside a repository of the user
    head = _git(folder, "rev-parse", "HEAD")
    changed = _git(folder, "status", "--porcelain", "--", ":/i2ibench", ":/plugins")
    return f"{head}+changes" if changed else head


def devices() -> list[str]:
    """Return a description of the CPU, then of each CUDA device, such as "cpu (8 threads)".

    GPUs that torch reaches in other ways, such as Apple's, are not listed.
    """
    cpu = f"cpu ({torch.get_num_threads()} threads)"
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return [cpu, *(f"cuda:{i} {name}" for i, name in enumerate(names))]


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's contents.

    The result is kept in memory until the file's size or modification time changes.
    """
    status = path.stat()
    return _sha256(path, status.st_mtime_ns, status.st_size)


@cache
def _sha256(path: Path, changed: int, size: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def fingerprint(value: Any) -> str:
    """Return the hexadecimal SHA-256 of a JSON value; the order of keys does not matter."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


@cache
def code_hash(*packages: str) -> str:
    """Return the hexadecimal SHA-256 of the contents of all .py files in subpackages of i2ibench.

    The result is kept in memory.

    Args:
        packages: names of existing folders in i2ibench, such as "evaluation", read in this order.
    """
    digest = hashlib.sha256()
    for package in packages:
        folder = Path(__file__).parents[1] / package
        assert folder.is_dir(), f"there is no package {package}"
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _git(folder: Path, *arguments: str) -> str:
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, check=False,
            encoding="utf-8", errors="replace",
        )  # fmt: skip
    except OSError:
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""
